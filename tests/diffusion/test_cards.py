"""Several cards: the same pictures as one, in their order, each drawn once; two copies on the CPU stand for cards."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from neoai_utils.diffusion import cards, gate
from neoai_utils.diffusion.generation import draw
from neoai_utils.diffusion.redirection import redirect_words
from neoai_utils.diffusion.steering import directions, record, steered
from tests.diffusion.conftest import FAST
from tests.diffusion.test_gate import OTHERS, PAIRS
from tests.diffusion.test_generation import PROMPTS, sampled

CPU = torch.device("cpu")


def pixels(pictures):
    return np.stack([np.asarray(picture) for picture in pictures]).astype(int)


@pytest.fixture
def two_more(monkeypatch):
    monkeypatch.setattr(cards, "other_cards", lambda pipe: [CPU, CPU])


@pytest.mark.usefixtures("two_more")
def test_pictures_do_not_depend_on_the_number_of_cards(pipe, tmp_path, monkeypatch):
    """Edited weights and the gate's hook reach the copies; the folder's pictures are those of the list."""
    redirect_words(pipe, ["cow"], "pig")
    with gate.redirected(pipe, gate.fit(pipe, PAIRS, OTHERS)):
        several = pixels(draw(pipe, PROMPTS, sampled(1), tmp_path))
        monkeypatch.setattr(cards, "other_cards", lambda pipe: [])
        alone = pixels(draw(pipe, PROMPTS, sampled(1)))
    assert abs(several - alone).max() <= 1, "threads of a processor may round sums otherwise"
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [f"0000{number}.png" for number in range(5)]


@pytest.mark.usefixtures("two_more")
def test_no_more_copies_than_batches_and_nothing_shared(pipe):
    assert cards.copies(pipe, 1) == [pipe]
    twin = cards.copies(pipe, 2)[1]
    assert len(cards.copies(pipe, 9)) == 3
    for name in ("unet", "vae", "text_encoder", "tokenizer", "scheduler"):
        assert getattr(twin, name) is not getattr(pipe, name)


def test_every_task_is_done_once_and_in_order():
    both = threading.Barrier(2, timeout=10)
    done = []

    def work(pipe, task):
        if task < 2:
            both.wait()  # passes only if two work at once
        done.append((pipe, task))
        return 10 * task

    class Card:
        device = CPU

    assert list(cards.shared([Card(), Card()], range(6), work)) == [0, 10, 20, 30, 40, 50]
    assert sorted(task for _, task in done) == [0, 1, 2, 3, 4, 5]


def test_an_error_ends_the_work():
    class Card:
        device = CPU

    def work(_pipe, task):
        raise KeyError(task)

    with pytest.raises(KeyError):
        list(cards.shared([Card(), Card()], range(4), work))


def test_a_processor_has_no_further_cards_and_hooks_keep_to_one(pipe, monkeypatch):
    assert cards.other_cards(pipe) == []

    class Twin:
        device = torch.device("cuda", 0)
        unet = pipe.unet

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda card: ["T4", "L4", "T4"][card])
    assert cards.other_cards(Twin()) == [torch.device("cuda", 2)]
    vectors = directions(record(pipe, ["a mare"], FAST), record(pipe, ["a pig"], FAST))
    with steered(pipe.unet, vectors, 1.0):
        assert cards.other_cards(Twin()) == []
