"""Exact search: of all formulas, the one that describes best where a unit fires, without evaluating most of them."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, combinations
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsescope.dissection.areas import FormulaAreas
from sparsescope.dissection.concepts import Code
from sparsescope.dissection.formula import Operator
from sparsescope.dissection.search import Found, order, search
from sparsescope.dissection.settings import LONGEST
from sparsescope.dissection.shapes import Shapes, shapes
from sparsescope.dissection.unit_mask import Covered
from sparsescope.units import FloatArray

__all__ = ["search_exactly"]

CHUNK = 1 << 12
"""Sets of concepts that are bounded at once: their arrays stay in the processor's cache."""

BATCH = 16
"""Sets that are counted before the bounds are looked at again; twice as many each time after."""

Sets = NDArray[np.int64]
"""Places (k, B) of k different concepts in a table, ascending in every column."""


def search_exactly(
    areas: FormulaAreas, covered: Covered, *, length: int = 3, nodes: int = 500_000, beam: int = 5
) -> Found:
    """Return the formula F of the largest IoU = |M ∧ F| / |M ∨ F| with a unit's mask M, of all that `search` can build.

    A node is a set of concepts, and stands for every formula of just these: their areas are sums of the areas where the
    concepts of subsets meet (see `shapes`). Singles and pairs are known, under the unit and beside it. For larger sets,
    the pairs bound where all meet, and so the best IoU of their formulas. Sets are counted in the order of these
    bounds, until none reaches what was found. Bounds are quotients of whole numbers, rounded once, so no rounding cuts
    off the best. Formulas are ordered as in `search`, here all that there are: the answer does not depend on how it is
    found, nor on the units before.

    With more than `nodes` sets of three and more concepts, nodes are the sets of those concepts that share most with
    the unit. The others are bounded together (see `_beyond`), a beam search is tried too, and `Found.bound` may be
    larger than the IoU found.

    Args:
        areas: the areas of formulas over the probe set, shared by all units.
        covered: where the unit fires (not empty), and what lies there.
        length: concepts in a formula, at most; up to `LONGEST`.
        nodes: sets of three and more concepts that are bounded, at most.
        beam: formulas kept in each round of the beam search, where one is needed.

    Source: the problem, and searching by admissible bounds on what concepts share, La Rosa & Gilpin 2026. The nodes and
    the bounds here are others: sets of concepts, and Bonferroni's inequalities.
    """
    every = _Table.of(areas, covered)
    best = _Best(every.size)
    for size in range(1, min(2, length) + 1):
        which = shapes(size, length)
        for sets in _sets(len(every.labels), size):
            best.take(which, every, sets, *every.bounds(sets))
        if best.code is None:
            return Found(None, 0.0, None, 0.0, 0.0)
        if size == 1:
            (label, *_), label_iou = best.code[0], best.iou
    most = _concepts_within(nodes, length, len(every.labels))
    table = every.strongest(most)
    for size in range(3, min(length, most) + 1):
        _descend(areas, covered, table, shapes(size, length), size, best)
    bound = best.iou
    if most < len(every.labels):
        tried = search(areas, covered, length=length, beam=beam)
        best.offer(tried.iou, tried.formula)
        bound = max(best.iou, _beyond(every, table, length))
    return Found(best.code, best.iou, label, label_iou, bound)


