"""What all plots share: colours, new Axes without pyplot, and byte-deterministic SVG and PNG."""

import io
import warnings
from collections.abc import Iterable, Sequence
from typing import Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from sparsescope.results import DIMENSIONS, Pair, Pairs

__all__ = [
    "CANDIDATES",
    "DENSE",
    "DIMENSION_COLOURS",
    "GRID",
    "INK",
    "MUTED",
    "OUTCOMES",
    "PAPER",
    "SEVENTH",
    "colours",
    "jpeg",
    "legible",
    "new_axes",
    "plain_axes",
    "png",
    "short_number",
    "shortened",
    "svg",
    "top_figure",
]

INK = "#1c2430"
MUTED = "#5f6b7a"
GRID = "#d5dae1"
PAPER = "#fdfefe"
DENSE = "#3b4654"

# Okabe & Ito 2008: told apart with every common kind of colour blindness; black and yellow left out.
CANDIDATES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")

SEVENTH = "#882255"  # after Tol 2021; dark enough to stand beside the six

DIMENSION_COLOURS: dict[str, str] = dict(zip(DIMENSIONS, ("#4a6fa5", "#9a6a1f", "#3f7d5c", "#8a5a8f"), strict=True))
OUTCOMES = {
    "pass": "#1a7f5a",
    "fail": "#c2410c",
    "inconclusive": "#7a6a1a",
    "not evaluated": "#5f6b7a",
}


def colours(models: Sequence[str], pairs: Iterable[Pair] | None = None) -> dict[str, str]:
    """Return a colour for each model: dense is grey, as the reference it is; without pairs, that is the first."""
    compared = {pair.candidate for pair in (Pairs.of_one_dense(models) if pairs is None else pairs)}
    candidates = [model for model in models if model in compared]
    found = {model: CANDIDATES[number % len(CANDIDATES)] for number, model in enumerate(candidates)}
    return {model: found.get(model, DENSE) for model in models}


def new_axes(width: float, height: float) -> Axes:
    """Return the Axes of a new figure of this size in inches, laid out without pyplot."""
    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def top_figure(ax: Axes) -> Figure:
    """Return the figure that holds `ax`."""
    figure = ax.figure
    while isinstance(figure, SubFigure):
        figure = figure.figure
    assert isinstance(figure, Figure)
    return figure


def legible(red: float, green: float, blue: float) -> str:
    """Return black or white, whichever stands out on a colour with parts in [0, 1]."""
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else "#ffffff"


def plain_axes(ax: Axes, grid: Literal["x", "y", "both"] | None = None) -> None:
    """Take away what is no information: frame, ticks; grid lines stay behind the data."""
    for side in ax.spines.values():
        side.set_visible(False)
    ax.tick_params(length=0, colors=MUTED, labelsize=9)
    ax.xaxis.label.set_color(MUTED)
    ax.yaxis.label.set_color(MUTED)
    ax.xaxis.label.set_fontsize(9)
    ax.yaxis.label.set_fontsize(9)
    ax.patch.set_visible(False)
    if grid:
        ax.grid(axis=grid, color=GRID, linewidth=0.8)
        ax.set_axisbelow(True)


def shortened(name: str, length: int = 34) -> str:
    """Return a name cut in its middle to at most `length` characters; names often differ at their ends.

    A dollar sign is escaped: matplotlib would read what lies between two of them as a formula. Control characters,
    which SVG cannot hold, are replaced.
    """
    name = "".join(character if character.isprintable() or character == "\n" else "�" for character in name)
    if len(name) > length:
        tail = (length - 1) // 2
        name = f"{name[: length - 1 - tail]}…{name[-tail:]}"
    return name.replace("$", r"\$")


def short_number(value: float, spec: str) -> str:
    """Return a number by its format `spec`, such as `+.0f`, or in powers of ten where that would be very long."""
    return f"{value:{spec}}" if abs(value) < 1e6 else f"{value:{spec[:-2]}1e}"


def svg(figure: Figure, *, text: Literal["none", "path"] = "path", transparent: bool = False) -> bytes:
    """Return the figure as SVG, the same bytes every time.

    Args:
        figure: what to draw.
        text: `"path"` looks the same everywhere; `"none"` keeps real text in the reader's font.
        transparent: leave the background out.
    """
    # Dates, versions and random ids are what would differ between two runs.
    unset = {"Date": None, "Creator": None, "Format": None, "Type": None}
    with matplotlib.rc_context({"svg.fonttype": text, "svg.hashsalt": "sparsescope"}):
        return _saved(figure, "svg", transparent, metadata=unset)


def png(figure: Figure, *, dpi: int = 144) -> bytes:
    """Return the figure as PNG on white, the same bytes every time."""
    return _saved(figure, "png", False, dpi=dpi, metadata={"Software": None}, pil_kwargs={"optimize": True})


def jpeg(figure: Figure, *, dpi: int = 100, quality: int = 82) -> bytes:
    """Return the figure as JPEG, for pictures of photographs; the same bytes every time."""
    return _saved(figure, "jpeg", False, dpi=dpi, pil_kwargs={"quality": quality, "optimize": True})


def _saved(figure: Figure, kind: str, transparent: bool, **options: object) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A name in a script that the font lacks shows as boxes here; the tables beside the plots have it in full.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format=kind, facecolor="none" if transparent else "white", **options)  # type: ignore[arg-type]
    return buffer.getvalue()
