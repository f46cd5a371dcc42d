import pytest
from hypothesis import given
from hypothesis import strategies as st

from neoai_utils import parameters
from neoai_utils.errors import ParameterError

CELL = """
data_dir: str = ""  # folder
seed: int = 42  # seed
threshold: float = None  # None: chosen on the validation images
flip: bool = True  # average over mirror images
mode: str = "fast"
"""


def notebook(injected: str = "") -> dict:
    """Do what a kernel does: run the parameters cell, then papermill's injected cell, and keep the history."""
    namespace: dict = {"In": ["", CELL]}
    exec(CELL, namespace)
    if injected:
        source = "# Parameters\n" + injected
        exec(source, namespace)
        namespace["In"].append(source)
    namespace["In"].append("parameters.check(globals())")
    return namespace


@pytest.mark.parametrize(
    "injected",
    ["", "threshold = 0.4", "threshold = 1", "threshold = None", "seed = 7\nflip = False", 'data_dir = "x"'],
)
def test_right_values_pass(injected: str) -> None:
    parameters.check(notebook(injected), between={"threshold": (0, 1)}, one_of={"mode": ["fast", "exact"]})


@pytest.mark.parametrize(
    ("injected", "message"),
    [
        ("treshold = 0.4", "unknown parameter 'treshold': did you mean threshold?"),
        ("xyz = 1", "unknown parameter 'xyz'; known are data_dir, flip, mode, seed, threshold"),
        ('threshold = "high"', r"threshold must be a number \(float\), got 'high' \(str\)"),
        ("threshold = True", "threshold must be a number"),
        ("seed = 1.5", "seed must be a whole number"),
        ("seed = True", "seed must be a whole number"),
        ('flip = "true"', "flip must be True or False"),
        ("data_dir = 3", "data_dir must be text"),
        ("threshold = 1.5", "threshold must lie between 0 and 1, got 1.5"),
        ("threshold = float('nan')", "threshold must lie between"),
        ('mode = "fsat"', "unknown value for mode: 'fsat': did you mean fast?"),
    ],
)
def test_wrong_values_are_refused(injected: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        parameters.check(notebook(injected), between={"threshold": (0, 1)}, one_of={"mode": ["fast", "exact"]})


def test_variables_of_a_person_at_the_keyboard_do_not_matter() -> None:
    namespace = notebook()
    namespace["scratch"] = object()
    parameters.check(namespace)


def test_only_the_newest_injected_cell_counts() -> None:
    namespace = notebook("seed = 7")
    namespace["In"].insert(1, "# Parameters\nfrom_another_life = 1")
    parameters.check(namespace)


@pytest.mark.parametrize("cell", ["seed = 42", "seed: 'list[int]' = None"])
def test_a_cell_without_plain_types_is_refused(cell: str) -> None:
    namespace: dict = {}
    exec(cell, namespace)
    with pytest.raises(ParameterError, match="must declare every parameter"):
        parameters.check(namespace)


@given(st.floats(0, 1))
def test_every_number_in_range_passes(value: float) -> None:
    parameters.check(notebook(f"threshold = {value!r}"), between={"threshold": (0, 1)})


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int", "-3", -3), ("float", "3", 3.0), ("float", "1e-3", 0.001), ("str", "3", "3"), ("str", "", ""),
        ("bool", "True", True), ("bool", "false", False), ("int", "None", None), ("str", "None", None),
    ],
)  # fmt: skip
def test_typed_values_are_read_as_declared(kind, text, value) -> None:
    found = parameters.parse("x", kind, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("int", "1.0", r"x must be a whole number \(int\), got '1.0'"),
        ("float", "high", r"x must be a number \(float\), got 'high'"),
        ("bool", "1", r"x must be True or False \(bool\), got '1'"),
        ("list", "1", "x is declared as 'list'; a parameter's type is one of int, float, str, bool"),
    ],
)
def test_typed_values_of_another_type_are_refused(kind, text, message) -> None:
    with pytest.raises(ParameterError, match=message):
        parameters.parse("x", kind, text)
