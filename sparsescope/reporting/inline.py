"""Plots as SVG inside an HTML page: no ids twice, colours that follow the page's light or dark scheme."""

import re

from markupsafe import Markup
from matplotlib.figure import Figure

from sparsescope import plots
from sparsescope.plots.style import (
    CANDIDATES,
    DENSE,
    DIMENSION_COLOURS,
    GRID,
    INK,
    MUTED,
    OUTCOMES,
    PAPER,
    SEVENTH,
)
from sparsescope.printable import printable

__all__ = ["inline"]

_VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    GRID: "line",
    PAPER: "paper",
    DENSE: "dense",
    CANDIDATES[0]: "series-1",
    CANDIDATES[2]: "series-3",
    SEVENTH: "series-7",
    **{colour: name for name, colour in DIMENSION_COLOURS.items()},
    **{OUTCOMES[name]: name for name in ("pass", "fail", "inconclusive")},
}


def inline(figure: Figure, prefix: str, title: str) -> Markup:
    """Return a figure as an <svg> element.

    Args:
        figure: what to show.
        prefix: put before every id, different for every figure on a page.
        title: what a screen reader says.
    """
    text = plots.svg(figure, text="none", transparent=True).decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", text)
    for colour, name in _VARIABLES.items():
        text = text.replace(f": {colour}", f": var(--{name.replace(' ', '-')}, {colour})")
    label = Markup(' role="img" aria-label="{}"').format(printable(title))
    return Markup(text.replace("<svg", f"<svg{label}", 1).strip())
