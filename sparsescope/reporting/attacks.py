"""The table behind the curve of accuracy against the size of an attack."""

from typing import Any

from sparsescope.plots.attack_curve import attack_curves, grey_levels
from sparsescope.results import Evaluation
from sparsescope.results.details.fgsm_accuracy import AttackCurve

__all__ = ["attack_table"]


def attack_table(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return a row for every ε, in grey levels of 255: the accuracy of every model in percent, with its interval."""
    found = attack_curves(evaluation)
    curves = [found.get(model.name) for model in evaluation.models]
    sizes = sorted({epsilon for curve in found.values() for epsilon in curve.epsilon})
    return [{"epsilon": grey_levels(size), "cells": [_cell(curve, size) for curve in curves]} for size in sizes]


def _cell(curve: AttackCurve | None, epsilon: float) -> dict[str, str]:
    if curve is None or epsilon not in curve.epsilon:
        return {"value": "–", "interval": ""}
    place = curve.epsilon.index(epsilon)
    value, lower, upper = (100 * column[place] for column in (curve.accuracy, curve.lower, curve.upper))
    return {"value": f"{value:.1f}", "interval": f"[{lower:.1f}, {upper:.1f}]"}
