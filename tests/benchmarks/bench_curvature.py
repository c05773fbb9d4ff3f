"""Curvature's cost as ratios to plain gradients.

ResNet-20 on 32 px images and 10 classes, and a depthwise network; one thread.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from sparsescope.architectures.cifar_resnet import resnet20s
from sparsescope.classifier import Classifier
from sparsescope.curvature import (
    gauss_newton_forms,
    hessian_forms,
    hessian_product,
    input_curvatures,
    surviving_weights,
    top_eigenvalue,
)
from sparsescope.curvature.inputs import exact_curvatures
from sparsescope.curvature.operations import ExactOperations
from sparsescope.randomness import rademacher
from tests.benchmarks.harness import Options, Row, interleaved

_IMAGES = 64


def rows(options: Options) -> Iterator[Row]:
    """Yield each ratio beside its target."""
    torch.manual_seed(0)
    network = resnet20s()
    n = _IMAGES
    coarse = torch.rand(n, 3, 8, 8)
    images = functional.interpolate(coarse, size=32, mode="bicubic").clamp(0, 1)
    labels = np.arange(n) % 10
    targets = torch.from_numpy(labels)
    classifier = Classifier(network, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

    def input_gradient() -> None:
        pixels = images.clone().requires_grad_()
        torch.autograd.grad(functional.cross_entropy(classifier(pixels), targets), pixels)

    def probe_images(probes: int) -> None:
        pixels = images.clone().requires_grad_()
        loss = functional.cross_entropy(classifier(pixels), targets, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, pixels, create_graph=True)
        for k in range(probes):
            signs = torch.from_numpy(rademacher(np.random.default_rng(k), pixels.numel())).reshape(pixels.shape)
            (signs * torch.autograd.grad(gradient, pixels, signs, retain_graph=True)[0]).flatten(1).sum(1)

    with classifier.prepared():
        input_actions: dict[str, Callable[[], object]] = {
            "input gradient": input_gradient,
            "input exact": lambda: exact_curvatures(classifier, images),
            "input curvatures": lambda: input_curvatures(classifier, images, labels, labels),
            "no probe": lambda: probe_images(0),
            "20 probes": lambda: probe_images(20),
        }
        median = interleaved(input_actions, options.repeats)
    with classifier.prepared(), surviving_weights(classifier) as support:
        parameters = list(support.parameters.values())
        probes = [rademacher(np.random.default_rng(k), support.size) for k in range(5)]
        retained = hessian_product(classifier, support, images, labels, n)
        rebuilt = hessian_product(classifier, support, images, labels, n // 2)
        vector = probes[0].astype(np.float64)
        weight_actions: dict[str, Callable[[], object]] = {
            "gradient": lambda: torch.autograd.grad(functional.cross_entropy(classifier(images), targets), parameters),
            "product retained": lambda: retained(vector),
            "product rebuilt": lambda: rebuilt(vector),
            "hutchinson 1": lambda: hessian_forms(classifier, support, images, labels, probes[:1], n),
            "hutchinson 5": lambda: hessian_forms(classifier, support, images, labels, probes, n),
            "gauss-newton 2": lambda: gauss_newton_forms(classifier, support, images, np.random.default_rng(0), 2, n),
        }
        median |= interleaved(weight_actions, options.repeats)
        found = top_eigenvalue(retained, support.size, np.random.default_rng(0), 1e-3)
    # 100 probes share one gradient and its graph, as 20 do.
    hundred = median["no probe"] + 5 * (median["20 probes"] - median["no probe"])
    further = (median["hutchinson 5"] - median["hutchinson 1"]) / 4
    gradient, input_gradient_ = median["gradient"], median["input gradient"]
    yield Row("input trace and eigenvalue, exact", "input gradient", median["input exact"] / input_gradient_, "<=", 8)
    yield Row("the same with its checks", "input gradient", median["input curvatures"] / input_gradient_)
    yield Row("100 probes of the input trace", "exact", hundred / median["input exact"], ">=", 30)
    yield Row("weight product, graph retained", "gradient", median["product retained"] / gradient, "<=", 3)
    yield Row("weight product, graph rebuilt", "gradient", median["product rebuilt"] / gradient, "<=", 4.2)
    yield Row("weight eigenvalue to 1e-3", "one product", float(found.products[0]), "<=", 8)
    yield Row("weight trace, vᵀHv, 1 probe", "gradient", median["hutchinson 1"] / gradient)
    yield Row("weight trace, vᵀHv, a further probe", "gradient", further / gradient)
    yield Row("weight trace, Gauss-Newton, 2 samples", "gradient", median["gauss-newton 2"] / gradient)
    yield from _depthwise(options)


def _depthwise(options: Options) -> Iterator[Row]:
    """Yield the Hessian-vector product in the images of a depthwise block, and of torch's own second derivative."""
    block = nn.Sequential(nn.Conv2d(128, 128, 3, padding=1, groups=128), nn.SiLU(), nn.Conv2d(128, 128, 1), nn.SiLU())
    images = torch.rand(2, 128, 28, 28, requires_grad=True)

    def product() -> Callable[[], object]:
        (gradient,) = torch.autograd.grad(block(images).square().sum(), images, create_graph=True)
        return lambda: torch.autograd.grad(gradient, images, torch.ones_like(gradient), retain_graph=True)

    with ExactOperations():
        ours = product()
    median = interleaved({"ours": ours, "torch": product()}, options.repeats)
    yield Row(
        "input product of a depthwise block", "torch's own, times as long", median["torch"] / median["ours"], ">=", 2
    )
