"""The figures of a report: what is drawn of an evaluation, in the order of the page."""

from collections.abc import Callable, Iterator, Mapping

from markupsafe import Markup
from matplotlib.figure import Figure

from sparsescope import plots
from sparsescope.plots.attack_curve import attack_curves
from sparsescope.plots.corruption_table import corruption_errors, corruption_table_height
from sparsescope.plots.reliability import reliability_bins
from sparsescope.plots.sparsity import sparsity_height
from sparsescope.plots.style import top_figure
from sparsescope.plots.under_shift import SHIFTED, shift_table
from sparsescope.reporting.incomplete import Failures
from sparsescope.reporting.inline import inline
from sparsescope.reporting.methods import as_one_pair
from sparsescope.reporting.neurons import category_shares_of, ious_of, neuron_details
from sparsescope.reporting.view import radar_stem
from sparsescope.results import Evaluation
from sparsescope.results.details import CompositionDetails

__all__ = ["figures", "neuron_figures", "radar_files"]

Drawn = Iterator[tuple[str, Figure, str]]
"""Name, figure, and what a screen reader says."""


def radar_files(evaluations: list[Evaluation]) -> dict[str, bytes]:
    """Return the radar of every evaluation as SVG and PNG; none where it would have no axis."""
    files: dict[str, bytes] = {}
    for number, evaluation in enumerate(evaluations, start=1):
        if evaluation.radar.axes:
            files |= plots.radar_files(evaluation, radar_stem(number))
    return files


def figures(evaluation: Evaluation, prefix: str, failures: Failures) -> dict[str, Markup]:
    """Return the report's figures by name; those with nothing to show are left out.

    Args:
        evaluation: what to draw.
        prefix: put before every id, different for every evaluation on a page.
        failures: where to put what could not be drawn.
    """
    found: dict[str, Markup] = {}
    for what, draw in _DRAWN.items():
        with failures.of(f"The figure of {what}"):
            for name, figure, title in draw(evaluation):
                found[name] = inline(figure, f"{prefix}-{name}", title)
    with failures.of("The figure of neurons"):
        found |= neuron_figures(neuron_details(evaluation), prefix)
    return found


def _radar(evaluation: Evaluation) -> Drawn:
    if evaluation.radar.axes:
        yield "radar", top_figure(plots.radar(evaluation)), "Radar chart of all metrics, outward is better"


def _differences(evaluation: Evaluation) -> Drawn:
    for index, name in enumerate(evaluation.methods):
        if evaluation.methods[name].verdict.metrics:
            figure = top_figure(plots.differences(as_one_pair(evaluation, name), name))
            yield f"method-{index}", figure, f"Mean differences of {name} to dense in multiples of the margins"
    for index, model in enumerate(evaluation.candidates):
        if evaluation.verdict(model.name).metrics:
            figure = top_figure(plots.differences(evaluation, model.name))
            yield f"differences-{index}", figure, f"Differences of {model.name} to dense in multiples of the margins"


def _calibration(evaluation: Evaluation) -> Drawn:
    names = [model.name for model in evaluation.models if reliability_bins(evaluation, model.name)]
    if names:
        figure = plots.panels(lambda name, ax: plots.reliability(evaluation, name, ax), names, width=3.3, height=3.7)
        yield "reliability", figure, "Reliability diagrams: accuracy by confidence"


def _sparsity(evaluation: Evaluation) -> Drawn:
    names = [model.name for model in evaluation.candidates]
    if any(model.sparsity.layers for model in evaluation.candidates):
        height = sparsity_height(max(len(model.sparsity.layers) for model in evaluation.models))
        figure = plots.panels(
            lambda name, ax: plots.sparsity(evaluation, name, ax), names, width=4.8, height=height, columns=2
        )
        yield "sparsity", figure, "Sparsity by layer"


def _corruptions(evaluation: Evaluation) -> Drawn:
    names = [model.name for model in evaluation.models if corruption_errors(evaluation, model.name)]
    if names:
        height = corruption_table_height(max(len(corruption_errors(evaluation, name)) for name in names))
        figure = plots.panels(
            lambda name, ax: plots.corruption_table(evaluation, name, ax), names, width=3.4, height=height
        )
        yield "corruptions", figure, "Error rates by corruption and severity"


def _shift(evaluation: Evaluation) -> Drawn:
    quantities = [quantity for quantity in SHIFTED if shift_table(evaluation, quantity)]
    if quantities:
        figure = plots.panels(
            lambda name, ax: plots.under_shift(evaluation, name, ax), quantities, width=3.6, height=2.9, columns=2
        )
        yield "shift", figure, "Error and calibration by severity of the corruption"


def _attacks(evaluation: Evaluation) -> Drawn:
    if attack_curves(evaluation):
        yield "attacks", top_figure(plots.attack_curve(evaluation)), "Accuracy against the size of an FGSM step"


_DRAWN: dict[str, Callable[[Evaluation], Drawn]] = {
    "the radar": _radar,
    "differences": _differences,
    "calibration": _calibration,
    "sparsity": _sparsity,
    "corruptions": _corruptions,
    "shifted images": _shift,
    "attacks": _attacks,
}
"""What a figure is of -> what draws it, in the order of the page."""


def neuron_figures(details: Mapping[str, CompositionDetails], prefix: str) -> dict[str, Markup]:
    """Return what the details of `composition` show, by name: `ious` and `categories`, as far as there are any.

    Args:
        details: model -> details, dense first.
        prefix: put before every id.
    """
    found = {}
    ious, shares = ious_of(details), category_shares_of(details)
    if any(ious.values()):
        figure = top_figure(plots.iou_distribution(ious, ious_of(details, shuffled=True)))
        found["ious"] = inline(figure, f"{prefix}-ious", "Share of live units with at least each IoU, by model")
    if any(shares.values()):
        figure = top_figure(plots.category_shares(shares))
        found["categories"] = inline(figure, f"{prefix}-categories", "Share of live units by category of concept")
    return found
