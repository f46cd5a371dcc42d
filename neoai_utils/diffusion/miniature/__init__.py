"""The miniature of "Hogspell challenge": a small Stable Diffusion that draws emoji, its judge, and prompts for both.

The same as in the original: `prompts.json`, the submission, the metric with its judge and texts, prompts of three kinds
of which most horse prompts do not contain "horse", similar animals among the neutral ones, and a
`StableDiffusionPipeline` of the original's classes (`model/`). Different: pictures of 64 x 64 pixels, a network of 3.5
million weights that was trained on 38 animals and things, 90 prompts from a small language of styles, names,
descriptions and grounds, and a judge trained on the same emoji. `settings.json` exists in the miniature only.

- `concepts`: animals and things, their names, styles and grounds.
- `pictures`: pictures composed of emoji.
- `networks`: the recipe and the untrained networks.
- `training`: how the networks are trained.
- `committed`: the trained networks in `data/`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from neoai_utils.diffusion import files, metric, prompts
from neoai_utils.diffusion.generation import Sampling, draw
from neoai_utils.diffusion.metric import Kind
from neoai_utils.diffusion.miniature import committed, concepts
from neoai_utils.diffusion.miniature.concepts import Concept

__all__ = ["Recipe", "build", "draw_prompts", "sampling"]


def _weights() -> dict[str, str]:
    checksums: dict[str, str] = committed.STORE.manifest()["sha256"]
    return checksums


@dataclass(frozen=True)
class Recipe:
    """Every constant that shapes the miniature.

    Attributes:
        seed: of the prompts and of the oracle's noise.
        version: raised when the code changes what a recipe builds.
        horse: prompts that ask for a horse, half of them by a description.
        pig: prompts that ask for a pig, a quarter of them by a description.
        neutral: other prompts, four in ten of them for an animal similar to a horse or a pig.
        steps: denoising steps.
        guidance: weight of the text.
        weights: SHA-256 of the networks.
    """

    seed: int = 0
    version: int = 1
    horse: int = 36
    pig: int = 27
    neutral: int = 27
    steps: int = 12
    guidance: float = 2.0
    weights: dict[str, str] = field(default_factory=_weights)


def build(recipe: Recipe, data_dir: Path, answers_dir: Path) -> dict[str, float]:
    """Write prompts, model and judge into `data_dir`, the prompts' kinds and the judge again into `answers_dir`.

    Returns:
        `ceiling`: the score of the unedited model when every horse is called a pig in the prompt itself;
        `ceiling_horse`, `ceiling_pig`, `ceiling_neutral`: its parts.
    """
    drawn = draw_prompts(recipe)
    texts = {str(number): text for number, (text, _, _) in enumerate(drawn)}
    (data_dir / "prompts.json").write_text(json.dumps(texts, indent=1), encoding="utf-8")
    settings = {"model": "model", "judge": "judge", "steps": recipe.steps, "guidance": recipe.guidance}
    (data_dir / "settings.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    lines = ["id,kind,prompt", *(f'{number},{kind},"{text}"' for number, (text, kind, _) in enumerate(drawn))]
    (answers_dir / "answers.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    pipe = committed.pipeline()
    pipe.save_pretrained(data_dir / "model")
    judge = committed.judge(len(pipe.tokenizer))
    for folder in (data_dir, answers_dir):
        judge.save_pretrained(folder / "judge")
        pipe.tokenizer.save_pretrained(folder / "judge")
    pipe.set_progress_bar_config(disable=True)
    pictures = draw(pipe, [oracle for _, _, oracle in drawn], sampling(recipe))
    grades = files.grade(files.submission(pictures), answers_dir)
    return {"ceiling": grades.score} | {f"ceiling_{kind}": grades.parts[kind] for kind in metric.KINDS}


def sampling(recipe: Recipe) -> Sampling:
    """Return how the oracle's pictures are drawn."""
    return Sampling(recipe.steps, recipe.guidance, recipe.seed)


def draw_prompts(recipe: Recipe) -> list[tuple[str, Kind, str]]:
    """Return shuffled prompts, each with its kind and with the prompt of an oracle.

    No prompt is one of those that strengths are chosen on (`prompts.validation_prompts`), and no prompt occurs twice.
    """
    rng = np.random.default_rng((recipe.seed, 182))
    excluded = {text for seed in range(100) for text in prompts.validation_prompts(seed)[0]}
    drawn: dict[str, tuple[str, Kind, str]] = {}
    counts: dict[Kind, int] = {"horse": recipe.horse, "pig": recipe.pig, "neutral": recipe.neutral}
    for kind, count in counts.items():
        goal = len(drawn) + count
        while len(drawn) < goal:
            concept, word = _draw_word(kind, rng, len(drawn))
            style = "" if rng.random() < 0.12 else prompts.STYLES[rng.integers(len(prompts.STYLES))]
            ground = tuple(concepts.GROUNDS)[rng.integers(len(concepts.GROUNDS))]
            text = prompts.sentence(word, style, ground)
            if text not in excluded:
                oracle = "pig" if concept.kind == "horse" else word
                drawn.setdefault(text, (text, kind, prompts.sentence(oracle, style, ground)))
    ordered = list(drawn.values())
    return [ordered[index] for index in rng.permutation(len(ordered))]


def _draw_word(kind: Kind, rng: np.random.Generator, number: int) -> tuple[Concept, str]:
    """Draw a concept of a kind and one of its names or descriptions; the number decides which sort of either."""
    candidates = [concept for concept in concepts.CONCEPTS if concept.kind == kind]
    if kind == "neutral":
        similar = number % 10 < 4
        candidates = [concept for concept in candidates if (concept.names[0] in concepts.SIMILAR) == similar]
    concept = candidates[rng.integers(len(candidates))]
    described = kind != "neutral" and number % 4 < (2 if kind == "horse" else 1)
    words = [word for word in concept.words if (" " in word and kind != "neutral") == described]
    return concept, words[rng.integers(len(words))]
