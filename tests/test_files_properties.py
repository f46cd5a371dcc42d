"""Files, submissions and metrics of all eight tasks under made-up data: no damage surprises, no number is odd."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from sklearn.metrics import accuracy_score, jaccard_score, mean_absolute_error, mean_squared_error

from neoai_utils import submissions, workspace
from neoai_utils.clustering import files as clustering
from neoai_utils.continual import files as continual
from neoai_utils.continual import metric as continual_metric
from neoai_utils.crosslingual import files as crosslingual
from neoai_utils.crosslingual import metric as crosslingual_metric
from neoai_utils.crosslingual.utterances import Utterance
from neoai_utils.diffusion import files as diffusion
from neoai_utils.diffusion import metric as diffusion_metric
from neoai_utils.embeddings import files as embeddings
from neoai_utils.embeddings import metric as embeddings_metric
from neoai_utils.errors import DataError
from neoai_utils.segmentation import files as segmentation
from neoai_utils.segmentation import metric as segmentation_metric
from neoai_utils.steering import files as steering
from neoai_utils.tabular import files as tabular
from tests.eight import PROMPTS, SMALL, TASKS, files_of

SPLINTERS = (b"", b"\0", b"\xff", b"nan", b"inf", b"-1", b"1e999", b"9" * 30, b"1.5", b",", b'"', b"\n", b"\r", b"\t", b"[", b"{", b"null")  # fmt: skip  # noqa: E501
Scratch = Callable[[], Path]


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Return a function that cuts a file short, or replaces up to twenty bytes here and there, by what is disliked."""
    kind = draw(st.sampled_from(["cut", "splinter", "noise"]))
    hits = draw(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 20)), min_size=1, max_size=3))
    pieces = st.sampled_from(SPLINTERS) if kind == "splinter" else st.binary(min_size=1, max_size=4)
    new = [draw(pieces) for _ in hits]

    def damage(content: bytes) -> bytes:
        for (where, length), piece in zip(hits, new, strict=True):
            place = int(where * len(content))
            content = content[:place] + (b"" if kind == "cut" else piece + content[place + length :])
        return content

    return damage


