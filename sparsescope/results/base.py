"""What all records share: plain values, and numbers that every page and plot can show."""

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

__all__ = [
    "LARGEST",
    "Count",
    "Finite",
    "Interval",
    "OptionalFloat",
    "OptionalInterval",
    "PlainDict",
    "Record",
    "RoundedShare",
    "Share",
    "plain",
    "writable",
]

LARGEST = 1e100
"""Beyond every measured number, and small enough that sums and squares of such numbers are finite."""
MOST = 2**53
"""Counts up to this are exact as floats too."""


def plain(value: Any) -> Any:
    """Return `value` with numpy scalars and arrays as Python numbers and lists, and nan and infinity as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _finite_interval(value: Any) -> Any:
    ends = plain(value)
    return None if isinstance(ends, list) and None in ends else value


def _rising(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError(f"expected the lower end of an interval first, but got {list(ends)}")
    return ends


def writable(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what cannot be written as JSON in UTF-8, such as half a surrogate pair."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected plain numbers, texts, lists and dicts, but {error}") from error
    return value


def _showable(number: float) -> float:
    if abs(number) > LARGEST:
        raise ValueError(f"expected a number within ±{LARGEST:g}, but got {number:g}")
    return number


def _countable(number: int) -> int:
    if number > MOST:
        raise ValueError(f"expected at most {MOST} things, but got {float(min(number, 10**300)):g}")
    return number


Finite = Annotated[float, Field(allow_inf_nan=False), AfterValidator(_showable)]
Interval = Annotated[tuple[Finite, Finite], AfterValidator(_rising)]
Share = Annotated[float, Field(ge=0, le=1)]
"""A fraction."""
RoundedShare = Annotated[float, Field(ge=0, le=1 + 1e-9)]
"""A computed fraction: means of numbers near 1 may exceed it by rounding."""
Count = Annotated[int, Field(ge=0), AfterValidator(_countable)]
"""A number of things."""

# JSON has no nan or infinity: they become None here, on construction, so that a saved evaluation loads as its equal.
OptionalFloat = Annotated[Finite | None, BeforeValidator(plain)]
OptionalInterval = Annotated[Interval | None, BeforeValidator(_finite_interval)]
PlainDict = Annotated[dict[str, Any], BeforeValidator(plain), AfterValidator(writable)]


def _without_example(schema: dict[str, Any]) -> None:
    """Take the Python example of the docstring out of the JSON Schema's description, in place."""
    schema["description"] = schema.get("description", "").partition("\n\nExample:")[0]


class Record(BaseModel):
    """Plain, frozen values."""

    model_config = ConfigDict(  # later versions may add fields
        frozen=True, extra="ignore", populate_by_name=True, json_schema_extra=_without_example
    )
