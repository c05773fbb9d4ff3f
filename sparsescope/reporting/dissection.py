"""The page of a dissection: one HTML file with numbers, distributions and the units' pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sparsescope.reporting.figures import neuron_figures
from sparsescope.reporting.format import MINUS, count, percent
from sparsescope.reporting.incomplete import Failures
from sparsescope.reporting.neurons import indices, neuron_facts, pick_units, unit_facts
from sparsescope.reporting.pictures import Picture, embedded, outlined
from sparsescope.reporting.rendering import html_environment
from sparsescope.results import Pairs
from sparsescope.results.details import CompositionDetails
from sparsescope.units import Estimate

__all__ = ["ModelNeurons", "dissection_page"]


@dataclass(frozen=True)
class ModelNeurons:
    """One model's layer.

    Args:
        name: of the model.
        table: name of the file with all its units.
        details: those of the metric `composition`.
        mean: mean IoU over live units; None where all are dead.
        difference: mean IoU minus the first model's; None for the first, and where one of the two has no mean.
        pictures: unit -> its strongest images.
    """

    name: str
    table: str
    details: CompositionDetails
    mean: Estimate | None
    difference: Estimate | None = None
    pictures: Mapping[int, Sequence[Picture]] = field(default_factory=dict)


def dissection_page(
    models: Sequence[ModelNeurons],
    facts: Mapping[str, str],
    *,
    top: int,
    confidence: float,
    version: str,
    failures: Failures,
) -> str:
    """Return the page: one file, no script, nothing fetched, the same text for the same dissections.

    Args:
        models: dense first.
        facts: what the page says of probe set and options, by title.
        top: how many of each model's best units are shown.
        confidence: level of the intervals.
        version: of sparsescope.
        failures: what the page lacks, and where to put a figure that could not be drawn.
    """
    details = {model.name: model.details for model in models}
    means = {model.name: (model.mean.value, model.mean.interval) for model in models if model.mean is not None}
    pairs = Pairs.of_one_dense([model.name for model in models])
    rows = neuron_facts(details, means, pairs)
    if pairs.pairs:
        blank = {"text": "", "small": ""}
        cells = [_difference(model.difference) if pairs.is_candidate(model.name) else blank for model in models]
        rows.insert(3, {"what": "… difference to dense", "cells": cells})
    figures = {}
    with failures.of("The figure of neurons"):
        figures = neuron_figures(details, "n")
    return (
        html_environment()
        .get_template("dissection.html.j2")
        .render(
            version=version,
            models=[_model(number, model, models, top) for number, model in enumerate(models, start=1)],
            rows=rows,
            facts=facts,
            figures=figures,
            notes=failures.notes(),
            confidence=percent(confidence).replace(".0 %", " %"),
        )
    )


def _difference(found: Estimate | None) -> dict[str, str]:
    if found is None:
        return {"text": "–", "small": ""}
    interval = f"[{_signed(found.interval[0])}, {_signed(found.interval[1])}]" if found.interval else ""
    return {"text": _signed(found.value), "small": interval}


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", MINUS)


def _model(number: int, model: ModelNeurons, models: Sequence[ModelNeurons], top: int) -> dict[str, Any]:
    groups = pick_units(model.details, top)
    return {
        "id": f"m{number}",
        "name": model.name,
        "table": model.table,
        "layer": model.details.layer,
        "units": count(model.details.layer_units),
        "dead": indices(model.details, dead=True),
        "groups": {title: [_unit(unit, model, models) for unit in units] for title, units in groups.items()},
    }


def _unit(unit: int, model: ModelNeurons, models: Sequence[ModelNeurons]) -> dict[str, Any]:
    facts = unit_facts(model.details.units[unit])
    others = [
        {"name": other.name, **unit_facts(other.details.units[unit])}
        for other in models
        if other is not model and other.details.layer_units == model.details.layer_units
    ]
    return {**facts, "others": others, "pictures": [_picture(item, facts) for item in model.pictures.get(unit, ())]}


def _picture(picture: Picture, facts: Mapping[str, str]) -> dict[str, Any]:
    fires, holds = picture.fires, picture.holds
    shares = [percent(float(mask.mean())) for mask in (fires & holds, fires & ~holds, holds & ~fires)]
    return {
        "image": picture.image,
        "plain": embedded(picture.pixels),
        "outlined": outlined(picture),
        "iou": f"{picture.iou:.2f}",
        "plain_alt": f"Probe image {picture.image}",
        "outlined_alt": f"Probe image {picture.image} with outlines: unit {facts['unit']} and its formula "
        f"{facts['formula']} share {shares[0]} of the image, the unit alone fires in {shares[1]}, the formula alone "
        f"holds in {shares[2]}.",
    }
