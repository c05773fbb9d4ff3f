"""Beam search for the formula that describes best where a unit fires, without evaluating most formulas."""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsescope.dissection.areas import FormulaAreas
from sparsescope.dissection.concepts import Code
from sparsescope.dissection.formula import Operator
from sparsescope.dissection.unit_mask import Covered
from sparsescope.units import FloatArray

__all__ = ["Found", "order", "search"]

Count = TypeVar("Count", int, NDArray[np.int64])


@dataclass(frozen=True)
class Found:
    """What a search found: the best formula and the best single concept; None where no concept meets the unit.

    `bound` is an IoU that no formula exceeds: that of the formula found where it is the best of all, nan where the
    search does not know.
    """

    formula: Code | None
    iou: float
    label: int | None
    label_iou: float
    bound: float = math.nan


class _Member(NamedTuple):
    """A formula in the beam: its IoU with the unit, and the area of M ∧ F."""

    iou: float
    code: Code
    shared: int


class _Extensions(NamedTuple):
    """All extensions of some formulas, arrays (formulas, 3, C): IoU between `low` and `high`, and |M ∧ (F o c)|."""

    low: FloatArray
    high: FloatArray
    shared: NDArray[np.int64]


def search(areas: FormulaAreas, covered: Covered, *, length: int = 3, beam: int = 5) -> Found:
    """Return the best formula F for a unit's mask M by IoU = |M ∧ F| / |M ∨ F| over the probe set.

    Starts from the `beam` best concepts; in each of length - 1 rounds extends every formula of the beam by OR c, AND c
    and AND NOT c with every concept c that the probe set shows, and keeps the `beam` best of old and new. Formulas are
    ordered by IoU (float64, largest first), then length, then the indices of their concepts from left to right, then
    their operators (OR, AND, AND NOT): a total order, so the answer does not depend on how it is found.

    With B = |M ∧ F ∧ c|, counted on the words where M is not empty, everything but the overlap A = |F ∧ c| is known:
    OR has area f + l − A and intersection i_F + i_c − B; AND has A and B; AND NOT f − A and i_F − B. Bounds on A bound
    the IoU; A is counted only for extensions that may still reach the beam.

    Args:
        areas: the areas of formulas over the probe set, shared by all units.
        covered: where the unit fires (not empty), and what lies there.
        length: concepts in a formula, at most.
        beam: formulas kept in each round.

    Source: Mu & Andreas 2020. Their code breaks ties by the order in which formulas are met, adds 1e-10 to the union,
    and lets a formula that is met twice take two places of the beam (only at length 4 and above).
    """
    rounds = _Rounds(areas, covered, beam)
    shared = covered.areas
    ious = shared / (covered.mask.area + areas.atoms - shared)
    best = np.lexsort((np.arange(len(ious)), -ious))[:beam]
    members = [_Member(float(ious[c]), ((int(c),), ()), int(shared[c])) for c in best if shared[c] > 0]
    if not members:
        return Found(None, 0.0, None, 0.0)
    label = members[0]
    fresh = members
    for _ in range(length - 1):
        kept = rounds.extend(members, fresh)
        # The extensions of an older formula that were left out before cannot come back: the beam only gets better.
        fresh = [member for member in kept if member not in members]
        members = kept
        if not fresh:
            break
    return Found(members[0].code, members[0].iou, label.code[0][0], label.iou)


class _Rounds:
    """The rounds of one unit's search."""

    def __init__(self, areas: FormulaAreas, covered: Covered, beam: int) -> None:
        self._areas, self._covered, self._beam = areas, covered, beam
        self._size = covered.mask.area
        self._shown = np.flatnonzero(areas.atoms > 0)

    def extend(self, members: Sequence[_Member], fresh: Sequence[_Member]) -> list[_Member]:
        """Return the `beam` best of the members and of all extensions of the fresh ones among them."""
        low, high, shared = self._extensions(fresh)
        held = [member.iou for member in members]
        floor = self._best(held, low).min()  # at least `beam` formulas reach it
        ious = np.where(low == high, low, -1.0)  # those that are known
        best = self._best(held, ious)
        doubtful = np.flatnonzero((low < high) & (high >= floor))
        for flat in doubtful[np.argsort(-high.ravel()[doubtful], kind="stable")]:
            index = _index(flat, high)
            if high[index] < max(floor, best.min()):
                break
            ious[index] = self._exact(fresh[index[0]], Operator(index[1]), index[2], int(shared[index]))
            best = self._best(best, ious[index])
        candidates = list(members)
        for flat in np.flatnonzero(ious >= best.min()):
            index = _index(flat, high)
            labels, operators = fresh[index[0]].code
            code = (*labels, int(self._shown[index[2]])), (*operators, Operator(index[1]))
            candidates.append(_Member(float(ious[index]), code, int(shared[index])))
        return heapq.nsmallest(self._beam, candidates, key=lambda member: order(member.iou, member.code))

    def _best(self, *ious: ArrayLike) -> FloatArray:
        """The `beam` largest, in any order; -1, which every IoU reaches, where there are fewer."""
        values = np.concatenate([np.full(self._beam, -1.0), *map(np.ravel, ious)])
        return np.partition(values, len(values) - self._beam)[-self._beam :]

    def _exact(self, member: _Member, operator: Operator, column: int, shared: int) -> float:
        """The IoU of one extension."""
        concept = int(self._shown[column])
        overlap = self._areas.exact(member.code, concept)
        area = _area(operator, self._areas.of(member.code).area, int(self._areas.atoms[concept]), overlap)
        return shared / (self._size + area - shared)

    def _extensions(self, formulas: Sequence[_Member]) -> _Extensions:
        shape = (len(formulas), len(Operator), len(self._shown))
        low, high, shared = np.empty(shape), np.empty(shape), np.empty(shape, dtype=np.int64)
        concepts, covered = self._areas.atoms[self._shown], self._covered.areas[self._shown]
        for i, (_, code, mine) in enumerate(formulas):
            both = self._covered.intersections(self._covered.formula(code))[self._shown]
            known = self._areas.of(code)
            # Outside the unit, the overlap is at most what is left of either.
            outside = np.minimum(known.area - mine, concepts - covered)
            least = np.maximum(known.lower[self._shown], both)
            most = np.minimum(known.upper[self._shown], both + outside)
            shared[i, Operator.OR] = mine + covered - both
            shared[i, Operator.AND] = both
            shared[i, Operator.AND_NOT] = mine - both
            for operator in Operator:
                ends = [
                    shared[i, operator]
                    / (self._size + _area(operator, np.array(known.area), concepts, overlap) - shared[i, operator])
                    for overlap in (least, most)
                ]
                low[i, operator], high[i, operator] = np.minimum(*ends), np.maximum(*ends)
        return _Extensions(low, high, shared)


def _area(operator: Operator, formula: Count, concept: Count, overlap: Count) -> Count:
    """|F o c| from |F|, |c| and |F ∧ c|."""
    if operator == Operator.OR:
        return formula + concept - overlap
    return overlap if operator == Operator.AND else formula - overlap


def _index(flat: np.intp, array: FloatArray) -> tuple[int, int, int]:
    i, operator, column = np.unravel_index(flat, array.shape)
    return int(i), int(operator), int(column)


def order(iou: float, code: Code) -> tuple[float, int, tuple[int, ...], tuple[Operator, ...]]:
    """Return what formulas are sorted by, the best first: IoU, length, labels from left to right, operators."""
    labels, operators = code
    return -iou, len(labels), labels, operators
