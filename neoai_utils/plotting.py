"""The plot style, and figures that several notebooks share. Each function returns a Matplotlib figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

    from neoai_utils.scores import Ladder, Row

__all__ = ["COLOURS", "headroom_chart", "image_grid", "image_table", "ladder_chart", "sweep_chart", "use_style"]

# Okabe and Ito's palette, distinguishable with every form of colour vision (jfly.uni-koeln.de/color)
COLOURS = {
    "baseline": "#999999",
    "published": "#E69F00",
    "ours": "#0072B2",
    "ceiling": "#009E73",
    "idea": "#A6CBE3",
    "alarm": "#D55E00",
}


def use_style() -> None:
    """Set Matplotlib's defaults: small figures, thin grid, no upper and right axis."""
    import matplotlib as mpl
    from cycler import cycler

    mpl.rcParams.update(
        {
            "figure.figsize": (7.0, 3.2),
            "figure.dpi": 90,
            "savefig.dpi": 90,
            "figure.constrained_layout.use": True,
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.alpha": 0.25,
            "image.interpolation": "nearest",
            "axes.prop_cycle": cycler(color=list(COLOURS.values())),
        }
    )


def ladder_chart(ladder: Ladder, ceiling: float | None = None) -> Figure:
    """Draw the ladder's rows as horizontal bars and the ceiling as a line.

    The bars show the score on the hidden answers if every row has one, else the validation metric; the axis names it.
    Whiskers are one standard error wide on either side, where it is known.

    Args:
        ladder: the rows.
        ceiling: score of the oracle; None: no line.
    """
    import matplotlib.pyplot as plt

    graded = all(row.score is not None for row in ladder)
    rows = [row for row in ladder if _value(row, graded) is not None]
    values = [_value(row, graded) or 0.0 for row in rows]
    colours = [COLOURS[row.role or "idea"] for row in rows]
    figure, axes = plt.subplots(figsize=(7.0, 0.9 + 0.27 * len(rows)))
    errors = [(row.error if graded else row.validation_error) or 0.0 for row in rows]
    whiskers = {"ecolor": "#444444", "capsize": 2, "elinewidth": 0.8}
    bars = axes.barh(range(len(rows)), values, color=colours, xerr=errors if any(errors) else None, error_kw=whiskers)
    background = {"facecolor": axes.get_facecolor(), "edgecolor": "none", "pad": 0.8}
    axes.bar_label(bars, fmt="%.3f", padding=3, fontsize=8, bbox=background)  # covers the ceiling's line
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.12)
    better = "higher" if ladder.higher_is_better else "lower"
    axes.set_xlabel(f"{ladder.metric}, {'hidden answers' if graded else 'validation'} ({better} is better)")
    if graded and ceiling is not None:
        axes.axvline(ceiling, color=COLOURS["ceiling"], linestyle="--")
        axes.annotate(
            "ceiling", (ceiling, 1), xycoords=("data", "axes fraction"), xytext=(3, 2),
            textcoords="offset points", color=COLOURS["ceiling"], fontsize=8,
        )  # fmt: skip
    plt.close(figure)  # else the notebook would show it twice
    return figure


def _value(row: Row, graded: bool) -> float | None:
    return row.score if graded else row.validation


