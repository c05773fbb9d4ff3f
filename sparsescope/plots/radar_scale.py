"""How far out a radar's values lie: order of the axes, rim, rings and what they say."""

import math
from dataclasses import dataclass

from sparsescope.results import DIMENSIONS, Evaluation, Interval

__all__ = ["Scale"]

HOLE = 0.16


@dataclass(frozen=True)
class Scale:
    """A radar's axes ordered by dimension and its values on them.

    Args:
        normalisation: see `results.Radar`.
        axes: metric names.
        values: one row for each model.
        bands: intervals on the same scale; empty where they are not drawn.
        limit: the value on the rim; what is larger is drawn there and marked.
    """

    normalisation: str
    axes: tuple[str, ...]
    values: dict[str, tuple[float | None, ...]]
    bands: dict[str, tuple[Interval | None, ...]]
    limit: float

    @classmethod
    def of(cls, evaluation: Evaluation) -> "Scale":
        """Return the scale of an evaluation's radar."""
        radar = evaluation.radar
        order = sorted(range(len(radar.axes)), key=lambda i: DIMENSIONS.index(evaluation[radar.axes[i]].dimension))
        values = {name: tuple(row[i] for i in order) for name, row in radar.values.items()}
        ratio = radar.normalisation == "ratio"
        bands = {name: tuple(row[i] for i in order) for name, row in radar.bands.items()} if ratio else {}
        largest = max((value for row in values.values() for value in row if value is not None), default=1.0)
        limit = min(max(math.ceil(largest * 4 + 0.2) / 4, 1.25), 2.0) if ratio else 1.0
        return cls(radar.normalisation, tuple(radar.axes[i] for i in order), values, bands, limit)

    def radius(self, value: float) -> float:
        """Return the distance from the centre, at most 1. Min-max leaves a hole, so that 0 does not hide all angles."""
        inside = min(max(value / self.limit, 0.0), 1.0)
        return inside if self.normalisation == "ratio" else HOLE + (1 - HOLE) * inside

    @property
    def rings(self) -> dict[float, str]:
        """Values at which circles are drawn, with their labels."""
        if self.normalisation == "minmax":
            return {0.0: "", 0.25: "", 0.5: "", 0.75: "", 1.0: ""}
        rings = {0.5: "0.5", 1.0: "1"}
        if self.limit > 1.25:
            rings[1.5] = "1.5"
        return {**{value: label for value, label in rings.items() if value < self.limit}, self.limit: ""}

    @property
    def caption(self) -> str:
        """One line saying how to read the radius."""
        if self.normalisation == "minmax":
            return "outward is better · on each axis: rim = best of these models, inner circle = worst"
        return "outward is better · radius = ratio to dense · band: confidence interval"
