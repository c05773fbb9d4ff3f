"""Rates: what a gradient and a Hessian-vector product of a network cost in its own forward passes, by a short probe."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import replace

import torch
from torch import Tensor

from sparsescope.classifier import Classifier
from sparsescope.curvature.derivatives import differentiable_images, gradients_in, twice_differentiable
from sparsescope.curvature.linearity import noise_images, signs_like
from sparsescope.errors import SparsescopeError
from sparsescope.passes import Rates

__all__ = ["measure_rates", "seconds_of"]

_RUNS, _ENOUGH = 5, 0.1
"""At most so many timed runs, and no further one after so many seconds of them."""

_Action = Callable[[], object]


def measure_rates(classifier: Classifier, shape: Sequence[int], images: int, kinds: Set[str]) -> tuple[Rates, float]:
    """Return what passes cost, and the seconds of a forward pass of one image; what cannot be timed keeps its default.

    The passes of the probe are not counted. Its times decide no number: they are for progress and cost alone.

    Args:
        classifier: the model, inside `Classifier.prepared`.
        shape: (C, H, W) of the images it takes.
        images: how many images a batch has.
        kinds: names of the fields of `Rates` to measure.
    """
    passes = replace(classifier.passes)
    pixels = noise_images(shape).repeat((images + 1) // 2, 1, 1, 1)[:images].to(classifier.device)
    found: dict[str, float] = {}
    try:
        with torch.random.fork_rng(devices=[classifier.device] if classifier.device.type == "cuda" else []):
            with torch.inference_mode():
                seconds = seconds_of(lambda: classifier(pixels), classifier.device)
            for kind, probe in _PROBES.items():
                if kind in kinds:
                    with contextlib.suppress(SparsescopeError), probe(classifier, pixels) as action:
                        found[kind] = seconds_of(action, classifier.device) / seconds
    finally:
        classifier.passes = passes
    return Rates(**found), seconds / images


def seconds_of(action: _Action, device: torch.device) -> float:
    """Return the seconds of an action: of several runs after a first one, the shortest.

    On a CPU they are those of this process, which hardly depend on what else the machine does.
    """
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    times: list[float] = []
    while len(times) <= _RUNS and sum(times[1:]) < _ENOUGH:
        started = clock()
        action()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        elif device.type == "mps":
            torch.mps.synchronize()
        times.append(clock() - started)
    return max(min(times[1:]), 1e-9)


@contextlib.contextmanager
def _tracked(classifier: Classifier, pixels: Tensor) -> Iterator[_Action]:
    with twice_differentiable(classifier):
        yield lambda: differentiable_images(classifier, pixels)


@contextlib.contextmanager
def _input_gradients(classifier: Classifier, pixels: Tensor) -> Iterator[_Action]:
    with twice_differentiable(classifier):
        leaf, logits = differentiable_images(classifier, pixels)
        yield lambda: torch.autograd.grad(logits, leaf, signs_like(logits), retain_graph=True)


@contextlib.contextmanager
def _input_products(classifier: Classifier, pixels: Tensor) -> Iterator[_Action]:
    with twice_differentiable(classifier):
        leaf, logits = differentiable_images(classifier, pixels)
        (gradient,) = torch.autograd.grad(logits.logsumexp(1).sum(), leaf, create_graph=True)
        direction = signs_like(gradient)
        yield lambda: torch.autograd.grad(gradient, leaf, direction, retain_graph=True)


@contextlib.contextmanager
def _weight_gradients(classifier: Classifier, pixels: Tensor) -> Iterator[_Action]:
    with twice_differentiable(classifier), gradients_in(classifier.module) as parameters:
        weights, logits = list(parameters.values()), classifier(pixels)
        yield lambda: torch.autograd.grad(logits, weights, signs_like(logits), retain_graph=True, allow_unused=True)


@contextlib.contextmanager
def _weight_products(classifier: Classifier, pixels: Tensor) -> Iterator[_Action]:
    with twice_differentiable(classifier), gradients_in(classifier.module) as parameters:
        weights, loss = list(parameters.values()), classifier(pixels).logsumexp(1).sum()
        gradients = torch.autograd.grad(loss, weights, create_graph=True, allow_unused=True)
        used = [gradient for gradient in gradients if gradient is not None and gradient.requires_grad]
        directions = [signs_like(gradient) for gradient in used]
        yield lambda: torch.autograd.grad(used, weights, directions, retain_graph=True, allow_unused=True)


_PROBES = {
    "tracked": _tracked,
    "input_gradients": _input_gradients,
    "input_products": _input_products,
    "weight_gradients": _weight_gradients,
    "weight_products": _weight_products,
}
"""Field of `Rates` -> a context that yields what is timed."""
