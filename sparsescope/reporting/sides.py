"""Who changed sides: images that only one of dense and candidate gets right, and the classes that lost most."""

from typing import Any

import numpy as np

from sparsescope.reporting.format import MINUS, count, percent
from sparsescope.results import Evaluation

__all__ = ["changed_sides"]

CLASSES = 5
IMAGES = 20


def changed_sides(evaluation: Evaluation, candidate: str) -> dict[str, Any]:
    """Return counts, image indices and the worst classes of a candidate as texts; empty where they are not known.

    The worst classes are at most five whose accuracy fell, those first whose interval lies furthest below zero.
    """
    metric = next((metric for metric in evaluation.metrics if metric.name == "accuracy"), None)
    details = metric.details.get(candidate, {}) if metric else {}
    if not {"changed", "by_class"} <= set(details):
        return {}
    lost, gained, table = details["changed"]["lost"], details["changed"]["gained"], details["by_class"]
    fell = [label for label, change in enumerate(table["difference"]) if change is not None and change < 0]
    worst = sorted(fell, key=lambda label: (table["upper"][label], table["difference"][label], label))
    sure = sum(table["upper"][label] < 0 for label in fell)
    rose = sum(lower is not None and lower > 0 for lower in table["lower"])
    return {
        "lost": count(lost["n"]),
        "gained": count(gained["n"]),
        "n": count(sum(table["n"])),
        "lost_images": _indices(lost),
        "gained_images": _indices(gained),
        "confidence": percent(table["confidence"]).replace(".0 %", " %"),
        "method": table["method"],
        "fell": count(sure),
        "rose": count(rose),
        "present": count(int(np.count_nonzero(table["n"]))),
        "worst": [_row(table, label, _name(evaluation, label)) for label in worst[:CLASSES]],
    }


def _name(evaluation: Evaluation, label: int) -> str:
    classes = evaluation.benchmark.classes
    return classes[label] if label < len(classes) else f"class {label}"


def _row(table: dict[str, Any], label: int, name: str) -> dict[str, str]:
    return {
        "name": name,
        "n": count(table["n"][label]),
        "dense": _points(table["dense"][label]),
        "sparse": _points(table["own"][label]),
        "difference": _signed(table["difference"][label]),
        "interval": f"[{_signed(table['lower'][label])}, {_signed(table['upper'][label])}]",
        "lost": count(table["lost"][label]),
        "gained": count(table["gained"][label]),
    }


def _indices(side: dict[str, Any]) -> str:
    shown = side["images"][:IMAGES]
    return ", ".join(map(str, shown)) + (" …" if side["n"] > len(shown) else "")


def _points(share: float) -> str:
    return f"{100 * share:.1f}"


def _signed(change: float) -> str:
    text = f"{100 * change:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", MINUS)
