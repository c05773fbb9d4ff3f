"""What decides a dissection."""

from dataclasses import dataclass

from sparsescope.errors import OptionError

__all__ = ["DissectionSettings"]


@dataclass(frozen=True)
class DissectionSettings:
    """Options of a dissection; the defaults are those of Mu & Andreas 2020.

    Args:
        layer: name of a module of the network; None: the last whose output is a map (see `layers.default_layer`).
        fraction: of a unit's activations that exceed its threshold.
        length: concepts in a formula, at most.
        beam: formulas kept in each round of the search.
        null: whether each search is repeated with the unit's masks on shuffled images, another search.
        held_out: whether formulas are also found on either half of the images and judged on the other, another search.

    Raises:
        OptionError: a value outside its range.
    """

    layer: str | None = None
    fraction: float = 0.005
    length: int = 3
    beam: int = 5
    null: bool = True
    held_out: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.fraction < 1:
            raise OptionError(f"Expected fraction to be between 0 and 1, but got {self.fraction!r}.")
        for name in ("length", "beam"):
            if getattr(self, name) < 1:
                raise OptionError(f"Expected {name} to be at least 1, but got {getattr(self, name)!r}.")
