"""The colours of the procedural probe set: the eleven basic colour terms, or five grey levels for one channel."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["colours", "shade"]

_COLOURS: dict[str, tuple[float, ...]] = {
    "black-c": (0.05, 0.05, 0.05),
    "grey-c": (0.5, 0.5, 0.5),
    "white-c": (0.95, 0.95, 0.95),
    "red-c": (0.85, 0.1, 0.1),
    "orange-c": (0.95, 0.5, 0.05),
    "yellow-c": (0.95, 0.9, 0.1),
    "green-c": (0.1, 0.65, 0.15),
    "blue-c": (0.1, 0.2, 0.85),
    "purple-c": (0.5, 0.1, 0.65),
    "pink-c": (0.95, 0.6, 0.75),
    "brown-c": (0.45, 0.25, 0.08),
}
_GREYS: dict[str, tuple[float, ...]] = {
    "black-c": (0.04,),
    "dark-grey-c": (0.27,),
    "grey-c": (0.5,),
    "light-grey-c": (0.73,),
    "white-c": (0.96,),
}
_SPREAD = 0.05  # of a painted region's colour; colours stay nearest to their own entry


def colours(channels: int) -> dict[str, tuple[float, ...]]:
    """Return name -> value per channel in [0, 1], for images of 1 or 3 channels.

    Source of the eleven: Berlin & Kay 1969; van de Weijer et al. 2009 label pixels with them.
    """
    return _GREYS if channels == 1 else _COLOURS


def shade(rng: np.random.Generator, name: str, channels: int) -> NDArray[np.float64]:
    """Return one shade (C,) of a colour, within 0.05 of it in every channel."""
    middle = np.array(colours(channels)[name])
    return middle + rng.uniform(-_SPREAD, _SPREAD, channels)
