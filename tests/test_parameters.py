import ast

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


def add_cell(namespace: dict, source: str) -> None:
    """Run a cell as IPython does: the source goes into the history, then each statement is compiled alone."""
    namespace["In"].append(source)
    for statement in ast.parse(source).body:
        exec(compile(ast.Module([statement], []), "cell", "exec"), namespace)


def notebook(injected: str = "") -> dict:
    """Do what a kernel does: run the parameters cell, then papermill's injected cell, and keep the history."""
    namespace: dict = {"In": [""]}
    add_cell(namespace, CELL)
    if injected:
        add_cell(namespace, "# Parameters\n" + injected)
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
        ('flip = "yes"', "flip must be True or False"),
        ("flip = 1", "flip must be True or False"),
        ("data_dir = 3", r"data_dir must be text \(str\), got 3 \(int\); .* write -r data_dir TEXT"),
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


@pytest.mark.parametrize(
    ("injected", "name", "value"),
    [
        ('threshold = "1e-3"', "threshold", 1e-3), ('seed = "1e3"', "seed", 1000), ("seed = 500.0", "seed", 500),
        ('flip = "false"', "flip", False), ('threshold = "None"', "threshold", None), ("threshold = 1", "threshold", 1),
        ('data_dir = "None"', "data_dir", ""), ("seed = None", "seed", 42), ("flip = None", "flip", True),
        ("seed = 9007199254740993", "seed", 2**53 + 1),
    ],
)  # fmt: skip
def test_what_reads_as_the_declared_type_is_taken_as_such(injected: str, name: str, value: object) -> None:
    """YAML reads 1e-3 as a text, and papermill reads 500.0 as no whole number; the guard may run again."""
    namespace = notebook(injected)
    for _ in range(2):
        parameters.check(namespace)
        assert namespace[name] == value
        assert type(namespace[name]) is type(value)


def test_a_notebook_that_has_lost_its_tag_is_refused() -> None:
    """papermill then puts the injected cell first, and the parameters cell overwrites it with the defaults."""
    namespace: dict = {"In": [""]}
    add_cell(namespace, "# Parameters\nthreshold = 0.4\n")
    add_cell(namespace, CELL)
    with pytest.raises(ParameterError, match=r"threshold was given as 0.4 but is None.* the tag `parameters`"):
        parameters.check(namespace)


def test_a_value_that_another_cell_overwrites_is_refused() -> None:
    namespace = notebook("seed = 7")
    add_cell(namespace, "seed = 42")
    with pytest.raises(ParameterError, match="seed was given as 7 but is 42"):
        parameters.check(namespace)


def test_a_person_who_runs_the_parameters_cell_again_has_the_last_word() -> None:
    namespace = notebook("seed = 7\nthreshold = 0.4")
    add_cell(namespace, CELL.replace("42", "43"))
    parameters.check(namespace)
    assert namespace["seed"] == 43


def test_declarations_are_read_from_the_source_where_python_keeps_none() -> None:
    """Python 3.14 has no `__annotations__` in a module's globals; magics and scratch cells do not matter."""
    namespace = notebook("seed = 7")
    del namespace["__annotations__"]
    namespace["In"] += ["%matplotlib inline", "x: int = 3\nprint(x)", ""]
    parameters.check(namespace)
    add_cell(namespace, '# Parameters\nseed = "x"')
    with pytest.raises(ParameterError, match="seed must be a whole number"):
        parameters.check(namespace)


