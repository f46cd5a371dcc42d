"""The miniature of "Evading AI-generated text detection": presidents' sentences, continued by a small model.

What is as in the original: `test.csv` and its column, the submission, the metric with its two conditions, a human
window with two sides, pairs of human and machine texts in HC3's form, and the measure of content (the real MiniLM).
What differs: SmolLM2-135M-Instruct writes in place of Gemma 2 2B, its SAEs have 1,024 latents, the detector is a probe
on MiniLM in place of DeBERTa-v3-large, and the references are given: the president's continuations.

- `passages`: the texts.
- `autoencoder`: the committed SAEs and their training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from neoai_utils.offline.checkpoints import need
from neoai_utils.steering import files
from neoai_utils.steering.detector import Probe, write_detector
from neoai_utils.steering.encoder import LEVELS, load_encoder
from neoai_utils.steering.metric import Window
from neoai_utils.steering.miniature import autoencoder, passages
from neoai_utils.steering.miniature.passages import Passage
from neoai_utils.steering.models import Settings, sae_folder

__all__ = ["Recipe", "assign", "build"]


@dataclass(frozen=True)
class Recipe:
    """Every constant that shapes the miniature.

    Attributes:
        seed: of the assignment of passages.
        version: of the code; raised when the same constants give other files.
        prompts: test prompts.
        pairs: rows of `hc3.csv`.
        detector: passages whose two versions the detector learns from.
        window: human texts whose scores give the window.
        tail: share of human texts on either side of the window.
        strength: inverse penalty of the detector.
        passages: checksum of the committed passages.
        layers: numbers of the blocks that have an SAE.
        autoencoders: checksums of the committed SAEs.
    """

    seed: int = 0
    version: int = 2
    prompts: int = 96
    pairs: int = 600
    detector: int = 1000
    window: int = 400
    tail: float = 0.05
    strength: float = 0.003
    passages: str = passages.SHA256
    layers: tuple[int, ...] = autoencoder.AutoencoderRecipe().layers
    autoencoders: tuple[str, ...] = field(default_factory=autoencoder.checksums)


def build(recipe: Recipe, data_dir: Path, answers_dir: Path) -> dict[str, float]:
    """Write prompts, pairs, settings, SAEs and the detector into `data_dir`; references and detector into the answers.

    Returns:
        `ceiling`: the score of the human texts themselves; `ceiling_window`: their share inside the window;
        `machine`: the score of the model's unsteered texts in the committed table.
    """
    import pandas as pd

    need("sae_lens", purpose="building the miniature of task 3")
    test, pairs, training, calibration = assign(passages.load(), recipe)
    probe = Probe.fit(
        load_encoder(max(LEVELS)), _human_texts(training), [p.machine_text for p in training], recipe.strength
    )  # fmt: skip
    low, high = np.quantile(probe.score(_human_texts(calibration)), [recipe.tail, 1 - recipe.tail])
    for folder in (data_dir, answers_dir):
        write_detector(probe, Window(float(low), float(high)), folder / "detector")
    prompts = [p.prompt for p in test]
    pd.DataFrame({"prompt": prompts}).to_csv(data_dir / "test.csv", index=False)
    _write_pairs(pairs, data_dir / "hc3.csv")
    Settings("smollm2-135m", recipe.layers, passages.SAMPLING).write(data_dir)
    for layer in recipe.layers:
        autoencoder.committed(layer).save_model(sae_folder(data_dir, layer))
    answers = files.submission(prompts, _human_texts(test))
    answers.to_csv(answers_dir / "answers.csv", index=False)
    human = files.grade(answers, answers_dir)
    machine = files.grade(files.submission(prompts, [p.machine_text for p in test]), answers_dir)
    return {"ceiling": human.score, "ceiling_window": human.parts["window"], "machine": machine.score}


def assign(texts: Sequence[Passage], recipe: Recipe) -> tuple[list[Passage], ...]:
    """Return the passages of the test, of the pairs, of the detector and of the window; none is in two of them."""
    rng = np.random.default_rng((recipe.seed, 3))
    test_pool, others = passages.pools(texts)
    test = [test_pool[i] for i in rng.permutation(len(test_pool))[: recipe.prompts]]
    order = rng.permutation(len(others))
    ends = np.cumsum([recipe.pairs, recipe.detector, recipe.window])
    return test, *([others[i] for i in part] for part in np.split(order[: ends[-1]], ends[:-1]))


def _human_texts(texts: Sequence[Passage]) -> list[str]:
    return [p.human_text for p in texts]


def _write_pairs(pairs: Sequence[Passage], path: Path) -> None:
    """Write HC3's columns; answers are lists written as text, as HC3's are."""
    import pandas as pd

    rows = [(p.prompt, str([p.human]), str([p.machine]), "addresses") for p in pairs]
    pd.DataFrame(rows, columns=["question", "human_answers", "chatgpt_answers", "source"]).to_csv(path, index=False)
