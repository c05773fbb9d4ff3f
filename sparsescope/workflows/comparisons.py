"""What `crosscheck` computes twice, and how: one `Comparison` each, in the order of its table."""

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import override

from sparsescope.attacks import fgsm
from sparsescope.classifier import Classifier
from sparsescope.curvature import (
    gauss_newton_forms,
    hessian_forms,
    hessian_product,
    is_layerwise_linear,
    surviving_weights,
    top_eigenvalue,
)
from sparsescope.curvature.derivatives import twice_differentiable
from sparsescope.errors import NotEvaluated
from sparsescope.lime import Explanation, explain
from sparsescope.lime.perturbations import distances, draw_neighbourhood
from sparsescope.measurements.predictions import predict
from sparsescope.metrics.ece import ECE
from sparsescope.randomness import generator, rademacher
from sparsescope.units import Units

__all__ = ["COMPARISONS", "Comparison", "Sample"]

EPSILON = 8 / 255
SAMPLES = 500
TRACE_PROBES = 40


@dataclass(frozen=True)
class Sample:
    """The model and the labelled images that the comparison runs on."""

    classifier: Classifier
    images: Tensor
    labels: NDArray[np.int64]
    seed: int

    def first(self, n: int) -> "Sample":
        """Return the sample's first n images, or all."""
        return replace(self, images=self.images[:n], labels=self.labels[:n])


class Ours(NamedTuple):
    """Our number, and what the package needs of how it was computed."""

    value: float
    basis: Any = None


class Theirs(NamedTuple):
    """The package's number, the largest difference that counts as agreement, and how the two were compared."""

    value: float
    tolerance: float
    note: str


@dataclass(frozen=True)
class Comparison:
    """A quantity that a package computes too.

    Args:
        quantity: what it is; `{n}` stands for the number of images.
        package: the reference package.
        ours: computes it by our engine.
        theirs: computes it by the package, which is imported in it.
        images: at most this many of the sample's images are used.
    """

    quantity: str
    package: str
    ours: Callable[[Sample], Ours]
    theirs: Callable[[Sample, Ours], Theirs]
    images: int | None = None


def _our_ece(sample: Sample) -> Ours:
    logits = predict(sample.classifier, sample.images, 32)
    probabilities = torch.from_numpy(logits).double().softmax(1).numpy()
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == sample.labels
    units = Units({"test": len(correct)}, {"confidence": confidence, "correct": correct})
    return Ours(ECE().value(units), probabilities)


def _netcal_ece(sample: Sample, ours: Ours) -> Theirs:
    from netcal.metrics import ECE as Reference

    return Theirs(float(Reference(bins=15).measure(ours.basis, sample.labels)), 1e-6, "same probabilities")


def _our_lime(sample: Sample) -> Ours:
    explanation = explain(sample.classifier, sample.images[0], samples=SAMPLES, seed=sample.seed)
    place = int(np.abs(explanation.coefficients).argmax())
    return Ours(float(explanation.coefficients[place]), (explanation, place))


def _lime_lime(sample: Sample, ours: Ours) -> Theirs:
    from lime.lime_base import LimeBase

    explanation: Explanation = ours.basis[0]
    kept = draw_neighbourhood(SAMPLES, len(explanation.coefficients), sample.seed, 0)
    shown = torch.from_numpy(kept[:, explanation.segments][:, None]) * sample.images[0]  # the rest is filled with 0
    logits = predict(sample.classifier, shown.float(), 32)
    y = torch.from_numpy(logits).double().softmax(1).numpy()[:, explanation.target]
    base = LimeBase(lambda distance: np.sqrt(np.exp(-(distance**2) / 0.25**2)), random_state=0)
    _, pairs, _, _ = base.explain_instance_with_data(
        kept.astype(float), y[:, None], distances(kept, np.array([0]), "hamming")[0], 0, kept.shape[1],
        feature_selection="none",
    )  # fmt: skip
    return Theirs(float(dict(pairs)[ours.basis[1]]), 1e-5, "same superpixels and perturbations")


def _our_fgsm(sample: Sample) -> Ours:
    attacked = fgsm(sample.classifier, sample.images, torch.from_numpy(sample.labels), EPSILON)
    return Ours(_accuracy(sample, attacked))


def _captum_fgsm(sample: Sample, ours: Ours) -> Theirs:
    """captum gets the cross-entropy, float64 and no threshold: else it leaves confident images as they are."""
    from captum.robust import FGSM

    exact = replace(sample.classifier, module=copy.deepcopy(sample.classifier.module).double())
    attack = FGSM(exact, loss_func=nn.CrossEntropyLoss(reduction="none"), lower_bound=0.0, upper_bound=1.0)
    attack.zero_thresh = 0.0  # its default treats gradients below 1e-6 as zero
    chunks = zip(torch.split(sample.images, 32), torch.split(torch.from_numpy(sample.labels), 32), strict=True)
    attacked = [
        attack.perturb(chunk.double().requires_grad_(), EPSILON, truth).detach().float() for chunk, truth in chunks
    ]
    return Theirs(_accuracy(sample, torch.cat(attacked)), 0.01 + 1 / len(sample.images), "captum in float64")


