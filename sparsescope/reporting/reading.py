"""How to read each metric, in a sentence."""

from sparsescope.results import MetricResult

__all__ = ["how_to_read"]


def how_to_read(metric: MetricResult) -> str:
    """Return a sentence on what a metric measures, then direction, unit and source.

    Files that were written before metrics carried their sentence say of what dimension it is instead.
    """
    sentence = metric.sentence.strip() or f"A metric of {metric.dimension}."
    if sentence[-1] not in ".!?":
        sentence += "."
    direction = "Higher" if metric.higher_is_better else "Lower"
    return f"{sentence} {direction} is better. Unit: {metric.unit}. Source: {metric.source}."
