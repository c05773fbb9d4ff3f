"""Our engines beside the packages people know — netcal, lime, captum, PyHessian — on the user's own model and data."""

import copy
import math
import warnings
from dataclasses import dataclass, replace

import torch

from sparsescope.benchmark import Benchmark, stratified_sample
from sparsescope.classifier import Classifier
from sparsescope.errors import DataError, SparsescopeError
from sparsescope.evaluation.checks import check_models, images_to_show
from sparsescope.mask import Mask
from sparsescope.measurements.predictions import predict
from sparsescope.workflows.comparisons import COMPARISONS, Comparison, Sample

__all__ = ["Check", "crosscheck"]


@dataclass(frozen=True)
class Check:
    """One quantity computed twice.

    Args:
        quantity: what was computed, and on how many images.
        package: the reference package.
        ours: our number; None where it could not be computed.
        theirs: the package's number; None likewise.
        tolerance: largest difference that counts as agreement, in the quantity's unit.
        note: how the comparison was made, or why it could not be.
    """

    quantity: str
    package: str
    ours: float | None
    theirs: float | None
    tolerance: float
    note: str

    @property
    def agrees(self) -> bool | None:
        """Whether the two agree to within the tolerance; None where one is missing, or neither is a number."""
        if self.ours is None or self.theirs is None or (math.isnan(self.ours) and math.isnan(self.theirs)):
            return None
        return abs(self.ours - self.theirs) <= self.tolerance


def crosscheck(classifier: Classifier, benchmark: Benchmark, *, images: int = 200, seed: int = 0) -> list[Check]:
    """Return every comparison; one that fails on this model, ours or theirs, is reported with its reason.

    The comparison runs on the CPU on a copy of the model, over all its weights (the packages know no masks), and in
    float32 whatever the model's precision is.

    Args:
        classifier: the model; left as it was.
        benchmark: its test images are used.
        images: at most this many, drawn stratified by class; the geometry uses the first 100 of them, LIME one.
        seed: key of all random numbers.

    Raises:
        DataError: labels that the model does not have.
        InputError: a model that cannot be used.
    """
    rows = stratified_sample(benchmark.test.required_labels(), images, seed, "sample/test")
    dense = Mask({name: torch.ones_like(kept) for name, kept in (classifier.mask or {}).items()})
    outputs = benchmark.outputs or classifier.outputs
    module = copy.deepcopy(classifier.module).cpu().float()
    own = replace(classifier, module=module, mask=dense, outputs=outputs)
    check_models([own], images_to_show(benchmark.test), "cpu", reads=["probabilities"])
    classifier.warnings = own.warnings
    sample = Sample(own, benchmark.test.read(rows), benchmark.test.required_labels()[rows], seed)
    with own.prepared("cpu"):
        width = predict(own, sample.images[:1], 1).shape[1]
        if sample.labels.max() >= width:
            raise DataError(f"Expected labels 0–{width - 1}, but got {int(sample.labels.max())}: another data set?")
        return [_compared(comparison, sample) for comparison in COMPARISONS]


def _compared(comparison: Comparison, sample: Sample) -> Check:
    if comparison.images is not None:
        sample = sample.first(comparison.images)
    quantity, package = comparison.quantity.format(n=len(sample.images)), comparison.package
    try:
        ours = comparison.ours(sample)
    except Exception as error:  # whatever it is, the other rows stand
        return Check(quantity, package, None, None, 0.0, _reason("sparsescope", error))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the packages' own deprecations are not the user's business
        try:
            theirs = comparison.theirs(sample, ours)
        except Exception as error:
            return Check(quantity, package, ours.value, None, 0.0, _reason(package, error))
    return Check(quantity, package, ours.value, theirs.value, theirs.tolerance, theirs.note)


def _reason(where: str, error: Exception) -> str:
    """Return where an error came from and its first line, with its kind if it is no error of ours."""
    kind = "" if isinstance(error, SparsescopeError) else f"{type(error).__name__}: "
    return f"{where}: {kind}{str(error).partition(chr(10))[0]}"
