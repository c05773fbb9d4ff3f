"""Local linear explanations of test images: what fidelity and stability share."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from sparsescope.benchmark import Benchmark, stratified_sample
from sparsescope.classifier import Classifier
from sparsescope.errors import InputError, OptionError
from sparsescope.lime import Fitted, LimeSettings, Shown, explain_images, segment
from sparsescope.lime.settings import Target
from sparsescope.measurements.base import Measured, Measurement
from sparsescope.measurements.predictions import Predictions
from sparsescope.units import Arrays

__all__ = ["ExplanationOptions", "Explanations"]

Selection = Literal["stratified", "first"]


@dataclass(frozen=True)
class ExplanationOptions(LimeSettings):
    """`LimeSettings` and which images and classes are explained.

    Args:
        images: how many test images; None means all.
        selection: `stratified` by class, drawn with the seed, or the `first` ones in the test set's order (the paper).
        target: the explained class: the `dense` model's top-1 for every model, so that all explain the same thing; each
            model's `own` top-1 (the paper); or the true `label`.

    Raises:
        OptionError: a value outside its range.
    """

    images: int | None = 100
    selection: Selection = "stratified"
    target: Target = "dense"

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        if self.images is not None and self.images < 1:
            raise OptionError(f"Expected images to be at least 1, but got {self.images}.")
        for name, choices in (("selection", get_args(Selection)), ("target", get_args(Target))):
            if getattr(self, name) not in choices:
                raise OptionError(
                    f"Expected {name} to be one of {', '.join(choices)}, but got {getattr(self, name)!r}."
                )


class _ShownImages(NamedTuple):
    images: Sequence[Shown]
    seed: int


@dataclass(frozen=True)
class Explanations(ExplanationOptions, Measurement):
    """LIME fits of test images. Options: see `ExplanationOptions`.

    Arrays (n,): `fidelity`, `fidelity_r2`, `stability`, `stability_relative` float64; `superpixels` int64; and, bool,
    `valid`: False where the image has fewer than 2 superpixels, or none that removal changes: it is skipped, without
    forward passes, and has zeros;
    `constant`: the model's probabilities do not move, so that `fidelity_r2` and `stability_relative` mean nothing and
    are 0; `singular`: a regression had no unique solution.
    """

    label: ClassVar[str] = "LIME"
    version: ClassVar[int] = 2
    forward_only: ClassVar[bool] = True

    @override
    @property
    def population(self) -> str:
        if self.images is None:
            return "test"
        return f"test/lime/{'first/' if self.selection == 'first' else ''}{self.images}"

    @override
    def unit_ids(self, benchmark: Benchmark, seed: int) -> NDArray[np.int64]:
        if self.selection == "first":
            return np.arange(len(benchmark.test))[: self.images]
        return stratified_sample(benchmark.test.required_labels(), self.images, seed, "sample/test/lime")

    @override
    def strata(self, benchmark: Benchmark, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        return benchmark.test.required_labels()[ids]

    @override
    def cost(self, benchmark: Benchmark) -> float:
        return float(self.samples)

    @override
    def requires(self) -> tuple[Measurement, ...]:
        """Return the dense model's predictions where its classes are explained."""
        return (Predictions("test"),) if self.target == "dense" else ()

    @override
    def given(self, benchmark: Benchmark, seed: int, dense: Measured) -> Arrays:
        """Return `target` int64 (n,), the explained class of each image; nothing where it is each model's own."""
        ids = self.unit_ids(benchmark, seed)
        if self.target == "own":
            return {}
        if self.target == "label":
            return {"target": benchmark.test.required_labels()[ids]}
        if Predictions("test") not in dense:
            raise InputError(
                "Expected the dense model's predictions of the test images, whose classes are explained, but got none. "
                "Give them (`requires()` names them), or choose target='own'."
            )
        return {"target": dense[Predictions("test")]["logits"][ids].argmax(axis=1)}

    @override
    def prepare(self, benchmark: Benchmark, ids: NDArray[np.int64], seed: int) -> _ShownImages:
        """Return the images with their superpixels, found once for all models."""
        images = benchmark.test.read(ids)
        shown = [
            Shown(image, segment(image.numpy(), self.superpixels), int(i)) for image, i in zip(images, ids, strict=True)
        ]
        return _ShownImages(shown, seed)

    @override
    def measure(self, classifier: Classifier, shown: _ShownImages, given: Arrays, batch_size: int) -> Arrays:
        settings = LimeSettings(**{field.name: getattr(self, field.name) for field in fields(LimeSettings)})
        fitted = list(
            explain_images(
                classifier,
                shown.images,
                settings,
                targets=given.get("target"),
                seed=shown.seed,
                batch_size=batch_size,
            )
        )
        superpixels = np.array([item.superpixels for item in shown.images], dtype=np.int64)
        valid = np.array([item is not None for item in fitted])
        return {"superpixels": superpixels, "valid": valid} | _arrays(fitted)


def _arrays(fitted: Sequence[Fitted | None]) -> dict[str, NDArray[Any]]:
    numbers = ("fidelity", "fidelity_r2", "stability", "stability_relative")
    flags = ("constant", "singular")
    return {
        name: np.array([0 if item is None else getattr(item, name) for item in fitted], dtype=kind)
        for names, kind in ((numbers, np.float64), (flags, np.bool_))
        for name in names
    }
