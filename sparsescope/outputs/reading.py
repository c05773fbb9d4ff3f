"""From what a network returns — a tensor, or something that holds several — to logits (N, K)."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from sparsescope.errors import InputError
from sparsescope.outputs import FORMS, split_output
from sparsescope.outputs.forms import Adaptation, in_unit_interval

__all__ = ["OutputReader", "described"]

_SHOWN = 8


@dataclass(frozen=True)
class OutputReader:
    """Reads logits from a network's output.

    Args:
        output: what to read, as `Classifier.output`.
        name: how messages name the network.
    """

    output: str | int
    name: str

    def values(self, returned: object, images: int) -> Tensor:
        """Return the tensor that is asked for, as it is, of what the network returned for so many images.

        Raises:
            InputError: the output has no such entry, or has several; the text lists them.
        """
        entry, forms = self._asked
        if entry is None and not isinstance(returned, Tensor) and forms and forms[0] in _entries(returned):
            entry = forms[0]  # a field that is called as its form is
        if entry is not None:
            returned = self._entry(returned, entry)
        if not isinstance(returned, Tensor):
            raise InputError(
                f"Expected {self.name} to return logits of shape ({images}, K) with K >= 2, but it returns "
                f"{described(returned)}. Choose the logits with --model-output{_listed(returned)}."
            )
        return returned

    def logits(self, values: Tensor, images: int) -> Tensor:
        """Return the logits (images, K) in what `values` returned; raises InputError where the shape is another."""
        for adaptation in self.adaptations:
            values = self.adapted(values, adaptation, images)
        if values.ndim != 2 or len(values) != images or values.shape[1] < 2 or not values.is_floating_point():
            raise InputError(
                f"Expected {self.name} to return logits of shape ({images}, K) with K >= 2, but it returns "
                f"{described(values)}. {_advice(values, images)}"
            )
        return values

    def adapted(self, values: Tensor, adaptation: Adaptation, images: int) -> Tensor:
        """Return values that are one form nearer to logits; raises InputError where the form has another shape."""
        if adaptation.single and (values.numel() != images or values.shape[:1] not in ((), (images,))):
            raise InputError(
                f"Expected {self.name} to return one value for an image, ({images},) or ({images}, 1), as "
                f"--model-output {self.output} says, but it returns {described(values)}."
            )
        return adaptation.adapt(values)

    @cached_property
    def adaptations(self) -> tuple[Adaptation, ...]:
        """The forms that are read, one after the other."""
        return tuple(FORMS[form].load() for form in self._asked[1])

    @cached_property
    def _asked(self) -> tuple[str | int | None, tuple[str, ...]]:
        return split_output(self.output)

    def _entry(self, returned: object, entry: str | int) -> object:
        if isinstance(returned, Tensor):
            raise InputError(
                f"{self.name} returns {described(returned)} already: leave --model-output {self.output} out."
            )
        whole = _step(returned, entry)
        if whole is not None or not isinstance(entry, str):
            found = whole
        else:
            found = returned
            for part in entry.split("."):
                found = _step(found, int(part) if part.lstrip("-").isdecimal() else part)
        if found is None:
            raise InputError(
                f"{self.name} returns {described(returned)}: it has no entry {entry!r}. Choose one with "
                f"--model-output{_listed(returned)}."
            )
        return found


def _entries(returned: object) -> dict[Any, object]:
    """Return what an output holds by key, field or place; nothing where it is a tensor or something else."""
    if isinstance(returned, Mapping):
        return dict(returned)
    if isinstance(returned, tuple) and (fields := getattr(returned, "_fields", None)):
        return dict(zip(fields, returned, strict=True))
    if isinstance(returned, list | tuple):
        return dict(enumerate(returned))
    if dataclasses.is_dataclass(returned):
        return {field.name: getattr(returned, field.name) for field in dataclasses.fields(returned)}
    return {} if isinstance(returned, Tensor) else dict(getattr(returned, "__dict__", {}))


def _step(returned: object, entry: str | int) -> object:
    """Return one entry of an output by name, or by place; None where there is none."""
    entries = _entries(returned)
    if entry in entries:
        return entries[entry]
    values = list(entries.values())
    return values[entry] if isinstance(entry, int) and -len(values) <= entry < len(values) else None


def _tensors(returned: object, path: str = "", depth: int = 3) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors in an output, some levels deep, by what --model-output calls them."""
    for name, value in _entries(returned).items():
        if isinstance(value, Tensor):
            yield f"{path}{name}", value
        elif depth > 1:
            yield from _tensors(value, f"{path}{name}.", depth - 1)


def _listed(returned: object) -> str:
    found = [f"{path} for shape {tuple(tensor.shape)}" for path, tensor in _tensors(returned)]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f": {', '.join(found[:_SHOWN])}{more}" if found else ", an index, a key or a field"


def _advice(values: Tensor, images: int) -> str:
    """Return what to do about a tensor that is no (images, K) of logits."""
    if values.ndim == 0 or len(values) != images:
        return "One row of class scores is needed for each image."
    if not values.is_floating_point():
        return "Class scores are needed, not the numbers of classes: return what they are chosen by."
    if values.numel() == images:
        form = "binary-probabilities" if in_unit_interval(values) else "binary"
        what = "probability" if in_unit_interval(values) else "logit"
        return f"If this is the {what} of the second of two classes, give --model-output {form}."
    if sum(size > 1 for size in values.shape[1:]) == 1:
        return "Give --model-output squeezed to drop dimensions of size 1."
    return "One row of class scores is needed for each image, not scores of many places in it."


def described(returned: object) -> str:
    """Return what an output is, for messages."""
    if isinstance(returned, Tensor):
        kind = "" if returned.is_floating_point() else f" and type {str(returned.dtype).removeprefix('torch.')}"
        return f"a tensor of shape {tuple(returned.shape)}{kind}"
    if isinstance(returned, dict):
        return f"a dict with keys {list(returned)}"
    if isinstance(returned, list | tuple):
        return f"a {type(returned).__name__} of {len(returned)}"
    return f"a {type(returned).__name__}"
