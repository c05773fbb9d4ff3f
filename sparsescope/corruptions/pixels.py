"""Types and the last step that all corruptions share."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "Generators", "Images", "Parameters", "looked_up", "truncated"]

Images = NDArray[np.uint8]
"""RGB images uint8 (N, H, W, 3)."""

Floats = NDArray[np.float32]

Generators = Iterable[np.random.Generator]
"""One random generator per image, made only when it is asked for."""

Parameters = tuple[float, ...]

GUARD = 2e-4
"""Levels added before truncation, so that float32 rounding cannot turn an exact level into the one below."""


def truncated(levels: NDArray[Any], guard: float = 0.0) -> NDArray[np.uint8]:
    """Clip levels to [0, 255] in place and drop their fractions, as the published sets do (they do not round)."""
    if guard:
        levels += guard
    np.clip(levels, 0, 255, out=levels)
    return levels.astype(np.uint8)


def looked_up(table: NDArray[np.uint8], rows: Images, columns: Images) -> NDArray[np.uint8]:
    """Return table[rows, columns] of a table (256, 256); the two broadcast against each other."""
    return table.reshape(-1).take((rows.astype(np.uint16) << 8) | columns)
