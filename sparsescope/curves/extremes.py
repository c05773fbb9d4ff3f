"""How far tickets pass: extreme sparsity of one metric, and the range where all metrics pass.

Extreme sparsity = the largest sparsity that still passes with all lower ones passing. Testing in a fixed order and
stopping at the first that does not pass keeps the level of each test for the whole row (Maurer, Hothorn & Lehmacher
1995): a pass beyond the first gap does not count, and is reported beside. A missing point is a gap.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby, takewhile

from sparsescope.curves.records import CurvePoint, Extreme, JointPoint, PassRange, Reading
from sparsescope.results import Outcome
from sparsescope.verdict import combine

__all__ = ["extreme_sparsity", "pass_range"]


def extreme_sparsity(points: Sequence[tuple[float, Outcome]]) -> Extreme:
    """Return how far a row of (sparsity, outcome), by rising sparsity, passes.

    Example:
        >>> from sparsescope.curves.extremes import extreme_sparsity
        >>> extreme_sparsity([(0.2, "pass"), (0.36, "pass"), (0.49, "inconclusive"), (0.59, "pass")])
        Extreme(sparsity=0.36, stop='inconclusive', passes_again=(0.59,))
    """
    passing = list(takewhile(lambda point: point[1] == "pass", points))
    rest = points[len(passing) :]
    return Extreme(
        sparsity=passing[-1][0] if passing else None,
        stop=rest[0][1] if rest else None,
        passes_again=tuple(sparsity for sparsity, outcome in rest if outcome == "pass"),
    )


def pass_range(rows: Mapping[str, Sequence[CurvePoint]], reading: Reading) -> PassRange:
    """Return where every one of some metrics passes.

    Args:
        rows: by metric, the points of one method along one grid.
        reading: by margins or as the paper.
    """
    points = []
    for column in zip(*rows.values(), strict=True):
        outcomes = {metric: point.outcomes[reading] for metric, point in zip(rows, column, strict=True)}
        failing = tuple(metric for metric, outcome in outcomes.items() if outcome == "fail")
        because = failing or tuple(metric for metric, outcome in outcomes.items() if outcome != "pass")
        points.append(JointPoint(column[0].sparsity, combine(outcomes.values()), because))
    runs = []
    for passes, group in groupby(points, key=lambda point: point.outcome == "pass"):
        members = list(group)
        if passes:
            runs.append((members[0].sparsity, members[-1].sparsity))
    return PassRange(
        points=tuple(points),
        runs=tuple(runs),
        extreme=extreme_sparsity([(point.sparsity, point.outcome) for point in points]),
    )
