"""How many pixels a formula shares with every concept: bounds that cost nothing, counts where they are asked for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsescope.dissection.concepts import Code, ConceptStore
from sparsescope.dissection.formula import Operator

__all__ = ["FormulaAreas", "Overlaps"]

Counts = NDArray[np.int64]

KEPT_BYTES = 1 << 27
"""Memory for the bounds of formulas seen before; all are forgotten when it is full."""


@dataclass
class Overlaps:
    """A formula's area, and its overlap A (C,) with every concept: `lower` <= A <= `upper`, equal where it is known."""

    area: int
    lower: Counts
    upper: Counts


class FormulaAreas:
    """Areas of formulas over a probe set. They do not depend on any unit, so what was counted once serves all.

    For an atom the overlaps are the store's table of concept pairs, exactly. For F = G o c and a concept L of area l,
    inclusion and exclusion bound |F ∧ L| by |G ∧ L| and |c ∧ L|:

        OR       max(|G∧L|, |c∧L|)      .. min(l, |G∧L| + |c∧L|)
        AND      max(0, |G∧L| + |c∧L| − l) .. min(|G∧L|, |c∧L|)
        AND NOT  max(0, |G∧L| − |c∧L|)  .. min(|G∧L|, l − |c∧L|)

    The bounds meet whenever two of the three concepts are disjoint, as labels of one map are.

    Attributes:
        atoms: area (C,) of every concept.
    """

    def __init__(self, store: ConceptStore) -> None:
        self._store = store
        self.atoms, self.pairs = store.areas, store.overlaps
        self._known: dict[Code, Overlaps] = {}
        self._meetings: dict[tuple[int, ...], int] = {}
        self._most = max(64, KEPT_BYTES // (16 * len(store.concepts) + 512))

    def of(self, code: Code) -> Overlaps:
        """Return area and bounds of a formula."""
        if code not in self._known:
            if len(self._known) >= self._most:
                self._known.clear()
            self._known[code] = self._bounded(code)
        return self._known[code]

    def meeting(self, labels: tuple[int, ...]) -> int:
        """Return the pixels where all of some concepts, in ascending order, hold."""
        if labels not in self._meetings:
            if len(self._meetings) >= KEPT_BYTES // 256:
                self._meetings.clear()
            self._meetings[labels] = self._store.meeting(labels)
        return self._meetings[labels]

    def exact(self, code: Code, label: int) -> int:
        """Return the overlap of a formula and a concept, counted once if the bounds do not tell."""
        found = self.of(code)
        if found.lower[label] != found.upper[label]:
            found.lower[label] = found.upper[label] = self._store.overlap(code, label)
        return int(found.lower[label])

    def _bounded(self, code: Code) -> Overlaps:
        labels, operators = code
        last = self._store.overlaps[labels[-1]]
        if not operators:
            return Overlaps(int(last[labels[-1]]), last.copy(), last.copy())
        parent_code = labels[:-1], operators[:-1]
        shared = self.exact(parent_code, labels[-1])
        parent, areas = self.of(parent_code), self.atoms
        if operators[-1] == Operator.OR:
            area = parent.area + int(areas[labels[-1]]) - shared
            lower = np.maximum(parent.lower, last)
            upper = np.minimum(areas, parent.upper + last)
        elif operators[-1] == Operator.AND:
            area = shared
            lower = np.maximum(0, parent.lower + last - areas)
            upper = np.minimum(parent.upper, last)
        else:
            area = parent.area - shared
            lower = np.maximum(0, parent.lower - last)
            upper = np.minimum(parent.upper, areas - last)
        return Overlaps(area, np.maximum(lower, 0), np.minimum(upper, area))
