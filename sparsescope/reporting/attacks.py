"""The table behind the curve of accuracy against the size of an attack."""

from typing import Any

from sparsescope.plots.attack_curve import attack_curve_points, grey_levels
from sparsescope.results import Evaluation

__all__ = ["attack_table"]


def attack_table(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return a row for every ε, in grey levels of 255: the accuracy of every model in percent, with its interval."""
    curves = [attack_curve_points(evaluation, model.name) for model in evaluation.models]
    sizes = sorted({epsilon for points in curves for epsilon in points.get("epsilon", [])})
    return [{"epsilon": grey_levels(size), "cells": [_cell(points, size) for points in curves]} for size in sizes]


def _cell(points: dict[str, Any], epsilon: float) -> dict[str, str]:
    if epsilon not in points.get("epsilon", []):
        return {"value": "–", "interval": ""}
    place = points["epsilon"].index(epsilon)
    value, lower, upper = (100 * points[name][place] for name in ("accuracy", "lower", "upper"))
    return {"value": f"{value:.1f}", "interval": f"[{lower:.1f}, {upper:.1f}]"}
