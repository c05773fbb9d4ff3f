"""What decides a dissection."""

from dataclasses import dataclass
from typing import Literal, get_args

from sparsescope.errors import OptionError

__all__ = ["LONGEST", "SEARCHES", "DissectionSettings", "Search"]

Search = Literal["exact", "beam"]

SEARCHES: tuple[str, ...] = get_args(Search)

LONGEST = 4
"""Concepts in a formula, at most, of an exact search."""


@dataclass(frozen=True)
class DissectionSettings:
    """Options of a dissection; the defaults are those of Mu & Andreas 2020, but for the search.

    Args:
        layer: name of a module of the network; None: the last whose output is a map (see `layers.default_layer`).
        fraction: of a unit's activations that exceed its threshold.
        length: concepts in a formula, at most.
        beam: formulas kept in each round of a beam search.
        null: whether each search is repeated with the unit's masks on shuffled images, another search.
        held_out: whether formulas are also found on either half of the images and judged on the other, another search.
        search: `exact` finds the best of all formulas, up to `LONGEST` concepts; `beam` keeps the best few of each
            length, as Mu & Andreas 2020, and may miss it.
        nodes: sets of three and more concepts that an exact search bounds for each unit, at most. With more of them, a
            beam search is tried too, and the unit's `gap` tells how much better another formula could be.

    Raises:
        OptionError: a value outside its range.
    """

    layer: str | None = None
    fraction: float = 0.005
    length: int = 3
    beam: int = 5
    null: bool = True
    held_out: bool = True
    search: Search = "exact"
    nodes: int = 500_000

    def __post_init__(self) -> None:
        if not 0 < self.fraction < 1:
            raise OptionError(f"Expected fraction to be between 0 and 1, but got {self.fraction!r}.")
        for name in ("length", "beam", "nodes"):
            if getattr(self, name) < 1:
                raise OptionError(f"Expected {name} to be at least 1, but got {getattr(self, name)!r}.")
        if self.search not in SEARCHES:
            raise OptionError(f"Expected search to be one of {', '.join(SEARCHES)}, but got {self.search!r}.")
        if self.search == "exact" and self.length > LONGEST:
            raise OptionError(
                f"Expected length to be at most {LONGEST} with an exact search, but got {self.length}. Choose a beam "
                "search (search = beam) for longer formulas."
            )
