"""Formulas judged on images they were not chosen on."""

import math
from typing import NamedTuple

from sparsescope.dissection.areas import FormulaAreas
from sparsescope.dissection.concepts import ConceptStore
from sparsescope.dissection.searches import find
from sparsescope.dissection.settings import DissectionSettings
from sparsescope.dissection.unit_mask import Covered, UnitMask

__all__ = ["HeldOut"]


class _Half(NamedTuple):
    """One unit on every second image."""

    areas: FormulaAreas
    covered: Covered


class HeldOut:
    """Two-fold cross-fitting: formulas are found on one half of the probe images and judged on the other, both ways.

    The halves are every second image. A unit's threshold, which knows no concept, stays that of all images.

    Args:
        store: the packed concepts of all images.
        settings: those of the searches.

    Source: cross-validation, Stone 1974.
    """

    def __init__(self, store: ConceptStore, settings: DissectionSettings) -> None:
        self._settings, self._n = settings, store.n_images
        self._stores = [(half, FormulaAreas(half)) for half in store.halves]

    def iou(self, mask: UnitMask) -> float:
        """Return Σ |M ∧ F| / Σ |M ∨ F| over both halves, each with the other's formula F; nan for a single image.

        A half without a formula, since the unit does not fire or meets no concept there, explains nothing of the other.

        Args:
            mask: where the unit fires; not empty.
        """
        if self._n < 2:
            return math.nan
        one, two = (
            _Half(areas, Covered(store, mask.every_second(first))) for first, (store, areas) in enumerate(self._stores)
        )
        (shared_one, union_one), (shared_two, union_two) = self._judge(one, two), self._judge(two, one)
        return (shared_one + shared_two) / (union_one + union_two)

    def _judge(self, here: _Half, there: _Half) -> tuple[int, int]:
        """Return |M ∧ F| and |M ∨ F| there, of the formula found here."""
        fires = there.covered.mask.area
        if not len(here.covered.mask.words):
            return 0, fires
        code = find(here.areas, here.covered, self._settings).formula
        if code is None:
            return 0, fires
        shared = there.covered.area(code)
        return shared, fires + there.areas.of(code).area - shared