def _accuracy(sample: Sample, images: Tensor) -> float:
    return float((predict(sample.classifier, images, 32).argmax(axis=1) == sample.labels).mean())


def _our_eigenvalue(sample: Sample) -> Ours:
    with surviving_weights(sample.classifier) as support:
        product = hessian_product(sample.classifier, support, sample.images, sample.labels, 32)
        rng = generator(sample.seed, "crosscheck", 0)
        return Ours(float(top_eigenvalue(product, support.size, rng, 1e-3).magnitude[0]))


def _pyhessian_eigenvalue(sample: Sample, ours: Ours) -> Theirs:
    """Its power iteration stops by luck, where two estimates happen to be near: only a small residual is a result."""
    from pyhessian.utils import group_product, hessian_vector_product

    with _pyhessian(sample) as reference:
        _, (vector,) = reference.eigenvalues(maxIter=200, tol=1e-6)
        product = hessian_vector_product(reference.gradsH, reference.params, vector)
        value = float(group_product(product, vector))
        residual = [image - value * direction for image, direction in zip(product, vector, strict=True)]
        distance = float(group_product(residual, residual)) ** 0.5
    if distance > 0.1 * abs(value):  # below it the value is within 0.5 %, also beside an eigenvalue of the other sign
        raise NotEvaluated(f"power iteration has not converged (eigenvalue {value:.3g}, residual {distance:.1g})")
    return Theirs(abs(value), 0.01 * abs(value), "power iteration, ±1 %")


def _our_trace(sample: Sample) -> Ours:
    classifier, rng = sample.classifier, generator(sample.seed, "crosscheck", 1)
    cheap = is_layerwise_linear(classifier, sample.images.shape[1:])
    with surviving_weights(classifier) as support:
        if cheap:
            forms = gauss_newton_forms(classifier, support, sample.images, rng, TRACE_PROBES, 32)
        else:
            probes = [rademacher(rng, support.size) for _ in range(TRACE_PROBES)]
            forms = hessian_forms(classifier, support, sample.images, sample.labels, probes, 32)
    draws = forms.sum(axis=1)
    return Ours(float(draws.mean()), draws)


def _pyhessian_trace(sample: Sample, ours: Ours) -> Theirs:
    with _pyhessian(sample) as reference:
        # It stops where |mean - last mean| / (last mean + 1e-6) < tol, which is negative after a negative mean.
        draws = np.array(reference.trace(maxIter=TRACE_PROBES, tol=-np.inf))
    squared_error = sum(float(each.var(ddof=1)) / len(each) for each in (ours.basis, draws))
    return Theirs(float(draws.mean()), 3 * squared_error**0.5, f"{len(draws)} probes each, ± 3 standard errors")


@contextlib.contextmanager
def _pyhessian(sample: Sample) -> Iterator[Any]:
    """PyHessian on a copy of its own: it keeps gradients and graphs on the model."""
    from pyhessian import hessian

    copied = copy.deepcopy(sample.classifier)
    copied.module.zero_grad()
    parameters = [p.requires_grad_(True) for p in copied.module.parameters() if p.is_floating_point()]
    gradients = torch.autograd.grad(copied(sample.images[:1]).sum(), parameters, allow_unused=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):  # it fails on parameters that are not used
        parameter.requires_grad_(gradient is not None)
    batch = (sample.images, torch.from_numpy(sample.labels))
    with torch.random.fork_rng(devices=[]), twice_differentiable(copied):
        torch.manual_seed(sample.seed)
        yield hessian(_AsModule(copied), nn.CrossEntropyLoss(), data=batch, cuda=False)


class _AsModule(nn.Module):
    """A classifier as PyHessian wants it: a module on pixels."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.inner, self._classifier = classifier.module, classifier

    @override
    def forward(self, images: Tensor) -> Tensor:
        return self._classifier(images)


COMPARISONS = (
    Comparison("ECE, 15 bins ({n} images)", "netcal", _our_ece, _netcal_ece),
    Comparison(f"largest LIME coefficient (1 image, {SAMPLES} samples)", "lime", _our_lime, _lime_lime),
    Comparison("accuracy under FGSM ({n} images)", "captum", _our_fgsm, _captum_fgsm),
    Comparison(
        "largest |eigenvalue| of the weight Hessian ({n} images)",
        "pyhessian",
        _our_eigenvalue,
        _pyhessian_eigenvalue,
        images=100,
    ),
    Comparison("trace of the weight Hessian ({n} images)", "pyhessian", _our_trace, _pyhessian_trace, images=100),
)