def image_grid(
    images: Sequence[NDArray[np.generic]],
    titles: Sequence[str] | None = None,
    columns: int = 6,
    size: float = 1.3,
) -> Figure:
    """Draw images in a grid without axes.

    Args:
        images: each (H, W) grey or boolean, or (H, W, 3) RGB as uint8 or floats in 0..1.
        titles: one text per image.
        columns: images per row.
        size: inches per image.
    """
    import matplotlib.pyplot as plt

    rows = -(-len(images) // columns)
    width = min(columns, len(images))
    figure, grid = plt.subplots(rows, width, figsize=(size * width, (size + 0.22) * rows), squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for index, image in enumerate(images):
        axes = grid.flat[index]
        axes.imshow(image, cmap="gray" if image.ndim == 2 else None)
        if titles is not None:
            axes.set_title(titles[index], fontsize=8)
    plt.close(figure)
    return figure


def image_table(rows: Mapping[str, Sequence[NDArray[np.generic]]], columns: Sequence[str], size: float = 0.8) -> Figure:
    """Draw images as a table: one row for each name, its images under the columns' titles.

    Args:
        rows: name -> as many images as there are columns, in the forms that `image_grid` takes.
        columns: titles; a long one is broken at its blanks.
        size: inches per image.
    """
    import textwrap

    import matplotlib.pyplot as plt

    figure, grid = plt.subplots(
        len(rows), len(columns), figsize=(size * len(columns) + 1.4, size * len(rows) + 0.5), squeeze=False
    )
    for line, (name, images) in zip(grid, rows.items(), strict=True):
        for axes, image in zip(line, images, strict=True):
            axes.imshow(image, cmap="gray" if image.ndim == 2 else None)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    for axes, title in zip(grid[0], columns, strict=True):
        axes.set_title(textwrap.fill(title, round(15 * size)), fontsize=7)
    plt.close(figure)
    return figure


def headroom_chart(shares: Mapping[str, tuple[float | None, float | None]]) -> Figure:
    """Draw the recovered headroom of several tasks: the published solution beside ours.

    Args:
        shares: name of the task -> (published, ours): 0 is the organisers' baseline, 1 the oracle; None if unknown.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.0, 0.9 + 0.5 * len(shares)))
    for offset, role, index in ((-0.19, "published", 0), (0.19, "ours", 1)):
        values = [pair[index] or 0.0 for pair in shares.values()]
        positions = [row + offset for row in range(len(shares))]
        bars = axes.barh(positions, values, height=0.36, color=COLOURS[role], label=role)
        axes.bar_label(bars, fmt="{:.0%}", padding=3, fontsize=8)
    axes.set_yticks(range(len(shares)), list(shares))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.axvline(1.0, color=COLOURS["ceiling"], linestyle="--")
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel("share of the way from the organisers' baseline to the oracle")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)  # above the axes: no bar covers it
    plt.close(figure)
    return figure


_BARS = 30  # maximum number of bars in a sweep over more than two parameters


def sweep_chart(
    table: pd.DataFrame, parameters: Sequence[str], score: str, label: str, higher_is_better: bool
) -> Figure:
    """Draw a sweep: one parameter as a line, two as a heat map, more as bars of the best points.

    Args:
        table: one row per point, with a column for each parameter and for the score; points without a score are
            left blank. Columns "baseline", "published" and "ceiling" become dashed lines beside the score "ours".
        parameters: names of the parameters; those with a single value are not drawn.
        score: the column to draw.
        label: the score in words.
        higher_is_better: direction of the score; it determines the colours and the best points.
    """
    import matplotlib.pyplot as plt

    varied = [name for name in parameters if table[name].nunique() > 1] or list(parameters[:1])
    figure, axes = plt.subplots(figsize=(7.0, 3.6))
    label = f"{label} ({'higher' if higher_is_better else 'lower'} is better)"
    if len(varied) == 1:
        _draw_line(axes, table, varied[0], score)
        axes.set_ylabel(label)
    elif len(varied) == 2:
        picture = _draw_heat(axes, table, varied, score, higher_is_better)
        figure.colorbar(picture, label=label)
    else:
        _draw_best(axes, table, varied, score, higher_is_better)
        axes.set_xlabel(label)
        figure.set_size_inches(7.0, 0.9 + 0.27 * len(axes.patches))
    plt.close(figure)
    return figure


def _levels(values: pd.Series) -> list[Any]:
    """Return the distinct values: numbers in ascending order, others in the order of the table."""
    distinct = list(dict.fromkeys(values))
    return sorted(distinct) if _are_numbers(distinct) else distinct


def _are_numbers(values: Sequence[object]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _draw_line(axes: Axes, table: pd.DataFrame, name: str, score: str) -> None:
    levels = _levels(table[name])
    positions = levels if _are_numbers(levels) else range(len(levels))
    rows = table.set_index(name).loc[levels]
    axes.plot(positions, rows[score].astype(float), marker="o", color=COLOURS["ours"], label=score)
    if score == "ours":
        for role in ("baseline", "published", "ceiling"):
            if rows[role].notna().any():
                axes.plot(positions, rows[role].astype(float), linestyle="--", color=COLOURS[role], label=role)
    axes.set_xticks(positions, [str(level) for level in levels])
    axes.set_xlabel(name)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False)


def _draw_heat(axes: Axes, table: pd.DataFrame, names: Sequence[str], score: str, higher_is_better: bool) -> AxesImage:
    across, down = (_levels(table[name]) for name in names)
    cells = dict(zip(zip(table[names[0]], table[names[1]], strict=True), table[score].astype(float), strict=True))
    heat = [[cells.get((x, y), float("nan")) for x in across] for y in down]
    picture = axes.imshow(heat, cmap="cividis" if higher_is_better else "cividis_r", aspect="auto", origin="lower")
    for (x, y), value in cells.items():
        position = (across.index(x), down.index(y))
        text = "–" if math.isnan(value) else f"{value:.3f}"
        axes.annotate(
            text, position, ha="center", va="center", bbox={"fc": "white", "ec": "none", "alpha": 0.7, "pad": 1.5}
        )
    axes.set_xticks(range(len(across)), [str(level) for level in across])
    axes.set_yticks(range(len(down)), [str(level) for level in down])
    axes.set(xlabel=names[0], ylabel=names[1])
    axes.grid(visible=False)
    return picture


def _draw_best(axes: Axes, table: pd.DataFrame, names: Sequence[str], score: str, higher_is_better: bool) -> None:
    values = table[score].astype(float).dropna().sort_values(ascending=not higher_is_better).head(_BARS)
    bars = axes.barh(range(len(values)), values, color=COLOURS["ours"])
    axes.bar_label(bars, fmt="%.3f", padding=3, fontsize=8)
    texts = [", ".join(f"{name} {table.loc[row, name]}" for name in names) for row in values.index]
    axes.set_yticks(range(len(values)), texts)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.12)
