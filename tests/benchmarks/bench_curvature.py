"""Curvature's cost as ratios to plain gradients: `python tests/benchmarks/bench_curvature.py`.

ResNet-20 on 32 px images and 10 classes, one thread, process CPU time, all interleaved, median of the repeats. Targets:
input trace and top eigenvalue <= 8 input gradients and >= 30 times faster than 100 probes; a Hessian-vector product
<= 3 gradients on a retained graph and <= 4.2 rebuilt; the top eigenvalue to 1e-3 in <= 8 products.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
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
from sparsescope.randomness import rademacher


def seconds(action: Callable[[], object]) -> float:
    """Return the process CPU time of one call."""
    start = time.process_time()
    action()
    return time.process_time() - start


def main() -> None:
    """Print each ratio beside its target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--checkpoint", help="state dict of a trained resnet20s; random weights otherwise")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = resnet20s()
    if arguments.checkpoint:
        network.load_state_dict(torch.load(arguments.checkpoint, weights_only=True))
    n = arguments.images
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

    times: dict[str, list[float]] = {}
    with classifier.prepared():
        input_actions: dict[str, Callable[[], object]] = {
            "input gradient": input_gradient,
            "input exact": lambda: exact_curvatures(classifier, images),
            "input curvatures": lambda: input_curvatures(classifier, images, labels, labels),
            "no probe": lambda: probe_images(0),
            "20 probes": lambda: probe_images(20),
        }
        interleaved(times, input_actions, arguments.repeats)
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
        interleaved(times, weight_actions, arguments.repeats)
        found = top_eigenvalue(retained, support.size, np.random.default_rng(0), 1e-3)
    report({name: statistics.median(values) for name, values in times.items()}, int(found.products[0]), n)


def interleaved(times: dict[str, list[float]], actions: dict[str, Callable[[], object]], repeats: int) -> None:
    """Add the times of every action, one after the other in each repeat, after a warm-up."""
    for repeat in range(repeats + 1):
        for name, action in actions.items():
            elapsed = seconds(action)
            if repeat:
                times.setdefault(name, []).append(elapsed)


def report(median: dict[str, float], products: int, images: int) -> None:
    """Print the table."""
    # 100 probes share one gradient and its graph, as 20 do.
    hundred = median["no probe"] + 5 * (median["20 probes"] - median["no probe"])
    rows = [
        ("input trace and eigenvalue / input gradient", median["input exact"] / median["input gradient"], "<= 8"),
        ("the same with its checks / input gradient", median["input curvatures"] / median["input gradient"], ""),
        ("100 probes (from 20) / exact", hundred / median["input exact"], ">= 30"),
        ("product, graph retained / gradient", median["product retained"] / median["gradient"], "<= 3"),
        ("product, graph rebuilt / gradient", median["product rebuilt"] / median["gradient"], "<= 4.2"),
        ("top eigenvalue to 1e-3, products", products, "<= 8"),
        ("trace, vᵀHv, 1 probe / gradient", median["hutchinson 1"] / median["gradient"], ""),
        (
            "trace, vᵀHv, further probe / gradient",
            (median["hutchinson 5"] - median["hutchinson 1"]) / 4 / median["gradient"],
            "",
        ),
        ("trace, Gauss-Newton, 2 samples / gradient", median["gauss-newton 2"] / median["gradient"], ""),
    ]
    print(f"{images} images; input gradient {median['input gradient']:.4f} s, gradient {median['gradient']:.4f} s")
    for name, ratio, target in rows:
        print(f"{name:<46} {ratio:8.2f}  {target}")


if __name__ == "__main__":
    main()
