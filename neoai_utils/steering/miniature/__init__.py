"""The miniature of "Evading AI-generated text detection": presidents' sentences, carried on by a small model.

What is as in the original: `test.csv` and its column, the submission, the metric with its two conditions, a human
window with two sides, pairs of human and machine texts in HC3's form, and the measure of content (the real MiniLM).
What differs: SmolLM2-135M-Instruct writes in place of Gemma 2 2B, its SAEs have 1,024 latents, the detector is a probe
on MiniLM in place of DeBERTa-v3-large, and the references are known: how the president went on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neoai_utils.steering import files
from neoai_utils.steering.miniature import passages
from neoai_utils.steering.miniature.passages import Passage

if TYPE_CHECKING:
    from neoai_utils.steering.detector import Probe

__all__ = ["Recipe", "build", "deal"]


@dataclass(frozen=True)
class Recipe:
    """Every constant that shapes the miniature.

    Attributes:
        seed: of the deal of passages.
        prompts: test prompts.
        pairs: rows of `hc3.csv`.
        detector: passages whose two versions the detector learns from.
        window: human texts whose scores give the window.
        tail: share of human texts on either side of the window.
        strength: inverse penalty of the detector.
        passages: checksum of the committed passages.
    """

    seed: int = 0
    version: int = 1
    prompts: int = 96
    pairs: int = 600
    detector: int = 1000
    window: int = 400
    tail: float = 0.05
    strength: float = 0.003
    passages: str = passages.SHA256


def build(recipe: Recipe, data_dir: Path, answers_dir: Path) -> dict[str, float]:
    """Write prompts, pairs and the detector into `data_dir`, references and the detector again into `answers_dir`.

    Returns:
        `ceiling`: the score of the human texts themselves; `ceiling_window`: their rate inside the window;
        `machine`: the score of the model's unsteered texts in the committed table.
    """
    import pandas as pd

    from neoai_utils.steering.detector import LAYERS, Probe, load_encoder

    test, pairs, taught, judged = deal(passages.load(), recipe)
    probe = Probe.fit(
        load_encoder(max(LAYERS)), [p.full for p in taught], [p.unsteered for p in taught], recipe.strength
    )  # fmt: skip
    low, high = np.quantile(probe.score([p.full for p in judged]), [recipe.tail, 1 - recipe.tail])
    for folder in (data_dir, answers_dir):
        _write_detector(probe, files.Window(float(low), float(high)), folder / "detector")
    pd.DataFrame({"prompt": [p.prompt for p in test]}).to_csv(data_dir / "test.csv", index=False)
    _write_pairs(pairs, data_dir / "hc3.csv")
    answers = files.submission([p.prompt for p in test], [p.full for p in test])
    answers.to_csv(answers_dir / "answers.csv", index=False)
    human = files.grade(answers, answers_dir)
    machine = files.grade(files.submission([p.prompt for p in test], [p.unsteered for p in test]), answers_dir)
    return {"ceiling": human["score"], "ceiling_window": human["window"], "machine": machine["score"]}


def deal(found: list[Passage], recipe: Recipe) -> tuple[list[Passage], list[Passage], list[Passage], list[Passage]]:
    """Return the passages of the test, of the pairs, of the detector and of the window; none is in two of them."""
    random = np.random.default_rng((recipe.seed, 3))
    for_tests, others = passages.pools(found)
    test = [for_tests[i] for i in random.permutation(len(for_tests))[: recipe.prompts]]
    order = random.permutation(len(others))
    ends = np.cumsum([recipe.pairs, recipe.detector, recipe.window])
    pairs, taught, judged = ([others[i] for i in part] for part in np.split(order[: ends[-1]], ends[:-1]))
    return test, pairs, taught, judged


def _write_pairs(pairs: list[Passage], path: Path) -> None:
    """Write HC3's columns; answers are lists written as text, as HC3's are."""
    import pandas as pd

    rows = [(p.prompt, str([p.human]), str([p.machine]), "addresses") for p in pairs]
    pd.DataFrame(rows, columns=["question", "human_answers", "chatgpt_answers", "source"]).to_csv(path, index=False)


def _write_detector(probe: Probe, window: files.Window, folder: Path) -> None:
    folder.mkdir()
    probe.save(folder / "probe.safetensors")
    (folder / "window.json").write_text(json.dumps({"low": window.low, "high": window.high}), encoding="utf-8")
