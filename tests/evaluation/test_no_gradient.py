"""Networks whose gradients say nothing, or cannot be had: it costs the metrics that need them, and nothing else."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.evaluation import evaluate
from sparsescope.measurements.base import run
from sparsescope.measurements.input_curvature import InputCurvature
from sparsescope.metrics.fgsm_accuracy import FgsmAccuracy
from sparsescope.results import Evaluation

INPUT = ("fgsm_accuracy", "pgd_accuracy", "input_trace", "input_top_eigenvalue")
WEIGHT = ("weight_trace", "weight_top_eigenvalue")
SETTINGS: dict[str, Any] = {
    "metrics": ["accuracy", *INPUT, *WEIGHT],
    "preset": "quick",
    "options": {
        "pgd_accuracy": {"steps": 2},
        "weight_trace": {"images_per_unit": 8},
        "weight_top_eigenvalue": {"images_per_unit": 12, "tolerance": 0.1},
    },
    "replicates": 100,
    "device": "cpu",
    "cache": False,
}


class Raising(torch.autograd.Function):
    """A backward pass that fails as foreign code does."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values * 1

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        raise KeyError("scale")


class Changed(nn.Module):
    """A network inside of a forward pass that spoils its gradients."""

    def __init__(self, network: nn.Module, how: str) -> None:
        super().__init__()
        self.network, self.how = network, how

    def forward(self, images: Tensor) -> Tensor:
        return getattr(self, f"_{self.how}")(images)  # type: ignore[no-any-return]

    @torch.no_grad()
    def _no_grad(self, images: Tensor) -> Tensor:
        return self.network(images)  # type: ignore[no-any-return]

    @torch.inference_mode()
    def _inference(self, images: Tensor) -> Tensor:
        return self.network(images)  # type: ignore[no-any-return]

    def _one_hot(self, images: Tensor) -> Tensor:
        return functional.one_hot(self.network(images).argmax(1), 4).float()

    def _detached(self, images: Tensor) -> Tensor:
        return self.network(images.detach())  # type: ignore[no-any-return]

    def _bytes(self, images: Tensor) -> Tensor:
        return self.network((images * 255).to(torch.uint8).float() / 255)  # type: ignore[no-any-return]

    def _threshold(self, images: Tensor) -> Tensor:
        return self.network((images > 0.5).float())  # type: ignore[no-any-return]

    def _rounded(self, images: Tensor) -> Tensor:
        return self.network(torch.round(images * 8) / 8)  # type: ignore[no-any-return]

    def _signs(self, images: Tensor) -> Tensor:
        return self.network((images - 0.5).sign())  # type: ignore[no-any-return]

    def _raising(self, images: Tensor) -> Tensor:
        return self.network(Raising.apply(images))  # type: ignore[no-any-return,no-untyped-call]

    def _in_place(self, images: Tensor) -> Tensor:
        values = images.exp()
        values.add_(1)
        return self.network(values)  # type: ignore[no-any-return]

    def _root(self, images: Tensor) -> Tensor:
        far = images - images.amax((2, 3), keepdim=True)
        return self.network(far.square().sqrt() + images)  # type: ignore[no-any-return]


def reasons(evaluation: Evaluation, model: str) -> dict[str, str | None]:
    return {name: evaluation[name].values[model].reason for name in (*INPUT, *WEIGHT)}


OFF = "its forward pass switches gradients off"
NONE = "no gradient on 100% of the images"
KINDS: dict[str, tuple[str, str | None]] = {
    "no_grad": (OFF, OFF),
    "inference": (OFF, OFF),
    "one_hot": (OFF, OFF),
    "detached": (OFF, None),
    "bytes": (OFF, None),
    "threshold": (OFF, None),
    "rounded": (NONE, None),
    "signs": (NONE, None),
    "root": (NONE, None),
    "raising": ("cannot be differentiated (KeyError): 'scale'", None),
    "in_place": ("changes values in place that its gradient needs: one of the variables", None),
}
"""What spoils the gradient -> the reasons of the metrics of images and of weights; None where those are measured."""


