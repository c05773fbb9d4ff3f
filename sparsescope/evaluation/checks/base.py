"""What a check is, what it is shown, and what it finds."""

import abc
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparsescope.benchmark import ImageSet, ProbeSet
from sparsescope.classifier import Classifier
from sparsescope.errors import DataError, InputError
from sparsescope.evaluation.checks.trace import Squashed, Trace, squashed, trace
from sparsescope.evaluation.measure import Results
from sparsescope.evaluation.task import Task
from sparsescope.metrics.base import RestsOn
from sparsescope.modules import CONVERTED
from sparsescope.snapshot import Snapshot
from sparsescope.units import FloatArray

__all__ = ["Check", "Doubt", "Finding", "Shown", "images_to_show"]

AGAIN, HALF_AGAIN = 1e-4, 1e-3
"""Share of the spread of logits by which answers to one batch may differ: compilers and GPUs change orders of sums."""
SHOWN = 16
"""Test images that every model is shown."""


@dataclass(frozen=True)
class Doubt:
    """Why some metrics of a model are no ground for a PASS.

    Args:
        reads: what such metrics read or differentiate in (see `Metric.rests_on`).
        reason: in words that follow "not judged:".
    """

    reads: frozenset[RestsOn]
    reason: str


@dataclass(frozen=True)
class Finding:
    """What a check found on one model that can be measured nevertheless.

    Args:
        warnings: sentences that follow the model's name.
        doubt: metrics that do not count in a verdict.
        constant: whether the model gives every image the same answer.
    """

    warnings: tuple[str, ...] = ()
    doubt: Doubt | None = None
    constant: bool = False


class Check(abc.ABC):
    """Something that is looked at on every model before its numbers are believed.

    A check overrides one of the methods below. Where a model cannot be used it raises an InputError; all models of a
    task that cannot be used are named at once. The class attributes are its row in docs/explanation/checks.md.
    """

    asks: ClassVar[str]
    """The question."""
    how: ClassVar[str]
    """How it is answered."""
    then: ClassVar[str]
    """What happens where the answer is no."""
    cost: ClassVar[str]
    """What it costs, beside what the others have done already."""

    def of_model(self, shown: "Shown") -> Finding:
        """Return what one model's answers to a few images show."""
        return Finding()

    def of_task(self, task: Task, logits: Mapping[str, FloatArray]) -> Mapping[str, Finding]:
        """Return what the models and the data show together, by model.

        Args:
            task: models and data.
            logits: by model, those (n, K) of `images_to_show` of the test images.
        """
        return {}

    def of_results(self, task: Task, results: Results) -> Mapping[str, Finding]:
        """Return what all that was measured shows, by model."""
        return {}


class Shown:
    """A model and the images that it is shown; every pass is made once, whichever checks look at it.

    Args:
        classifier: the model, prepared.
        images: a grey image, then others (n, C, H, W), n >= 2.
        reads: what will be read of it, as `Metric.rests_on` says.
    """

    def __init__(self, classifier: Classifier, images: Tensor, reads: frozenset[RestsOn]) -> None:
        self.classifier, self.images, self.reads = classifier, images, reads
        self.before = Snapshot(classifier.module, parameters=True)

    @cached_property
    def values(self) -> Tensor:
        """What the network returns for all images, before logits are read from it: (n, ...).

        Raises:
            DataError: the network cannot take images of this shape.
        """
        try:
            with torch.inference_mode():
                return self.classifier.values(self.images)
        except InputError:
            raise
        except Exception as error:  # whatever a foreign network raises on images that are not for it
            raise _refused(self.classifier, tuple(self.images.shape[1:]), error) from error

    @cached_property
    def logits(self) -> FloatArray:
        """The logits (n, K) of all images."""
        return self._read(self.values)

    @cached_property
    def again(self) -> FloatArray:
        """The logits (n, K) of all images, asked a second time."""
        return self.ask(list(range(len(self.images))))

    @cached_property
    def trace(self) -> Trace | None:
        """What happens inside the network while it answers to two of the images.

        None where nobody can tell: a network that takes no hooks, or not two images.
        """
        with contextlib.suppress(Exception):  # whatever a foreign network raises when it is looked into
            return self.classifier.looked_at(self.images[:2], trace)
        return None

    @cached_property
    def squashed(self) -> Squashed | None:
        """What sigmoids and softmaxes inside it return; None where nobody can tell."""
        with contextlib.suppress(Exception):  # likewise
            return self.classifier.looked_at(self.images, squashed)
        return None

    @cached_property
    def finite(self) -> NDArray[np.bool_]:
        """Which images (n,) have finite logits; of the others the measurements tell."""
        return np.array(np.isfinite(self.logits).all(axis=1))

    @cached_property
    def spread(self) -> float:
        """How far logits are from the mean of their image at most: what differences between answers compare with."""
        logits = self.logits[self.finite]
        return float(np.abs(logits - logits.mean(axis=1, keepdims=True)).max(initial=0.0))

    @cached_property
    def repeats(self) -> bool:
        """Whether the second answers are the first ones, but for rounding."""
        return self.agree(self.logits, self.again, HALF_AGAIN if self.half else AGAIN)

    @property
    def half(self) -> bool:
        """Whether the network computes in half precision."""
        return any(tensor.dtype in (torch.float16, torch.bfloat16) for tensor in self.classifier.module.parameters())

    def ask(self, rows: list[int]) -> FloatArray:
        """Return the logits of some of the images, shown as one batch."""
        with torch.inference_mode():
            values = self.classifier.values(self.images[rows])
        return self._read(values)

    def agree(self, first: FloatArray, second: FloatArray, tolerance: float) -> bool:
        """Return whether logits are equal to within `tolerance` of the spread; those that are not finite are equal."""
        known = np.isfinite(first) & np.isfinite(second)
        return bool((np.abs(first - second)[known] <= tolerance * self.spread).all())

    def _read(self, values: Tensor) -> FloatArray:
        with torch.inference_mode():
            logits: FloatArray = self.classifier.logits(values, len(values)).double().cpu().numpy()
        return logits


def images_to_show(images: ImageSet | ProbeSet) -> Tensor:
    """Return a grey image and some of a set (n, C, H, W)."""
    some = np.unique(np.linspace(0, len(images) - 1, SHOWN).astype(np.int64))
    return torch.cat([torch.full((1, *images.shape), 0.5), images.read(some)])


def _refused(classifier: Classifier, shape: tuple[int, ...], error: Exception) -> DataError:
    cause = str(error).partition("\n")[0] or type(error).__name__
    check = "--arch, and channels and size of the images (--data, --resize, --crop; of dissect --size)"
    if classifier.channels not in (None, shape[0]):
        cause = f"it seems to take {classifier.channels} channels, and they have {shape[0]}"
        check = "--arch, or convert the images; only image files (folder:DIR) are read in grey where it is needed"
    elif any(CONVERTED in warning for warning in classifier.warnings) and "type" in cause:
        cause = f"{CONVERTED}, but its forward pass computes in another precision ({cause})"
        check = "its forward pass for casts, such as .half()"
    return DataError(f"{classifier.name} cannot take images of shape {shape} (C, H, W): {cause}. Check {check}.")
