"""Who changed sides: images that only one of dense and candidate gets right, and the classes that lost most."""

from typing import Any

from sparsescope.reporting.format import MINUS, count, percent
from sparsescope.results import Evaluation
from sparsescope.results.details import AccuracyDetails
from sparsescope.results.details.accuracy import OneClass, Side

__all__ = ["changed_sides"]

CLASSES = 5
IMAGES = 20


def changed_sides(evaluation: Evaluation, candidate: str) -> dict[str, Any]:
    """Return counts, image indices and the worst classes of a candidate as texts; empty where they are not known.

    The worst classes are at most five whose accuracy fell, those first whose interval lies furthest below zero.
    """
    details = evaluation.details(AccuracyDetails).get(candidate)
    if details is None or details.changed is None or details.by_class is None:
        return {}
    lost, gained, table = details.changed.lost, details.changed.gained, details.by_class
    classes = table.with_images
    fell = [each for each in classes if each.difference < 0]
    worst = sorted(fell, key=lambda each: (each.upper, each.difference, each.label))
    return {
        "lost": count(lost.n),
        "gained": count(gained.n),
        "n": count(sum(table.n)),
        "lost_images": _indices(lost),
        "gained_images": _indices(gained),
        "confidence": percent(table.confidence).replace(".0 %", " %"),
        "method": table.method,
        "fell": count(sum(each.upper < 0 for each in fell)),
        "rose": count(sum(each.lower > 0 for each in classes)),
        "present": count(len(classes)),
        "worst": [_row(each, _name(evaluation, each.label)) for each in worst[:CLASSES]],
    }


def _name(evaluation: Evaluation, label: int) -> str:
    classes = evaluation.benchmark.classes
    return classes[label] if label < len(classes) else f"class {label}"


def _row(own: OneClass, name: str) -> dict[str, str]:
    return {
        "name": name,
        "n": count(own.n),
        "dense": _points(own.dense),
        "sparse": _points(own.own),
        "difference": _signed(own.difference),
        "interval": f"[{_signed(own.lower)}, {_signed(own.upper)}]",
        "lost": count(own.lost),
        "gained": count(own.gained),
    }


def _indices(side: Side) -> str:
    shown = side.images[:IMAGES]
    return ", ".join(map(str, shown)) + (" …" if side.n > len(shown) else "")


def _points(share: float) -> str:
    return f"{100 * share:.1f}"


def _signed(change: float) -> str:
    text = f"{100 * change:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", MINUS)