class _Table(NamedTuple):
    """What some concepts share: pixels float64 of each pair under the unit and beside it, areas on the diagonals.

    Args:
        size: |M|.
        labels: the concepts (C,), ascending.
        inside: |M ∧ c ∧ d| (C, C).
        beside: |c ∧ d| − |M ∧ c ∧ d| (C, C).
    """

    size: int
    labels: NDArray[np.int64]
    inside: FloatArray
    beside: FloatArray

    @classmethod
    def of(cls, areas: FormulaAreas, covered: Covered) -> "_Table":
        shown = np.flatnonzero(areas.atoms > 0)
        grid = np.ix_(shown, shown)
        inside, pairs = covered.pairs()[grid], areas.pairs[grid]
        return cls(covered.mask.area, shown, inside.astype(np.float64), (pairs - inside).astype(np.float64))

    def strongest(self, number: int) -> "_Table":
        """Return the table of the concepts that share most with the unit."""
        if number == len(self.labels):
            return self
        kept = np.sort(np.argsort(-self.inside.diagonal(), kind="stable")[:number])
        grid = np.ix_(kept, kept)
        return _Table(self.size, self.labels[kept], self.inside[grid], self.beside[grid])

    def bounds(self, sets: Sets) -> tuple["_Bounds", "_Bounds"]:
        """Return what is known of the areas where the concepts of each set meet, under the unit and beside it."""
        return _bounds(self.inside, sets), _bounds(self.beside, sets)


class _Bounds(NamedTuple):
    """Least and most pixels (2**k - 1, B) where all concepts of each subset of a set hold; equal where known."""

    low: FloatArray
    high: FloatArray


def _bounds(pairs: FloatArray, sets: Sets) -> _Bounds:
    """Bound what three and more concepts share: no more than any two of them, and, for each c of the others, what is
    left when all that they miss of c is taken from it: Σ |c ∧ d| − (k − 2)|c|.
    """
    size, width = sets.shape
    low = np.empty(((1 << size) - 1, width))
    high = np.empty_like(low)
    known = {(i, j): pairs[sets[i], sets[j]] for j in range(size) for i in range(j + 1)}
    for row, members in enumerate(_subsets(size)):
        if len(members) < 3:
            low[row] = high[row] = known[members[0], members[-1]]
            continue
        np.minimum.reduce([known[pair] for pair in combinations(members, 2)], out=high[row])
        low[row] = 0
        for i in members:
            left = (2 - len(members)) * known[i, i]
            for j in members:
                if j != i:
                    left += known[min(i, j), max(i, j)]
            np.maximum(low[row], left, out=low[row])
    return _Bounds(low, high)


@lru_cache(maxsize=LONGEST)
def _subsets(size: int) -> tuple[tuple[int, ...], ...]:
    """The non-empty subsets of k ranks, in the order of `Shapes.terms`."""
    return tuple(tuple(rank for rank in range(size) if bits >> rank & 1) for bits in range(1, 1 << size))


def _optimistic(which: Shapes, size: int, inside: _Bounds, beside: _Bounds) -> FloatArray:
    """Return the largest IoU (formulas, B) that the areas allow; the IoU itself where they are known."""
    shared, extra = which.terms @ inside.high, which.terms @ beside.low
    for row, members in enumerate(_subsets(len(inside.low).bit_length())):
        taken = np.flatnonzero(which.terms[:, row] < 0)
        if len(members) > 2 and len(taken):
            term = which.terms[taken, row][:, None]
            shared[taken] -= term * (inside.high[row] - inside.low[row])
            extra[taken] += term * (beside.high[row] - beside.low[row])
    np.maximum(extra, 0, out=extra)
    extra += size
    shared /= extra
    return shared


