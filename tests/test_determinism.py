"""Same seed, same bytes: in another process, with other hashes of texts, another global random state, no answers.

Whole notebooks are played twice by `notebooks/test_stories.py`. Here are the parts of final recipes and miniatures
that their own tests do not compare between processes.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent

PLAY = """
import hashlib, json, os, random, sys
from pathlib import Path
import numpy as np
import torch

torch.set_num_threads(1)
ambient = int(sys.argv[1])  # what another library may have left behind must not matter
random.seed(ambient), np.random.seed(ambient)
shas = {}

def note(name, content):
    shas[name] = hashlib.sha256(content).hexdigest()

def note_folder(name, build):
    for part in ("data", "answers"):
        Path(name, part).mkdir(parents=True)
    build(Path(name, "data"), Path(name, "answers"))
    for path in sorted(Path(name).rglob("*")):
        if path.is_file():
            note(path.as_posix(), path.read_bytes())

def steering():
    from neoai_utils.steering import files
    from neoai_utils.steering.generation import Sampling, generate
    from neoai_utils.steering.hooks import adding, steered
    from neoai_utils.steering.learned import learn
    from tests.steering.conftest import WORDS, tiny
    writer = tiny("llama")
    torch.manual_seed(ambient)
    prompts = [" ".join(WORDS[i : i + 5]) for i in range(12)]
    texts = [p + " w1 w2" for p in prompts]
    learnt, _ = learn(writer, prompts, texts, (1, 2), steps=3, learning_rate=0.1, batch=4, seed=5)
    with steered(writer.model, {layer: adding(vector, 2.0) for layer, vector in learnt.items()}):
        texts = generate(writer, prompts, Sampling(new_tokens=6, seed=5, batch=4))
    return files.submission(prompts, texts)

def clustering():
    from sklearn.cluster import KMeans
    from neoai_utils.clustering import agreement, discriminant, files, graph, vectors
    own = np.random.default_rng(0)
    points = vectors.unit((np.eye(8)[np.arange(160) % 8] + 0.5 * own.normal(size=(160, 8))).astype(np.float32))
    space = vectors.whitened(points, 6)
    voters = [KMeans(8, n_init=1, random_state=5 + i).fit_predict(space) for i in range(3)]
    voters.append(graph.reciprocal_clusters(points, 10, 8, 5))
    voters = [discriminant.lda_kmeans(points, voter, 2, 5)[0] for voter in voters]
    voted = KMeans(8, n_init=3, random_state=5).fit_predict(agreement.consensus(voters))
    return files.submission(discriminant.lda_kmeans(points, voted, 2, 5)[0])

def embeddings():
    from neoai_utils.embeddings import contexts, damage, files, ngrams, stacking
    from tests.embeddings.conftest import WORDS, family_table
    table = damage.break_rows(family_table(), 20, 5, spare=range(60))
    case = damage.find(table, WORDS)
    own = np.random.default_rng(1)
    texts = [own.integers(60, len(WORDS), 8).tolist() for _ in range(200)]
    base = ngrams.nearest(ngrams.features(WORDS), case)
    rows = stacking.match_norm(case, contexts.focus(case, texts, base, size=6, seed=5), 0.5)
    fixed = damage.repaired(case, rows)
    note("embeddings, the repaired table", np.ascontiguousarray(fixed).tobytes())
    return files.submission(range(len(texts)), [int(fixed[text].sum(axis=0)[:3].argmax()) for text in texts])

def tabular_miniature(data, answers):
    from neoai_utils.tabular import miniature
    miniature.build(miniature.Recipe(seed=5, hours=4), data, answers)

def continual_miniature(data, answers):
    from neoai_utils.continual import miniature
    from neoai_utils.continual.miniature import drawings
    split = drawings.split
    drawings.split = lambda *words: tuple(p[:, few] for p, few in zip(split(*words), (slice(-12, None), slice(1))))
    miniature._labelled = lambda pool, recipe, rng: [(pool[n, rng.integers(12)], n) for n in drawings.WEAK]
    miniature.build(miniature.Recipe(seed=5), data, answers)

for recipe in (steering, clustering, embeddings):
    note(recipe.__name__, recipe().to_csv(index=False, lineterminator="\\n").encode())
note_folder("tabular", tabular_miniature)
note_folder("continual", continual_miniature)
print(json.dumps(shas))
"""


def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(number)}
        done = subprocess.run(
            [sys.executable, "-c", PLAY, str(number)],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout.splitlines()[-1]))
    assert len(found[0]) > 100
    assert {name for name in found[0] if found[0][name] != found[1].get(name)} == set()


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_notebook_opens_the_answers_before_it_submits(path: Path) -> None:
    """Rows are graded through the workspace; the folder of answers has a name, and it comes after `submit`."""
    cells = [ast.parse(c.source) for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    names = [{n.attr for n in ast.walk(cell) if isinstance(n, ast.Attribute)} for cell in cells]
    texts = ["".join(str(n.value) for n in ast.walk(c) if isinstance(n, ast.Constant)) for c in cells]
    submitted = next(place for place, used in enumerate(names) if "submit" in used)
    assert not any(used & {"answers_dir", "grade_file"} for used in names[:submitted])
    assert not any("answers.csv" in text or "test_targets" in text or "test_masks" in text for text in texts)