@pytest.fixture(scope="module", params=TASKS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A task with its files in `data/`, and its answers in `answers/` where grading needs no model."""
    folder = tmp_path_factory.mktemp(request.param)
    for part in ("data", "answers"):
        (folder / part).mkdir()
    small = SMALL[request.param]
    small.write(folder / "data")
    if small.answers is not None:
        small.answers(folder / "answers")
    return request.param, folder


@settings(max_examples=100, derandomize=True)
@given(damage=damages(), number=st.integers(0, 1000))
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_read_or_refused(case: tuple[str, Path], damage, number: int) -> None:
    """Whatever happens to one file, `read` gives data or `DataError`; the message says which file is meant."""
    task, folder = case
    paths = sorted(path for path in (folder / "data").rglob("*") if path.is_file())
    path = paths[number % len(paths)]
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    try:
        files_of(task).read(folder / "data")
    except DataError as error:
        assert str(folder) in str(error)
    finally:
        path.write_bytes(whole)


@settings(max_examples=100, derandomize=True)
@given(damage=damages())
@pytest.mark.filterwarnings("ignore")
def test_damaged_submissions_are_graded_or_refused(case: tuple[str, Path], damage) -> None:
    """What passes the check can be graded; all else is refused with `DataError`."""
    task, folder = case
    path, files = folder / "submission.csv", files_of(task)
    SMALL[task].right().to_csv(path, index=False)
    path.write_bytes(damage(path.read_bytes()))
    try:
        frame = files.parse_submission(path)
        files.check_submission(frame, folder / "data")
    except DataError:
        return
    if SMALL[task].answers is not None:
        grades = files.grade(frame, folder / "answers")
        assert all(math.isfinite(value) for value in (grades.score, *grades.parts.values()))


LOOKS_EMPTY = st.sampled_from(
    ["nan", "None", "NA", "null", "N/A", "NULL", "-", " x ", '"', "\r", "\r\n", "a\rb", "1e3", "007"]
)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | LOOKS_EMPTY
TAGS = st.sampled_from(["O", "B-genre", "I-genre", "B-time"])
PIXELS = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))
WRITERS: dict[str, st.SearchStrategy[pd.DataFrame]] = {
    "task1": arrays(float, 6, elements=st.floats(-1e6, 1e6)).map(lambda y: tabular.submission(np.arange(6), y)),
    "task2": arrays(int, 3, elements=st.integers(0, 101)).map(
        lambda c: continual.submission(["c.png", "d.png", "e.png"], c)
    ),
    "task3": st.tuples(TEXT, TEXT).map(
        lambda ends: steering.submission(PROMPTS, [p + end for p, end in zip(PROMPTS, ends, strict=True)])
    ),
    "task4": arrays(int, 3, elements=st.integers(0, 31)).map(clustering.submission),
    "task5": arrays(int, 3, elements=st.integers(0, 2)).map(lambda c: embeddings.submission([5, 6, 7], c)),
    "task6": st.lists(PIXELS.map(Image.fromarray), min_size=3, max_size=3).map(diffusion.submission),
    "task7": st.lists(arrays(bool, (16, 24)), min_size=2, max_size=2).map(lambda m: segmentation.submission([0, 1], m)),
    "task8": st.tuples(st.lists(TEXT.filter(str.strip), min_size=2, max_size=2), TAGS, TAGS, TAGS).map(
        lambda x: crosslingual.submission(x[0], [[x[1], x[2]], [x[3]]])
    ),
}


@settings(max_examples=30)
@given(data=st.data())
def test_submissions_survive_the_file(case: tuple[str, Path], data: st.DataObject) -> None:
    """Every submission that a task can write is accepted, read back as it was, and can be written again."""
    task, folder = case
    files, path = files_of(task), folder / "submission.csv"
    frame = data.draw(WRITERS[task])
    files.check_submission(frame, folder / "data")
    submissions.write_submission(frame, path)
    back = files.parse_submission(path)
    files.check_submission(back, folder / "data")
    submissions.check_same(frame, back)
    pd.testing.assert_frame_equal(back, frame.reset_index(drop=True), check_dtype=False, rtol=0, atol=0)
    assert len(pd.read_csv(path)) == len(frame), "a stranger's reader finds the same rows"
    submissions.write_submission(back, path)
    pd.testing.assert_frame_equal(files.parse_submission(path), back, rtol=0, atol=0)


IDS = {"task1": "id", "task4": "id", "task5": "id", "task6": "id", "task7": "img_id", "task8": "id"}


@pytest.mark.parametrize("kind", ["float64", "float32", "Int64", "str", "object", "category", "uint8"])
@pytest.mark.parametrize("task", IDS)
def test_the_type_of_the_ids_changes_no_byte(task: str, kind: str, tmp_path: Path) -> None:
    """What a merge, a reindex or a file leaves of whole numbers is written as whole numbers, whatever the index."""
    (tmp_path / "data").mkdir()
    SMALL[task].write(tmp_path / "data")
    opened = workspace.open_workspace(task, tmp_path / "data", tmp_path / "out")
    opened.submit(SMALL[task].right())
    before = (tmp_path / "out/submission.csv").read_bytes()
    frame = SMALL[task].right()
    opened.submit(frame.astype({IDS[task]: kind}).set_index(pd.Index([0] * len(frame))))
    assert (tmp_path / "out/submission.csv").read_bytes() == before


# --------------------------------------------------------------------- the metrics, against scikit-learn or plain loops


@settings(max_examples=30)
@given(arrays(float, 6, elements=st.floats(-1e3, 1e3)), st.permutations(range(6)))
def test_tabular_metric(tmp_path_factory: pytest.TempPathFactory, given_: np.ndarray, order: list[int]) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / tabular.ANSWERS).write_text("id,target\n" + "".join(f"{i},{i}\n" for i in range(6)))
    grades = tabular.grade(tabular.submission(np.arange(6), given_).iloc[order], folder)
    truth = np.arange(6)
    assert grades.score == pytest.approx(mean_squared_error(truth, given_) ** 0.25)
    assert grades.parts["rmse"] == pytest.approx(mean_squared_error(truth, given_) ** 0.5)
    assert grades.parts["mae"] == pytest.approx(mean_absolute_error(truth, given_))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=40), st.data())
def test_continual_metric(rows: list[tuple[int, int]], data: st.DataObject) -> None:
    given_, truth = np.array(rows).T
    weak = data.draw(arrays(bool, len(rows)).filter(lambda part: part.any() and not part.all()))
    grades = continual_metric.grade(given_, truth, weak)
    old, new = (accuracy_score(truth[part], given_[part]) for part in (~weak, weak))
    assert grades.score == pytest.approx(accuracy_score(truth, given_))
    assert grades.parts == pytest.approx({"old": old, "weak": new, "mean": (old + new) / 2})


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=12))
def test_clustering_metric(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int]]) -> None:
    """The adjusted Rand index by counting pairs (Hubert & Arabie 1985), the mutual information by its definition."""
    folder = tmp_path_factory.getbasetemp()
    truth, labels = zip(*rows, strict=True)
    pd.DataFrame({"id": range(len(rows)), "source": truth}).to_csv(folder / "answers.csv", index=False)
    grades = clustering.grade(clustering.submission(np.array(labels)), folder)
    pairs = list(combinations(rows, 2))
    both = sum(a == b for a, b in pairs)
    one, other = sum(a[0] == b[0] for a, b in pairs), sum(a[1] == b[1] for a, b in pairs)
    chance = one * other / len(pairs)
    top = (one + other) / 2 - chance
    assert grades.score == pytest.approx((both - chance) / top if top else 1.0)

    def entropy(values: object) -> float:
        return -sum(n / len(rows) * math.log(n / len(rows)) for n in Counter(values).values())

    parts = entropy(truth), entropy(labels)
    shared = sum(parts) - entropy(rows)
    if shared > 1e-9:
        assert grades.parts["nmi"] == pytest.approx(shared / (sum(parts) / 2))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_embeddings_metric(rows: list[tuple[int, int]]) -> None:
    classes, truth = np.array(rows).T
    grades = embeddings_metric.grade(classes, truth)
    assert grades.score == pytest.approx((classes == truth).mean())
    assert grades.parts["macro_f1"] == pytest.approx(
        statistics.mean(f1(rows, k) for k in {k for row in rows for k in row})
    )


def f1(rows: list, label: object) -> float:
    """Return 2 TP / (2 TP + FP + FN) of (given, true) pairs."""
    hits = sum(given_ == true == label for given_, true in rows)
    return 2 * hits / sum((given_ == label) + (true == label) for given_, true in rows)


@given(st.lists(st.tuples(st.sampled_from(diffusion_metric.KINDS), st.booleans()), max_size=30))
def test_diffusion_metric(rows: list) -> None:
    rows = [*rows, *product(diffusion_metric.KINDS, [True])]  # every kind occurs, and is right once
    grades = diffusion_metric.grade([kind for kind, _ in rows], np.array([right for _, right in rows]))
    parts = [statistics.mean(right for kind, right in rows if kind == wanted) for wanted in diffusion_metric.KINDS]
    assert grades.score == grades.parts["official"] == pytest.approx(statistics.harmonic_mean(parts))
    assert [grades.parts[kind] for kind in diffusion_metric.KINDS] == pytest.approx(parts)


@settings(max_examples=40)
@given(arrays(bool, (3, 2, 5, 7)))
def test_segmentation_metric(masks: np.ndarray) -> None:
    parts = [jaccard_score(truth.ravel(), prediction.ravel(), zero_division=1.0) for prediction, truth in masks]
    assert segmentation_metric.mean_iou(masks[:, 0], masks[:, 1]) == pytest.approx(np.mean(parts))


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("abc"), TAGS, TAGS), min_size=1, max_size=15))
def test_crosslingual_metric(rows: list) -> None:
    truth = [Utterance(("word",), intent, (tag,)) for intent, _, tag, _ in rows]
    predictions = [Utterance(("word",), intent, (tag,)) for _, intent, _, tag in rows]
    grades = crosslingual_metric.grade(predictions, truth)

    def weighted(pairs: list) -> float:
        return sum(count * f1(pairs, label) for label, count in Counter(true for _, true in pairs).items()) / len(pairs)

    intent, slot = weighted([(row[1], row[0]) for row in rows]), weighted([(row[3], row[2]) for row in rows])
    assert (grades.parts["intent"], grades.parts["slot"]) == pytest.approx((intent, slot))
    assert grades.score == pytest.approx((intent + slot) / 2)


@given(PIXELS)
def test_pictures_survive_the_submission(pixels: np.ndarray) -> None:
    assert np.array_equal(np.asarray(diffusion.decoded(diffusion.encoded(Image.fromarray(pixels)))), pixels)