class _Best:
    """The best formula so far of a mask of `size` pixels."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.iou = 0.0
        self.code: Code | None = None

    def offer(self, iou: float, code: Code | None) -> None:
        """Keep a formula that comes before the best one; one of IoU 0 explains nothing."""
        if code is not None and iou > 0 and (self.code is None or order(iou, code) < order(self.iou, self.code)):
            self.iou, self.code = iou, code

    def take(self, which: Shapes, table: _Table, sets: Sets, inside: _Bounds, beside: _Bounds) -> None:
        """Offer all formulas of sets whose areas are known."""
        ious = _optimistic(which, self._size, inside, beside)
        top = float(ious.max(initial=0))
        if top < self.iou or not top:
            return
        for form, column in np.argwhere(ious == top):
            ranks, operators = which.codes[form]
            self.offer(top, (tuple(int(table.labels[sets[rank, column]]) for rank in ranks), operators))


def _descend(areas: FormulaAreas, covered: Covered, table: _Table, which: Shapes, size: int, best: _Best) -> None:
    """Offer the formulas of all sets of so many concepts, but for those that cannot reach the best."""
    kept, tops = [], []
    for sets in _sets(len(table.labels), size):
        top = _optimistic(which, table.size, *table.bounds(sets)).max(axis=0)
        there = np.flatnonzero(top >= best.iou)
        kept.append(sets[:, there])
        tops.append(top[there])
    sets, top = np.concatenate(kept, axis=1), np.concatenate(tops)
    ranking = np.argsort(-top, kind="stable")
    sets, top = sets[:, ranking], top[ranking]
    start, batch = 0, BATCH
    while reached := int((top[start : start + batch] >= best.iou).sum()):
        some = sets[:, start : start + reached]
        best.take(which, table, some, *_counted(areas, covered, table, some))
        start, batch = start + reached, 2 * batch


def _counted(areas: FormulaAreas, covered: Covered, table: _Table, sets: Sets) -> tuple[_Bounds, _Bounds]:
    """Return the areas where the concepts of each set meet, under the unit and beside it."""
    inside, beside = table.bounds(sets)
    for row, members in enumerate(_subsets(len(sets))):
        if len(members) > 2:
            labels = table.labels[sets[list(members)]].T
            here = covered.meetings(labels)
            inside.low[row] = inside.high[row] = here
            everywhere = np.array([areas.meeting(tuple(row)) for row in labels.tolist()])
            beside.low[row] = beside.high[row] = everywhere - here
    return inside, beside


def _beyond(every: _Table, table: _Table, length: int) -> float:
    """Return an IoU that no formula with a concept outside `table` exceeds.

    Take such a concept w out of a formula F of three: what is left, F0, is known. If w is not negated, F lies between
    F0 and F0 ∨ w; if it is, between F0 ∧ ¬w and F0. Longer formulas share no more with the unit than their concepts do.
    """
    own, rest = every.inside.diagonal(), ~np.isin(every.labels, table.labels)
    if length > 3:
        return min(1.0, float(np.sort(own)[-length:].sum()) / every.size)
    added = own[rest].max()
    removed = np.where(np.eye(len(own), dtype=bool)[:, rest], 0, every.beside[:, rest]).max(axis=1)
    most = added / every.size
    for size in (1, 2):
        which = shapes(size, length)
        for sets in _sets(len(own), size):
            inside, beside = (which.terms @ known.low for known in every.bounds(sets))
            for (ranks, operators), shared, extra in zip(which.codes, inside, beside, strict=True):
                lost = _lost(removed[sets[list(ranks)]], operators)
                grown = np.minimum(shared + added, every.size) / (every.size + extra)
                cut = shared / (every.size + np.maximum(extra - lost, 0))
                most = max(most, grown.max(), cut.max())
    return float(most)


def _lost(removed: FloatArray, operators: tuple[Operator, ...]) -> FloatArray:
    """Return the most pixels beside the unit that one more negation takes from a formula of one or two concepts."""
    if not operators or operators[0] == Operator.AND_NOT:
        lost: FloatArray = removed[0]
    elif operators[0] == Operator.OR:
        lost = removed.sum(axis=0)
    else:
        lost = removed.min(axis=0)
    return lost


@lru_cache(maxsize=8)
def _concepts_within(nodes: int, length: int, concepts: int) -> int:
    """Return how many concepts have no more than `nodes` sets of three to `length`."""
    while concepts > 2 and sum(comb(concepts, size) for size in range(3, length + 1)) > nodes:
        concepts -= 1
    return concepts


def _sets(concepts: int, size: int) -> Iterator[Sets]:
    """All sets of so many of the concepts, a chunk at a time."""
    every = _combinations(concepts, size)
    return (every[:, start : start + CHUNK] for start in range(0, every.shape[1], CHUNK))


@lru_cache(maxsize=8)
def _combinations(concepts: int, size: int) -> Sets:
    flat = np.fromiter(chain.from_iterable(combinations(range(concepts), size)), dtype=np.int64)
    return np.ascontiguousarray(flat.reshape(-1, size).T)
