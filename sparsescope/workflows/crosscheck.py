"""Our engines beside the packages people know — netcal, lime, captum, PyHessian — on the user's own model and data."""

import contextlib
import copy
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import override

from sparsescope.attacks import fgsm
from sparsescope.benchmark import Benchmark, stratified_sample
from sparsescope.classifier import Classifier
from sparsescope.curvature import (
    gauss_newton_forms,
    hessian_forms,
    hessian_product,
    is_layerwise_linear,
    surviving_weights,
    top_eigenvalue,
)
from sparsescope.errors import DataError, NotEvaluated
from sparsescope.evaluation.checks import check_models, images_to_show
from sparsescope.lime import explain
from sparsescope.lime.perturbations import distances, draw_neighbourhood
from sparsescope.mask import Mask
from sparsescope.measurements.predictions import predict
from sparsescope.metrics.ece import ECE
from sparsescope.randomness import generator, rademacher
from sparsescope.units import Units

__all__ = ["Check", "crosscheck"]

EPSILON = 8 / 255
SAMPLES = 500
TRACE_PROBES = 40


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
        """Whether the two agree to within the tolerance; None where one is missing."""
        if self.ours is None or self.theirs is None:
            return None
        return abs(self.ours - self.theirs) <= self.tolerance


@dataclass(frozen=True)
class _Sample:
    """The model and the labelled images that the comparison runs on."""

    classifier: Classifier
    images: Tensor
    labels: NDArray[np.int64]
    seed: int

    def first(self, n: int) -> "_Sample":
        return replace(self, images=self.images[:n], labels=self.labels[:n])


def crosscheck(classifier: Classifier, benchmark: Benchmark, *, images: int = 200, seed: int = 0) -> list[Check]:
    """Return every comparison; a reference that fails on this model is reported with its reason, never skipped.

    The comparison runs on the CPU on a copy of the model, over all its weights (the packages know no masks).

    Args:
        classifier: the model; left as it was.
        benchmark: its test images are used.
        images: at most this many, drawn stratified by class; the geometry uses the first 100 of them, LIME one.
        seed: key of all random numbers.

    Raises:
        DataError: labels that the model does not have.
        InputError: a model that cannot be used.
    """
    check_models([classifier], images_to_show(benchmark.test), None, reads=["probabilities"])
    rows = stratified_sample(benchmark.test.required_labels(), images, seed, "sample/test")
    dense = Mask({name: torch.ones_like(kept) for name, kept in (classifier.mask or {}).items()})
    outputs = benchmark.outputs or classifier.outputs
    own = replace(classifier, module=copy.deepcopy(classifier.module).cpu(), mask=dense, outputs=outputs)
    sample = _Sample(own, benchmark.test.read(rows), benchmark.test.required_labels()[rows], seed)
    checks = []
    with own.prepared("cpu"):
        width = predict(own, sample.images[:1], 1).shape[1]
        if sample.labels.max() >= width:
            raise DataError(f"Expected labels 0–{width - 1}, but got {int(sample.labels.max())}: another data set?")
        comparisons: tuple[Callable[[_Sample], Check], ...] = (_ece, _lime, _fgsm, _eigenvalue, _trace)
        for comparison in comparisons:
            checks.append(comparison(sample))
    return checks


def _ece(sample: _Sample) -> Check:
    logits = predict(sample.classifier, sample.images, 32)
    probabilities = torch.from_numpy(logits).double().softmax(1).numpy()
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == sample.labels
    ours = ECE().value(Units({"test": len(correct)}, {"confidence": confidence, "correct": correct}))
    quantity = f"ECE, 15 bins ({len(logits)} images)"
    with _quiet():
        from netcal.metrics import ECE as Reference

        try:
            theirs = float(Reference(bins=15).measure(probabilities, sample.labels))
        except RuntimeError as error:  # one image or one class
            return Check(quantity, "netcal", ours, None, 1e-6, f"netcal: {error}")
    return Check(quantity, "netcal", ours, theirs, 1e-6, "same probabilities")


def _lime(sample: _Sample) -> Check:
    image = sample.images[0]
    quantity = f"largest LIME coefficient (1 image, {SAMPLES} samples)"
    try:
        explanation = explain(sample.classifier, image, samples=SAMPLES, seed=sample.seed)
    except DataError as error:
        return Check(quantity, "lime", None, None, 1e-6, str(error))
    kept = draw_neighbourhood(SAMPLES, len(explanation.coefficients), sample.seed, 0)
    shown = torch.from_numpy(kept[:, explanation.segments][:, None]) * image  # the rest is filled with 0
    logits = predict(sample.classifier, shown.float(), 32)
    y = torch.from_numpy(logits).double().softmax(1).numpy()[:, explanation.target]
    from lime.lime_base import LimeBase

    base = LimeBase(lambda distance: np.sqrt(np.exp(-(distance**2) / 0.25**2)), random_state=0)
    _, pairs, _, _ = base.explain_instance_with_data(
        kept.astype(float), y[:, None], distances(kept, np.array([0]), "hamming")[0], 0, kept.shape[1],
        feature_selection="none",
    )  # fmt: skip
    theirs = np.array([value for _, value in sorted(pairs)])
    place = int(np.abs(theirs).argmax())
    ours = float(explanation.coefficients[place])
    return Check(quantity, "lime", ours, float(theirs[place]), 1e-5, "same superpixels and perturbations")


