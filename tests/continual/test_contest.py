"""Rows are graded, validated by fits without the pictures that they are asked about, and kept."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from timm.models.tiny_vit import TinyVit

from neoai_utils import competitions
from neoai_utils.continual import checkpoint, files, inference
from neoai_utils.continual.agreement import Agreement
from neoai_utils.continual.contest import Contest
from neoai_utils.workspace import Workspace
from tests.continual.conftest import LABELS, OLD

IDS = ["10.jpg", "2.jpg", "x.png", "y.webp"]
CLASSES = [0, 4, 1, 5]
"""True classes of the four test pictures: old, weak, old, weak."""
ANSWERS = "id,class,weak\n10.jpg,0,0\n2.jpg,4,1\nx.png,1,0\ny.webp,5,1\n"
ROWS = torch.tensor(LABELS)
WEAK_SHARE = 4 / 102


def sure(classes: list[int]) -> torch.Tensor:
    """Logits that predict the given classes."""
    return 5.0 * torch.nn.functional.one_hot(torch.tensor(classes), files.CLASSES).float()


@pytest.fixture
def graded(competition: Path, tmp_path: Path) -> Workspace:
    """A workspace with the answers to the four test pictures."""
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / files.ANSWERS).write_text(ANSWERS)
    return Workspace(competitions.find("task2"), "miniature", competition, tmp_path, 0, tmp_path / "answers")


@pytest.fixture
def ungraded(competition: Path, tmp_path: Path) -> Workspace:
    return Workspace(competitions.find("task2"), "competition", competition, tmp_path, 0)


def contest(workspace: Workspace, pixels: np.ndarray, *, validated: bool = True, **settings) -> Contest:
    """A contest whose teacher is surest of the two old test pictures, and right about them."""
    agreement = Agreement(sure(CLASSES), ROWS) if validated else None
    return Contest(workspace, partial(files.submission, IDS), pixels, ROWS, pixels[:4], agreement, **settings)


def constant(model: TinyVit, number: int) -> TinyVit:
    """Return a copy that predicts one class."""
    bias = torch.zeros(files.CLASSES)
    bias[number] = 1000.0
    return checkpoint.clone(model, model.state_dict() | {"head.fc.bias": bias})


def test_a_row_is_graded_validated_and_kept(graded: Workspace, pixels: np.ndarray) -> None:
    played = contest(graded, pixels)
    logits, held_out = sure([0, 4, 1, 9]), sure([4] * 12)
    played.enter("a row", logits, held_out, seconds=2.0, role="baseline")
    row = graded.ladder.by_role("baseline")
    assert (row.name, row.score, row.extra["old"], row.extra["weak"], row.seconds) == ("a row", 0.75, 1.0, 0.5, 2.0)
    assert row.validation == pytest.approx(1 - WEAK_SHARE + WEAK_SHARE * 0.25)
    assert played.validations["a row"].score == row.validation
    assert played.predictions["a row"] is logits
    assert played.held_outs["a row"] is held_out


def test_without_an_agreement_no_row_competes(graded: Workspace, pixels: np.ndarray) -> None:
    played = contest(graded, pixels, validated=False)
    played.enter("a row", sure(CLASSES), sure(LABELS))
    (row,) = graded.ladder
    assert (row.score, row.validation) == (1.0, None)
    assert played.validations == {}
    assert list(played.predictions) == ["a row"]


def test_a_head_is_validated_on_pictures_that_its_recipe_did_not_use(graded: Workspace, pixels: np.ndarray) -> None:
    """The recipe is right about the labelled pictures that it may not use, and only about these."""
    calls = []

    def recipe(rows: np.ndarray) -> torch.Tensor:
        calls.append(len(rows))
        return sure(CLASSES + [OLD[0] if row in rows else LABELS[row] for row in range(12)])

    played = contest(graded, pixels)
    played.enter_head("a head", recipe)
    assert calls == [12, 8, 8, 8]
    assert torch.equal(played.predictions["a head"], sure(CLASSES))
    assert torch.equal(played.held_outs["a head"], sure(LABELS))
    assert played.validations["a head"].parts == {"agreement": 1.0, "held-out weak": 1.0}


def test_a_network_that_competes_is_fitted_four_times(graded: Workspace, tiny: TinyVit, pixels: np.ndarray) -> None:
    """The network of all pictures always predicts class 4, each network of a part always class 5."""
    calls = []

    def fit(rows: np.ndarray, watch=None) -> TinyVit:
        calls.append((len(rows), watch))
        return constant(tiny, 4 if len(rows) == 12 else 5)

    played = contest(graded, pixels, networks_compete=True)
    model = played.enter_network("a network", fit, print, "published")
    assert calls == [(12, print), (8, None), (8, None), (8, None)]
    assert torch.equal(played.predictions["a network"], inference.logits(model, pixels[:4]))
    assert played.held_outs["a network"].argmax(dim=1).tolist() == [5] * 12
    assert played.validations["a network"].parts == {"agreement": 0.0, "held-out weak": 0.25}
    assert graded.ladder.by_role("published").score == 0.25


def test_mirrored_pictures_are_averaged_if_asked(graded: Workspace, tiny: TinyVit, pixels: np.ndarray) -> None:
    played = contest(graded, pixels, networks_compete=True)
    played.enter_network("a network", lambda rows, watch=None: tiny, flip=True)
    assert torch.equal(played.predictions["a network"], inference.logits(tiny, pixels[:4], flip=True))
    expected = inference.logits(tiny, pixels, flip=True)
    torch.testing.assert_close(played.held_outs["a network"], expected, rtol=1e-4, atol=1e-5)


def test_a_network_that_does_not_compete_is_fitted_and_recorded_once(
    graded: Workspace, tiny: TinyVit, pixels: np.ndarray
) -> None:
    calls = []

    def fit(rows: np.ndarray, watch=None) -> TinyVit:
        calls.append(rows.tolist())
        return constant(tiny, 5)

    played = contest(graded, pixels)
    model = played.enter_network("a network", fit)
    assert calls == [list(range(12))]
    (row,) = graded.ladder
    assert (row.score, row.validation) == (0.25, None)
    assert played.predictions == played.held_outs == played.validations == {}
    assert played.classified(model)["class"].tolist() == [5] * 4


def test_nothing_is_predicted_that_cannot_be_graded(ungraded: Workspace, pixels: np.ndarray) -> None:
    """What is fitted here is no network and could not be read."""
    played = contest(ungraded, pixels)
    assert played.enter_network("a network", lambda rows, watch=None: "fitted") == "fitted"
    assert played.follow("a curve", "no network", every=1) is None
    assert played.curves == {}


def test_a_training_is_followed_from_its_start(graded: Workspace, tiny: TinyVit, pixels: np.ndarray) -> None:
    played = contest(graded, pixels)
    watch = played.follow("a curve", constant(tiny, 0), every=2)
    for epoch, number in ((1, 1), (2, 4), (3, 1), (4, 99)):
        watch(epoch, constant(tiny, number))
    assert played.curves == {"a curve": [(0, 0.5, 0.0), (2, 0.0, 0.5), (4, 0.0, 0.0)]}
    assert len(graded.ladder) == 0
