"""What every metric must say of itself, checked where its class is defined."""

import math
from abc import ABC
from collections.abc import Callable
from typing import Any, Literal, get_args

from sparsescope.errors import DefinitionError
from sparsescope.results import DIMENSIONS, ScaleFree
from sparsescope.results.records import MarginKind

__all__ = ["IntervalKind", "check_facts"]

IntervalKind = Literal["percentile", "normal", "jackknife"]
"""Bootstrap percentiles; value ± z standard deviations of bootstrap replicates; value ± t jackknife standard errors."""


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_name(value: Any) -> bool:
    return _is_text(value) and not any(character.isspace() or character in ".=," for character in value)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _are_bounds(value: Any) -> bool:
    if not (isinstance(value, tuple) and len(value) == 2 and all(end is None or _is_number(end) for end in value)):
        return False
    low, high = value
    return low is None or high is None or low < high


_FACTS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "name": ("a name without spaces, dots, commas and =", _is_name),
    "label": ("a text, such as 'Brier score'", _is_text),
    "sentence": ("a sentence that tells readers what the metric measures", _is_text),
    "dimension": (f"one of {', '.join(DIMENSIONS)}", DIMENSIONS.__contains__),
    "higher_is_better": ("True or False", _is_bool),
    "unit": ("a text, such as 'fraction'", _is_text),
    "bounds": ("the lowest and the highest possible value, None where there is none", _are_bounds),
    "source": ("a text, such as 'Brier 1950'", _is_text),
    "margin": ("a finite number >= 0", lambda value: _is_number(value) and value >= 0),
    "margin_kind": (f"one of {', '.join(get_args(MarginKind))}", get_args(MarginKind).__contains__),
    "in_verdict": ("True or False", _is_bool),
    "on_request": ("True or False", _is_bool),
    "interval": (f"one of {', '.join(get_args(IntervalKind))}", get_args(IntervalKind).__contains__),
    "share_of": ("the name of a boolean array of its units, or None", lambda value: value is None or _is_text(value)),
    "scale_free": ("a ScaleFree or None", lambda value: value is None or isinstance(value, ScaleFree)),
}
"""Class attribute -> what it must be, in words and as a test."""


def check_facts(cls: type) -> None:
    """Raise DefinitionError unless a metric's class has all facts; one that lists ABC among its bases need not.

    Raises:
        DefinitionError: the text names the class and everything that is missing or wrong, and what is expected.
    """
    if ABC in cls.__bases__:
        return
    missing = [f"{fact} ({wanted})" for fact, (wanted, _) in _FACTS.items() if not hasattr(cls, fact)]
    wrong = [
        f"Expected {fact} to be {wanted}, but got {getattr(cls, fact)!r}."
        for fact, (wanted, is_right) in _FACTS.items()
        if hasattr(cls, fact) and not is_right(getattr(cls, fact))
    ]
    if missing or wrong:
        lacks = f"It lacks {', '.join(missing)}." if missing else ""
        raise DefinitionError(
            f"The metric {cls.__module__}.{cls.__qualname__} does not say everything about itself. "
            f"{' '.join([lacks, *wrong]).strip()} Write these as class attributes (a class that only other metrics "
            "build on lists abc.ABC among its bases)."
        )
