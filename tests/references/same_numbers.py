"""Whether two evaluations of the same models give the same numbers."""

from sparsescope.results import Evaluation

TOLERANCE = 2e-4
"""Relative, between batch sizes and workers: float32 sums in another order, amplified by second derivatives."""


def numbers(evaluation: Evaluation) -> dict[str, float]:
    """Every value, interval end and difference by a readable key."""
    found = {}
    for metric in evaluation.metrics:
        for kind, entries in (("value", metric.values), ("difference", metric.differences)):
            for model, entry in entries.items():
                if entry.value is not None:
                    found[f"{metric.name}/{kind}/{model}"] = entry.value
                if entry.interval is not None:
                    found[f"{metric.name}/{kind}/{model}/low"], found[f"{metric.name}/{kind}/{model}/high"] = (
                        entry.interval
                    )
    return found


def assert_same(first: Evaluation, second: Evaluation) -> None:
    one, two = numbers(first), numbers(second)
    assert one.keys() == two.keys()
    scale = {key: abs(one["/".join((key.split("/")[0], "value", "dense"))]) for key in one}
    different = {
        key: (value, two[key])
        for key, value in one.items()
        if abs(value - two[key]) > TOLERANCE * max(abs(value), scale[key]) + 1e-9
    }
    assert not different