def _fgsm(sample: _Sample) -> Check:
    """captum gets the cross-entropy, float64 and no threshold: else it leaves confident images as they are."""
    images, labels = sample.images, torch.from_numpy(sample.labels)
    attacked = fgsm(sample.classifier, images, labels, EPSILON)
    ours = _accuracy(sample.classifier, attacked, sample.labels)
    exact = replace(sample.classifier, module=copy.deepcopy(sample.classifier.module).double())
    with _quiet():
        from captum.robust import FGSM

        attack = FGSM(exact, loss_func=nn.CrossEntropyLoss(reduction="none"), lower_bound=0.0, upper_bound=1.0)
        attack.zero_thresh = 0.0  # its default treats gradients below 1e-6 as zero
        other = [
            attack.perturb(chunk.double().requires_grad_(), EPSILON, truth).detach().float()
            for chunk, truth in zip(torch.split(images, 32), torch.split(labels, 32), strict=True)
        ]
    theirs = _accuracy(sample.classifier, torch.cat(other), sample.labels)
    tolerance = 0.01 + 1 / len(images)
    return Check(f"accuracy under FGSM ({len(images)} images)", "captum", ours, theirs, tolerance, "captum in float64")


def _accuracy(classifier: Classifier, images: Tensor, labels: NDArray[np.int64]) -> float:
    return float((predict(classifier, images, 32).argmax(axis=1) == labels).mean())


def _eigenvalue(sample: _Sample) -> Check:
    sample = sample.first(100)
    quantity = f"largest |eigenvalue| of the weight Hessian ({len(sample.images)} images)"
    try:
        with surviving_weights(sample.classifier) as support:
            product = hessian_product(sample.classifier, support, sample.images, sample.labels, 32)
            rng = generator(sample.seed, "crosscheck", 0)
            ours = float(top_eigenvalue(product, support.size, rng, 1e-3).magnitude[0])
    except NotEvaluated as error:
        return Check(quantity, "pyhessian", None, None, 0.0, str(error))
    with _quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(sample.seed)
        (theirs,), _ = _pyhessian(sample).eigenvalues(maxIter=200, tol=1e-4)
    return Check(quantity, "pyhessian", ours, abs(float(theirs)), 0.01 * abs(float(theirs)), "power iteration, ±1 %")


def _trace(sample: _Sample) -> Check:
    sample = sample.first(100)
    quantity = f"trace of the weight Hessian ({len(sample.images)} images)"
    classifier, rng = sample.classifier, generator(sample.seed, "crosscheck", 1)
    try:
        cheap = is_layerwise_linear(classifier, sample.images.shape[1:])
        with surviving_weights(classifier) as support:
            if cheap:
                forms = gauss_newton_forms(classifier, support, sample.images, rng, TRACE_PROBES, 32)
            else:
                probes = [rademacher(rng, support.size) for _ in range(TRACE_PROBES)]
                forms = hessian_forms(classifier, support, sample.images, sample.labels, probes, 32)
    except NotEvaluated as error:
        return Check(quantity, "pyhessian", None, None, 0.0, str(error))
    draws = forms.sum(axis=1)
    with _quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(sample.seed)
        reference = np.array(_pyhessian(sample).trace(maxIter=TRACE_PROBES, tol=0.0))
    standard_error = float(np.hypot(draws.std(ddof=1), reference.std(ddof=1)) / np.sqrt(TRACE_PROBES))
    note = f"{TRACE_PROBES} probes each, ± 3 standard errors"
    return Check(quantity, "pyhessian", float(draws.mean()), float(reference.mean()), 3 * standard_error, note)


def _pyhessian(sample: _Sample) -> Any:
    """PyHessian on a copy of its own: it keeps gradients and graphs on the model."""
    from pyhessian import hessian

    classifier = sample.classifier
    copied = copy.deepcopy(classifier)
    for parameter in copied.module.parameters():
        parameter.requires_grad_(True)
    copied.module.zero_grad()
    batch = (sample.images, torch.from_numpy(sample.labels))
    return hessian(_AsModule(copied), nn.CrossEntropyLoss(), data=batch, cuda=False)


class _AsModule(nn.Module):
    """A classifier as PyHessian wants it: a module on pixels."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.inner, self._classifier = classifier.module, classifier

    @override
    def forward(self, images: Tensor) -> Tensor:
        return self._classifier(images)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The packages' own deprecation warnings are not the user's business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
