"""The miniature of "Hogspell challenge": a small Stable Diffusion that draws emoji, its judge, and prompts for both.

What is as in the original: `prompts.json`, the submission, the metric with its judge and texts, prompts of three kinds
of which most horse prompts do not say "horse", near traps among the neutral ones, and a `StableDiffusionPipeline` of
the original's classes (`model/`). What differs: pictures of 64 x 64 pixels, a network of 3.5 million weights that knows
38 animals and things, 90 prompts out of a small language of styles, names, descriptions and grounds, and a judge that
learnt from the same emoji. `settings.json` is the miniature's own file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from neoai_utils.diffusion import files, prompts
from neoai_utils.diffusion.files import Kind
from neoai_utils.diffusion.generation import Sampling, draw
from neoai_utils.diffusion.miniature import concepts, training
from neoai_utils.diffusion.miniature.concepts import Concept

__all__ = ["Recipe", "build", "deal", "sampling"]


def _weights() -> dict[str, str]:
    checksums: dict[str, str] = training.manifest()["sha256"]
    return checksums


@dataclass(frozen=True)
class Recipe:
    """Every constant that shapes the miniature.

    Attributes:
        seed: of the deal of prompts.
        horse: prompts that ask for a horse, half of them by a description.
        pig: prompts that ask for a pig, a quarter of them by a description.
        neutral: other prompts, four in ten of them near traps.
        steps: denoising steps.
        guidance: weight of the text.
        weights: checksums of the networks.
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
    dealt = deal(recipe)
    texts = {str(number): text for number, (text, _, _) in enumerate(dealt)}
    (data_dir / "prompts.json").write_text(json.dumps(texts, indent=1), encoding="utf-8")
    settings = {"model": "model", "judge": "judge", "steps": recipe.steps, "guidance": recipe.guidance}
    (data_dir / "settings.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    lines = ["id,kind,prompt", *(f'{number},{kind},"{text}"' for number, (text, kind, _) in enumerate(dealt))]
    (answers_dir / "answers.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    pipe = training.committed_pipeline()
    pipe.save_pretrained(data_dir / "model")
    judge = training.committed_judge(pipe.tokenizer)
    for folder in (data_dir, answers_dir):
        judge.save_pretrained(folder / "judge")
        pipe.tokenizer.save_pretrained(folder / "judge")
    pipe.set_progress_bar_config(disable=True)
    drawn = draw(pipe, [oracle for _, _, oracle in dealt], sampling(recipe))
    found = files.grade(files.submission(drawn), answers_dir)
    return {"ceiling": found["strict"]} | {f"ceiling_{kind}": found[kind] for kind in files.KINDS}


def sampling(recipe: Recipe) -> Sampling:
    """Return how the oracle's pictures are drawn."""
    return Sampling(recipe.steps, recipe.guidance, recipe.seed)


def deal(recipe: Recipe) -> list[tuple[str, Kind, str]]:
    """Return shuffled prompts, each with its kind and with what an oracle would ask for.

    No prompt is one of those that strengths are chosen on (`prompts.check_prompts`), and none comes twice.
    """
    rng = np.random.default_rng((recipe.seed, 182))
    own = {text for seed in range(100) for text in prompts.check_prompts(seed)[0]}
    found: dict[str, tuple[str, Kind, str]] = {}
    counts: dict[Kind, int] = {"horse": recipe.horse, "pig": recipe.pig, "neutral": recipe.neutral}
    for kind, count in counts.items():
        goal = len(found) + count
        while len(found) < goal:
            concept, word = _word(kind, rng, len(found))
            style = "" if rng.random() < 0.12 else prompts.STYLES[rng.integers(len(prompts.STYLES))]
            ground = tuple(concepts.GROUNDS)[rng.integers(len(concepts.GROUNDS))]
            text = prompts.sentence(word, style, ground)
            if text not in own:
                oracle = "pig" if concept.kind == "horse" else word
                found.setdefault(text, (text, kind, prompts.sentence(oracle, style, ground)))
    dealt = list(found.values())
    return [dealt[place] for place in rng.permutation(len(dealt))]


def _word(kind: Kind, rng: np.random.Generator, number: int) -> tuple[Concept, str]:
    """Draw a concept of a kind and what it is called: by name or by description, a near trap or not."""
    known = [concept for concept in concepts.CONCEPTS if concept.kind == kind]
    if kind == "neutral":
        trap = number % 10 < 4
        known = [concept for concept in known if (concept.names[0] in concepts.TRAPS) == trap]
    concept = known[rng.integers(len(known))]
    described = kind != "neutral" and number % 4 < (2 if kind == "horse" else 1)
    words = [word for word in concept.words if (" " in word and kind != "neutral") == described]
    return concept, words[rng.integers(len(words))]
