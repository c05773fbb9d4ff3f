"""The searches for a unit's formula, by name."""

from collections.abc import Callable

from sparsescope.dissection.areas import FormulaAreas
from sparsescope.dissection.exact import search_exactly
from sparsescope.dissection.search import Found, search
from sparsescope.dissection.settings import DissectionSettings, Search
from sparsescope.dissection.unit_mask import Covered

__all__ = ["find"]


def find(areas: FormulaAreas, covered: Covered, settings: DissectionSettings) -> Found:
    """Return what the search that the settings name finds for a unit."""
    return _SEARCHES[settings.search](areas, covered, settings)


def _exact(areas: FormulaAreas, covered: Covered, settings: DissectionSettings) -> Found:
    return search_exactly(areas, covered, length=settings.length, nodes=settings.nodes, beam=settings.beam)


def _beam(areas: FormulaAreas, covered: Covered, settings: DissectionSettings) -> Found:
    return search(areas, covered, length=settings.length, beam=settings.beam)


_SEARCHES: dict[Search, Callable[[FormulaAreas, Covered, DissectionSettings], Found]] = {
    "exact": _exact,
    "beam": _beam,
}
