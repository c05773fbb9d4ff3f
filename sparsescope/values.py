"""What counts as a number where users hand one over: Python's and NumPy's, and never True or False."""

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

__all__ = ["is_number", "is_whole", "per_channel"]


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number by its type."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Return whether a value is a finite real number, as far as a float reaches."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def per_channel(given: Any) -> tuple[Any, ...]:
    """Return the values of a sequence, array, tensor or iterator as a tuple; a single number stands alone."""
    values = given.tolist() if hasattr(given, "tolist") else given
    return tuple(values) if isinstance(values, Iterable) else (values,)
