"""Which networks a sweep should have: what its recipe lists, and every combination of what it holds."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sparsescope.curves.records import SMALL
from sparsescope.errors import InputError
from sparsescope.results import Sweep, SweepPoint
from sparsescope.userfiles import object_name

__all__ = ["Grid", "rounded"]

Place = tuple[str, float | None]
MOST_ROUNDS = 1000


@dataclass(frozen=True)
class Grid:
    """The points of a sweep by method and target, then seed.

    Args:
        methods: their names in the recipe's order, without the small dense twin; of `FILE.py:function` the function's.
        targets: sparsities asked for, rising.
        seeds: rising.
        points: what was evaluated.
    """

    methods: tuple[str, ...]
    targets: tuple[float, ...]
    seeds: tuple[int, ...]
    points: dict[Place, dict[int, SweepPoint]]

    @classmethod
    def of(cls, sweep: Sweep) -> "Grid":
        """Return a sweep's grid; raises InputError where a network is listed twice or has no target.

        The recipe's `methods`, `sparsities` or `rounds` (n of 1 - 0.8ⁿ), `seeds` and `small`, where it has them, say
        what is missing; so does every sparsity of one method that another lacks.
        """
        points: dict[Place, dict[int, SweepPoint]] = {}
        for point in sweep.points:
            if (point.target is None) != (point.method == SMALL):
                raise InputError(f"Expected a target sparsity for every method but {SMALL!r}, but got {point!r}.")
            place = object_name(point.method), rounded(point.target)
            at_place = points.setdefault(place, {})
            if point.seed in at_place:
                raise InputError(
                    f"Expected every network once, but sweep.json lists {point.method} at {place[1]} with seed "
                    f"{point.seed} twice."
                )
            at_place[point.seed] = point
        wished = [number for number in _listed(sweep, "sparsities", (int, float)) if 0 <= number <= 1]
        wished += [1 - 0.8**n for n in _listed(sweep, "rounds", int) if 0 <= n <= MOST_ROUNDS]
        targets = _union(map(rounded, wished), (target for _, target in points if target is not None))
        methods = _union(map(object_name, _listed(sweep, "methods", str)), (method for method, _ in points))
        seeds = _union(_listed(sweep, "seeds", int), (seed for found in points.values() for seed in found))
        if sweep.recipe.get("small"):
            points.setdefault((SMALL, None), {})
        tickets = tuple(method for method in methods if method != SMALL)
        return cls(tickets, tuple(sorted(targets)), tuple(sorted(seeds)), points)

    @property
    def missing(self) -> tuple[tuple[str, float | None, int], ...]:
        """Networks that should be there and are not: method, target, seed."""
        places: list[Place] = [(method, target) for method in self.methods for target in self.targets]
        places += [place for place in self.points if place[0] == SMALL]
        return tuple(
            (*place, seed) for place in places for seed in self.seeds if seed not in self.points.get(place, {})
        )


def rounded(target: float | None) -> float | None:
    """Return a sparsity without the last digits, in which 1 - 0.8 ** 3 and 0.488 differ."""
    return None if target is None else round(target, 6)


def _listed(sweep: Sweep, key: str, kind: Any) -> list[Any]:
    """Return the recipe's values of one kind under a key; nothing where it is no list of such values."""
    values = sweep.recipe.get(key)
    return values if isinstance(values, list) and all(isinstance(value, kind) for value in values) else []


def _union(first: Iterable[Any], second: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys([*first, *second]))
