"""Compositional neurons as texts: what the report and the page of a dissection say of a layer's units.

Both read the details of the metric `composition` of every model.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sparsescope.reporting.format import count, percent
from sparsescope.results import Evaluation, Pair
from sparsescope.results.details import CompositionDetails
from sparsescope.results.details.composition import DETECTOR, LayerUnit

__all__ = [
    "category_shares_of",
    "indices",
    "ious_of",
    "neuron_details",
    "neuron_facts",
    "neuron_section",
    "pick_units",
    "unit_facts",
]

Interval = tuple[float, float] | None

FEW = 4
"""Units shown around the median, and of the lowest."""
LISTED = 40
"""Unit indices written out, at most."""


def neuron_details(evaluation: Evaluation) -> dict[str, CompositionDetails]:
    """Return the details of every model whose units are known."""
    return {name: own for name, own in evaluation.details(CompositionDetails).items() if own.units}


def neuron_section(evaluation: Evaluation, number: int = 8) -> dict[str, Any]:
    """Return what a report says of compositional neurons; empty where they were not measured.

    Args:
        evaluation: what to report.
        number: of best units listed, for each model.
    """
    details = neuron_details(evaluation)
    if not details:
        return {}
    values = evaluation[CompositionDetails.metric].values
    means = {name: (values[name].value, values[name].interval) for name in details}
    return {
        "models": list(details),
        "facts": neuron_facts(details, means, evaluation.pairs),
        "best": {
            name: [unit_facts(own.units[unit]) for unit in _ranked(own)[:number]] for name, own in details.items()
        },
        "images": count(next(iter(details.values())).images),
    }


def neuron_facts(
    details: Mapping[str, CompositionDetails],
    means: Mapping[str, tuple[float | None, Interval]],
    pairs: Iterable[Pair],
) -> list[dict[str, Any]]:
    """Return a row for each fact about the layers: `what` it is, and for every model a `text` and a `small` one below.

    Args:
        details: model -> details.
        means: model -> mean IoU over live units, and its interval; a model without is left blank.
        pairs: which models are compared.
    """
    models = list(details.values())
    rows = [
        ("Layer", [(own.layer, "") for own in models]),
        ("Units", [(_alive(own), "") for own in models]),
        ("Mean IoU of the best formulas", [_mean(means.get(name, (None, None))) for name in details]),
        *([("… proven to be the best", [_proven(own) for own in models])] if any(map(_knows, models)) else []),
        ("… on held-out images", [(_iou(own.held_out_iou), "") for own in models]),
        ("… on shuffled images", [(_iou(own.null_iou), "") for own in models]),
        ("Mean IoU of the best single concepts", [(_iou(own.label_iou), "") for own in models]),
        (f"Units above {DETECTOR:g}", [_above(own) for own in models]),
        ("Different formulas", [(count(own.unique_formulas), "") for own in models]),
    ]
    both = [pair for pair in pairs if pair.dense in details and pair.candidate in details]
    kept = {pair.candidate: _kept(details[pair.dense], details[pair.candidate]) for pair in both}
    if kept:
        rows.append(("Same formula as dense", [kept.get(name, ("", "")) for name in details]))
    return [{"what": what, "cells": [{"text": text, "small": small} for text, small in cells]} for what, cells in rows]


def _alive(own: CompositionDetails) -> str:
    return f"{count(own.layer_units - own.dead)} live, {count(own.dead)} dead"


def _mean(found: tuple[float | None, Interval]) -> tuple[str, str]:
    value, interval = found
    return _iou(value), f"[{interval[0]:.4f}, {interval[1]:.4f}]" if interval else ""


def _knows(own: CompositionDetails) -> bool:
    """Whether the search knows how far from the best its formulas are."""
    return any(row.gap is not None for row in own.units)


def _proven(own: CompositionDetails) -> tuple[str, str]:
    if not _knows(own):
        return "–", ""
    live = own.layer_units - own.dead
    others = f"the IoU of others up to {max(own.gaps):.4f} larger" if own.gaps else ""
    return f"{count(live - len(own.gaps))} of {count(live)}", others


def _iou(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _above(own: CompositionDetails) -> tuple[str, str]:
    if own.share_above is None:
        return "–", ""
    null = own.null_share_above
    return percent(own.share_above), "" if null is None else f"on shuffled images {percent(null)}"


def _kept(dense: CompositionDetails, own: CompositionDetails) -> tuple[str, str]:
    if dense.layer_units != own.layer_units:
        return "–", "other units"
    pairs = zip(dense.units, own.units, strict=True)
    same = sum(one.formula is not None and one.formula == two.formula for one, two in pairs)
    return count(same), f"of {count(own.layer_units)}"


def unit_facts(row: LayerUnit) -> dict[str, str]:
    """Return one unit's row of the details as texts."""
    return {
        "unit": str(row.unit),
        "formula": row.formula or ("dead" if row.dead else "no concept lies where it fires"),
        "iou": _iou(row.iou),
        "held_out": _iou(row.held_out_iou),
        "null": _iou(row.null_iou),
        "length": str(row.length),
        "label": row.label or "–",
        "category": row.category or "–",
        "label_iou": _iou(row.label_iou),
        "gap": f"{row.gap:.4f}" if row.gap else "",
    }


def pick_units(own: CompositionDetails, top: int) -> dict[str, list[int]]:
    """Return which live units are shown: the best, some around the median, the lowest; none twice."""
    ranked = _ranked(own)
    best, rest = ranked[:top], ranked[top:]
    middle = max(0, len(ranked) // 2 - FEW // 2)
    median = [unit for unit in ranked[middle : middle + FEW] if unit in rest]
    lowest = [unit for unit in rest[-FEW:] if unit not in median]
    groups = {"Most interpretable": best, "Around the median": median, "Least": lowest}
    return {title: units for title, units in groups.items() if units}


def indices(own: CompositionDetails, *, dead: bool) -> str:
    """Return the dead (or live) units' indices in one text, the first ones of many."""
    found = [row.unit for row in own.units if row.dead == dead]
    return ", ".join(map(str, found[:LISTED])) + (" …" if len(found) > LISTED else "")


def ious_of(details: Mapping[str, CompositionDetails], *, shuffled: bool = False) -> dict[str, list[float]]:
    """Return model -> IoU of its live units, on the probe images or the `shuffled` ones; maybe none."""
    found = {
        model: [row.null_iou if shuffled else row.iou for row in own.units if not row.dead]
        for model, own in details.items()
    }
    return {model: [iou for iou in ious if iou is not None] for model, ious in found.items()}


def category_shares_of(details: Mapping[str, CompositionDetails]) -> dict[str, dict[str, float]]:
    """Return model -> category -> share of the live units."""
    return {model: own.share_by_category for model, own in details.items()}


def _ranked(own: CompositionDetails) -> list[int]:
    live = [(row.iou, row.unit) for row in own.units if not row.dead and row.iou is not None]
    return [unit for _, unit in sorted(live, key=lambda each: (-each[0], each[1]))]
