"""Plots as SVG inside an HTML page: no ids twice, colours that follow the page's light or dark scheme."""

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from sparsescope import plots
from sparsescope.plots.attack_curve import attack_curve_points
from sparsescope.plots.corruption_table import corruption_errors, corruption_table_height
from sparsescope.plots.reliability import reliability_bins
from sparsescope.plots.sparsity import sparsity_height
from sparsescope.plots.style import CANDIDATES, DENSE, DIMENSIONS, GRID, INK, MUTED, OUTCOMES, PAPER, top_figure
from sparsescope.plots.under_shift import SHIFTED, shift_table
from sparsescope.reporting.neurons import category_shares_of, ious_of, neuron_details
from sparsescope.results import Evaluation

__all__ = ["figures", "neuron_figures"]

_VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    GRID: "line",
    PAPER: "paper",
    DENSE: "dense",
    CANDIDATES[0]: "series-1",
    CANDIDATES[2]: "series-3",
    **{colour: name for name, colour in DIMENSIONS.items()},
    **{OUTCOMES[name]: name for name in ("pass", "fail", "inconclusive")},
}


def figures(evaluation: Evaluation, prefix: str) -> dict[str, Markup]:
    """Return the report's figures by name; those with nothing to show are left out.

    Args:
        evaluation: what to draw.
        prefix: put before every id, different for every evaluation on a page.
    """
    drawn: dict[str, tuple[Figure, str]] = {}
    models = [model.name for model in evaluation.models]
    candidates = models[1:]
    if evaluation.radar.axes:
        drawn["radar"] = top_figure(plots.radar(evaluation)), "Radar chart of all metrics, outward is better"
    for index, name in enumerate(candidates):
        if evaluation.verdict(name).metrics:
            figure = top_figure(plots.differences(evaluation, name))
            drawn[f"differences-{index}"] = figure, f"Differences of {name} to dense in multiples of the margins"
    calibrated = [name for name in models if reliability_bins(evaluation, name)]
    if calibrated:
        figure = plots.panels(
            lambda name, ax: plots.reliability(evaluation, name, ax), calibrated, width=3.3, height=3.7
        )
        drawn["reliability"] = figure, "Reliability diagrams: accuracy by confidence"
    height = sparsity_height(max(len(model.sparsity.layers) for model in evaluation.models))
    if candidates and any(model.sparsity.layers for model in evaluation.candidates):
        figure = plots.panels(
            lambda name, ax: plots.sparsity(evaluation, name, ax), candidates, width=4.8, height=height, columns=2
        )
        drawn["sparsity"] = figure, "Sparsity by layer"
    corrupted = [name for name in models if corruption_errors(evaluation, name)]
    if corrupted:
        height = corruption_table_height(max(len(corruption_errors(evaluation, name)) for name in corrupted))
        figure = plots.panels(
            lambda name, ax: plots.corruption_table(evaluation, name, ax), corrupted, width=3.4, height=height
        )
        drawn["corruptions"] = figure, "Error rates by corruption and severity"
    shifted = [quantity for quantity in SHIFTED if shift_table(evaluation, quantity)]
    if shifted:
        figure = plots.panels(
            lambda quantity, ax: plots.under_shift(evaluation, quantity, ax), shifted, width=3.6, height=2.9, columns=2
        )
        drawn["shift"] = figure, "Error and calibration by severity of the corruption"
    if any(attack_curve_points(evaluation, name) for name in models):
        drawn["attacks"] = top_figure(plots.attack_curve(evaluation)), "Accuracy against the size of an FGSM step"
    found = {name: _inline(figure, f"{prefix}-{name}", title) for name, (figure, title) in drawn.items()}
    return found | neuron_figures(neuron_details(evaluation), prefix)


def neuron_figures(details: Mapping[str, Mapping[str, Any]], prefix: str) -> dict[str, Markup]:
    """Return what the details of `composition` show, by name: `ious` and `categories`, as far as there are any.

    Args:
        details: model -> details, dense first.
        prefix: put before every id.
    """
    found = {}
    ious, shares = ious_of(details, "iou"), category_shares_of(details)
    if any(ious.values()):
        figure = top_figure(plots.iou_distribution(ious, ious_of(details, "null_iou")))
        found["ious"] = _inline(figure, f"{prefix}-ious", "Share of live units with at least each IoU, by model")
    if any(shares.values()):
        figure = top_figure(plots.category_shares(shares))
        found["categories"] = _inline(figure, f"{prefix}-categories", "Share of live units by category of concept")
    return found


def _inline(figure: Figure, prefix: str, title: str) -> Markup:
    """Return a figure as an <svg> element."""
    text = plots.svg(figure, text="none", transparent=True).decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", text)
    for colour, name in _VARIABLES.items():
        text = text.replace(f": {colour}", f": var(--{name.replace(' ', '-')}, {colour})")
    label = Markup(' role="img" aria-label="{}"').format(title)
    return Markup(text.replace("<svg", f"<svg{label}", 1).strip())