def test_without_a_history_the_function_of_python_3_14_is_asked() -> None:
    """PEP 649: called with 1, `__annotate__` returns the annotations as values."""
    namespace = {"__annotate__": {1: {"seed": int, "mode": "str"}}.__getitem__, "seed": "high", "mode": "fast"}
    with pytest.raises(ParameterError, match=r"seed must be a whole number \(int\), got 'high'"):
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
        ("int", "-3", -3), ("int", "1.0", 1), ("int", "1e3", 1000), ("float", "3", 3.0), ("float", "1e-3", 0.001),
        ("str", "3", "3"), ("str", "", ""),
        ("bool", "True", True), ("bool", "false", False), ("int", "None", None), ("str", "None", None),
    ],
)  # fmt: skip
def test_typed_values_are_read_as_declared(kind, text, value) -> None:
    parsed = parameters.parse("x", kind, text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("int", "1.5", r"x must be a whole number \(int\), got '1.5'"),
        ("int", "1e999", r"x must be a whole number \(int\), got '1e999'"),
        ("float", "high", r"x must be a number \(float\), got 'high'"),
        ("bool", "1", r"x must be True or False \(bool\), got '1'"),
        ("list", "1", "x is declared as 'list'; a parameter's type is one of int, float, str, bool"),
    ],
)
def test_typed_values_of_another_type_are_refused(kind, text, message) -> None:
    with pytest.raises(ParameterError, match=message):
        parameters.parse("x", kind, text)


def test_values_are_read_as_the_types_that_a_cell_declares() -> None:
    values = parameters.read_values(CELL, {"seed": ["7", "1e3", "None"], "mode": ["1"], "flip": []})
    assert values == {"seed": [7, 1000, None], "mode": ["1"], "flip": []}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"sede": ["1"]}, "unknown parameter 'sede': did you mean seed?"),
        ({"seed": ["1", "high"]}, r"seed must be a whole number \(int\), got 'high'"),
    ],
)
def test_values_for_another_name_or_of_another_type_are_refused(texts, message) -> None:
    with pytest.raises(ParameterError, match=message):
        parameters.read_values(CELL, texts)


VALUES = st.one_of(
    st.integers(-(10**6), 10**6), st.floats(-1e6, 1e6), st.text(max_size=9), st.booleans(), st.none()
)  # fmt: skip
FITS = {
    "int": lambda v: type(v) is int, "float": lambda v: type(v) in (int, float),
    "str": lambda v: type(v) is str, "bool": lambda v: type(v) is bool,
}  # fmt: skip


@given(st.sampled_from(sorted(FITS)), VALUES)
def test_a_value_passes_just_when_it_has_the_declared_type(kind: str, value: object) -> None:
    """Any value of any type, against a table of types; None passes always."""
    namespace = {"__annotations__": {"x": kind}, "x": value}
    reads = kind == "int" and isinstance(value, float) and value.is_integer()
    if isinstance(value, str):
        try:
            parameters.parse("x", kind, value)
            reads = True
        except ParameterError:
            pass
    if value is None or reads or FITS[kind](value):
        parameters.check(namespace)
        assert namespace["x"] is None or FITS[kind](namespace["x"])
    else:
        with pytest.raises(ParameterError, match=r"x must be .*, got"):
            parameters.check(namespace)


@given(st.sampled_from(sorted(FITS)), VALUES)
def test_what_is_typed_is_what_was_meant(kind: str, value: object) -> None:
    """A value written as text and read as its type is the value; what is read always passes the guard."""
    try:
        parsed = parameters.parse("x", kind, str(value))
    except ParameterError:
        assert not FITS[kind](value)
        return
    parameters.check({"__annotations__": {"x": kind}, "x": parsed})
    if FITS[kind](value) and value != "None":
        assert parsed == value


@given(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.floats(), st.floats(-5, 5), st.floats(0, 5))
def test_unknown_names_and_numbers_out_of_range_never_pass(name: str, value: float, low: float, width: float) -> None:
    namespace = notebook()
    namespace["threshold"] = value
    between = {"threshold": (low, low + width)}
    if low <= value <= low + width:
        parameters.check(namespace, between=between)
    else:
        with pytest.raises(ParameterError, match="threshold must lie between"):
            parameters.check(namespace, between=between)
    if name not in namespace["__annotations__"]:
        namespace["In"].append(f"# Parameters\n{name} = 1")
        with pytest.raises(ParameterError, match=f"unknown parameter '{name}'"):
            parameters.check(namespace)
