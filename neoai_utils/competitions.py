"""The eight competitions of NEOAI 2025 as data: names, files, metrics, scores on record, and needs on Kaggle.

The scores are those of the public write-up `stefanasandei/roai-solved` (international-contests/neoai/2025):
the organisers' baseline, that author's published solution, and the best of the leaderboard. The slugs are those
of `open-cu/awesome-ioai-tasks` and of the public notebooks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from neoai_utils.errors import UnknownTaskError, did_you_mean

__all__ = ["ABSENT", "COMPETITIONS", "Competition", "Needs", "find"]

ABSENT = frozenset({"gguf", "hassil", "open_clip", "sae_lens", "seqeval"})  # import names that Kaggle's image lacks


@dataclass(frozen=True)
class Needs:
    """What a notebook needs on Kaggle to play the competition's own files.

    Attributes:
        gpu: it trains or runs a network that takes hours on a CPU.
        online: what it downloads; empty: nothing.
        attach: what a user should attach on Kaggle beside the competition, in a sentence or two.
        optional: import names of packages that it can do without.
        unused: import names of packages that its modules import and that it uses only where answers are known.
        conditions: import name -> condition in Python, for packages that it uses with some parameters only.
    """

    gpu: bool = False
    online: str = ""
    attach: str = ""
    optional: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    conditions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Competition:
    """One competition.

    Attributes:
        task: its name in this project, "task1" … "task8".
        title: the organisers' title.
        slug: the last part of its Kaggle address; Kaggle mounts its files under `/kaggle/input/<slug>`.
        technique: the folder of `neoai_utils` that holds its code.
        metric: the metric in words.
        higher_is_better: False for an error.
        baseline: leaderboard score of the organisers' baseline.
        published: leaderboard score of the published solution; None where there is none.
        best: best score of the leaderboard.
        needs: what its notebook needs on Kaggle.
    """

    task: str
    title: str
    slug: str
    technique: str
    metric: str
    higher_is_better: bool
    baseline: float
    published: float | None
    best: float
    needs: Needs

    @property
    def number(self) -> int:
        """Return the task's number, 1 to 8."""
        return int(self.task.removeprefix("task"))


_SLUG = "neoai-2025-"
_ALL = (
    Competition(
        "task1", "Tricy table data", _SLUG + "tricy-table-data", "tabular",
        "fourth root of the mean squared error", False, 3.14, 2.95, 2.24, Needs(),
    ),
    Competition(
        "task2", "Underfitting CV", _SLUG + "underfitting-cv", "continual",
        "accuracy", True, 0.53, 0.72, 0.78, Needs(gpu=True),
    ),
    Competition(
        "task3", "Evading AI-generated text detection", _SLUG + "evading-generated-text-detection", "steering",
        "share of texts in the human window with their content kept", True, 0.07, None, 0.32,
        Needs(
            gpu=True,
            online="google/gemma-2-2b, the detector and MiniLM",
            attach="Gemma's licence must be accepted: on Kaggle, attach the model google/gemma-2 (framework "
            "Transformers, variation gemma-2-2b), which is found automatically, or add a secret HF_TOKEN. Attach "
            "hc3.csv as a dataset, too.",
            unused=("gguf",),
            conditions={"sae_lens": "ladder"},
        ),
    ),
    Competition(
        "task4", "Cluster pictures", _SLUG + "cluster-pictures", "clustering",
        "adjusted Rand index", True, 0.02, 0.08, 0.11, Needs(
            online="TinyViT, else EfficientNet-Lite0",
            attach="Without internet, attach the files of timm/tiny_vit_5m_224.dist_in22k_ft_in1k as a dataset and "
            "name their folder in the parameter network.",
        ),
    ),
    Competition(
        "task5", "Broken BERT", _SLUG + "broken-bert", "embeddings",
        "accuracy", True, 0.36, 0.42, 0.44, Needs(online="the broken BERT"),
    ),
    Competition(
        "task6", "Hogspell challenge", _SLUG + "hogspell-challenge", "diffusion",
        "harmonic mean of three accuracies", True, 0.40, 0.93, 0.99,
        Needs(
            gpu=True,
            online="Stable Diffusion 1.5 and the judge",
            attach="Instead, a model or dataset that holds the pipeline (a folder stable-diffusion-v1-5 with "
            "model_index.json) can be attached; a folder of another name goes into the parameter model.",
            optional=("open_clip",),
            conditions={"open_clip": 'str(judge).startswith(("given", "open_clip:"))'},
        ),
    ),
    Competition(
        "task7", "Cuties segmentation", _SLUG + "cuties-segmentation", "segmentation",
        "mean intersection over union", True, 0.36, 0.78, 0.73,
        Needs(
            gpu=True,
            online="CLIP, unless it is attached as a model",
            conditions={"open_clip": 'str(backbone).startswith("open_clip:")'},
        ),
    ),
    Competition(
        "task8", "Intent detection and slot filling", _SLUG + "intent-detection-and-slot-filling", "crosslingual",
        "mean of two weighted F1 scores", True, 0.29, 0.34, 0.58,
        Needs(gpu=True, online="the encoder", unused=("seqeval",)),
    ),
)  # fmt: skip
COMPETITIONS: Mapping[str, Competition] = MappingProxyType({c.task: c for c in _ALL})


def find(task: str | int) -> Competition:
    """Return the competition named `"task7"`, `"7"` or `7`.

    Raises:
        UnknownTaskError: there is no such task; the message suggests the closest one.
    """
    word = str(task).strip().lower()
    name = f"task{word}" if word.isdigit() else word
    if name not in COMPETITIONS:
        hint = f"; tasks are 1 to {len(COMPETITIONS)}" if word.isdigit() else did_you_mean(name, COMPETITIONS)
        raise UnknownTaskError(f"unknown task {task!r}{hint}")
    return COMPETITIONS[name]