@pytest.mark.parametrize("how", KINDS)
def test_costs_the_metrics_that_need_it_and_nothing_else(
    how: str, small_network: nn.Module, small_benchmark: Benchmark
) -> None:
    spoilt = Classifier(Changed(copy.deepcopy(small_network), how), name="spoilt")
    evaluation = evaluate(small_network, spoilt, small_benchmark, **SETTINGS)
    assert evaluation["accuracy"].values["spoilt"].status == "measured"
    assert set(reasons(evaluation, "dense").values()) == {None}
    for name, reason in reasons(evaluation, "spoilt").items():
        expected = KINDS[how][name in WEIGHT]
        assert (reason is None) == (expected is None)
        assert expected is None or expected in (reason or "")


@pytest.mark.parametrize(
    "tail",
    [
        lambda values: (values - values.detach()).square().sum(1, keepdim=True).sqrt() + values,
        lambda values: (values * 0).norm(dim=1, keepdim=True) + values.square().sqrt() + (values * 0).pow(0.5),
        lambda values: torch.where(values > 1e9, values, (values * 0).pow(0.25) + values),
    ],
    ids=["root", "norm", "power"],
)
def test_second_derivatives_that_are_not_finite_are_said(
    tail: Any, small_network: nn.Module, small_benchmark: Benchmark
) -> None:
    class Tailed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = copy.deepcopy(small_network)

        def forward(self, images: Tensor) -> Tensor:
            return tail(self.network(images))  # type: ignore[no-any-return]

    evaluation = evaluate(small_network, Classifier(Tailed(), name="spoilt"), small_benchmark, **SETTINGS)
    found = reasons(evaluation, "spoilt")
    assert "are not finite for 3 of 3 micro-batches" in (found["weight_trace"] or "")
    assert "are not finite for 2 of 2 groups" in (found["weight_top_eigenvalue"] or "")
    assert all(reason and ("not finite" in reason) for reason in found.values())
    assert evaluation["accuracy"].values["spoilt"].status == "measured"


class DarkBlind(nn.Module):
    """Answers dark images without looking at them more closely."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        dark = images.mean((1, 2, 3), keepdim=True) < 0.3
        logits: Tensor = self.network(torch.where(dark, images.detach().round(), images))
        return logits


@pytest.mark.parametrize("dark", [0, 2, 8])
def test_a_share_of_images_without_gradient(dark: int, small_network: nn.Module, small_benchmark: Benchmark) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    pixels[:dark] //= 4
    benchmark = Benchmark("dark", ArrayImages(pixels, np.arange(40) % 4))
    blind = Classifier(DarkBlind(small_network), name="blind")
    settings = SETTINGS | {"metrics": ["fgsm_accuracy", "input_trace"], "options": {"input_trace": {"images": 40}}}
    evaluation = evaluate(small_network, blind, benchmark, **settings)
    for name in ("fgsm_accuracy", "input_trace"):
        assert evaluation[name].details["dense"]["without_gradient"] == 0
        if dark == 8:
            assert (evaluation[name].values["blind"].reason or "").startswith("no gradient on 20% of the images")
        else:
            assert evaluation[name].details["blind"]["without_gradient"] == pytest.approx(dark / 40)
    told = [text for text in evaluation.models[1].warnings if text.startswith("has no gradient on 5.0% of the images")]
    assert len(told) == (2 if dark == 2 else 0)


def test_confidence_is_not_taken_for_a_missing_gradient(small_network: nn.Module, small_benchmark: Benchmark) -> None:
    head: Any = small_network[7]  # type: ignore[index]
    head.weight.data *= 1e5
    classifier = Classifier(small_network)
    with classifier.prepared():
        images = small_benchmark.test.read(range(40))
        assert bool((classifier(images).softmax(1).amax(1) == 1).float().mean() > 0.5)
    assert FgsmAccuracy().details(FgsmAccuracy().measure(classifier, small_benchmark))["without_gradient"] == 0
    for method in ("auto", "hutchinson"):
        assert run(InputCurvature("test", 8, method), classifier, small_benchmark)["gradient"].all()  # type: ignore[arg-type]
