"""Gradients that are not those of the answers; what an attack or a Hessian finds with them is no ground for a PASS."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.evaluation import evaluate
from sparsescope.evaluation.checks import check_models, images_to_show
from sparsescope.metrics.base import RestsOn


class Straight(torch.autograd.Function):
    """Rounds values to 8 bits, and passes gradients on as if it did not."""

    @staticmethod
    def forward(context: Any, images: Tensor) -> Tensor:
        return (images * 255).round() / 255

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


def layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.LazyLinear(4),
    )  # fmt: skip


class Before(nn.Module):
    """A network that does something to its images first."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.change, self.layers = change, layers()
        self.layers(torch.zeros(1, 3, 16, 16))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(self.change(images))
        return logits


class Frozen(Before):
    """A network that cuts the gradient of a part of its first kernel."""

    def __init__(self, part: int) -> None:
        super().__init__(nn.Identity())
        self.part = part

    def forward(self, images: Tensor) -> Tensor:
        kernel = self.layers[0].weight
        kernel = torch.cat([kernel[: self.part].detach(), kernel[self.part :]])
        logits: Tensor = self.layers[1:](F.conv2d(images, kernel))
        return logits


class Bottom(Before):
    """A network whose first layers run without gradients."""

    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            features = self.layers[:3](images)
        logits: Tensor = self.layers[3:](features)
        return logits


def checked(module: nn.Module, benchmark: Benchmark, *reads: RestsOn) -> list[frozenset[RestsOn]]:
    model = Classifier(module.eval(), name="dense")
    noticed = check_models([model], images_to_show(benchmark.test), None, reads or ("images", "weights"))["dense"]
    assert len(model.warnings) == len(noticed.doubts)
    assert all("that is not that of its answers" in text for text in model.warnings)
    return [doubt.reads for doubt in noticed.doubts]


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (lambda: Before(lambda x: torch.cat([x[:, :, :8], x[:, :, 8:].detach()], 2)), {"images"}),
        (lambda: Before(lambda x: torch.cat([x[:, :2], x[:, 2:].detach()], 1)), {"images"}),
        (lambda: Before(lambda x: x * 1e-3 + (x * (1 - 1e-3)).detach()), {"images"}),
        (lambda: Before(lambda x: 0.9 * x + 0.1 * x.detach()), {"images"}),
        (lambda: Before(Straight.apply), {"images"}),
        (lambda: Before(lambda x: 0.7 * x + 0.3 * Straight.apply(x)), {"images"}),
        (lambda: Frozen(8), {"weights"}),
        (lambda: Frozen(4), {"weights"}),
        (lambda: Bottom(nn.Identity()), {"images", "weights"}),
    ],
)
def test_parts_that_are_cut_or_estimated(make: Callable[[], nn.Module], wrong: set[str], benchmark: Benchmark) -> None:
    assert checked(make(), benchmark) == [wrong]
    assert checked(make(), benchmark, "order", "probabilities") == []


@pytest.mark.parametrize(
    "change",
    [
        nn.Identity(),
        lambda x: x.clamp(0.2, 0.8),
        lambda x: (x - x.amax(1, keepdim=True).detach()).softmax(1),  # the answers do not depend on what is cut
        lambda x: (x * 255).round() / 255,  # has no gradient at all, of which the measurements tell
        lambda x: x.float().to(x.dtype),  # too rough to be compared
        lambda x: x.half().float(),  # cannot be computed in float64
        lambda x: x + torch.randn_like(x),  # no two answers are alike
    ],
)
def test_gradients_that_are_right_or_cannot_be_compared(
    change: Callable[[Tensor], Tensor], benchmark: Benchmark
) -> None:
    module = Before(change).eval()
    model = Classifier(module)
    before = copy.deepcopy(module.state_dict())
    (noticed,) = check_models([model], images_to_show(benchmark.test), None, ["images", "weights"]).values()
    assert noticed.doubts == []
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


def test_dead_units_lie_on_no_kink(benchmark: Benchmark) -> None:
    module = Before(nn.Identity())
    with torch.no_grad():
        module.layers[0].weight[:6] = 0
    assert checked(module, benchmark) == []


def test_metrics_of_a_gradient_that_is_cut_are_no_ground_for_a_pass(
    benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    dense = Classifier(Before(lambda x: 0.1 * x + 0.9 * x.detach()).eval(), name="dense")
    options = settings | {"metrics": ["accuracy", "fgsm_accuracy", "weight_trace"], "options": {}}
    evaluation = evaluate(dense, Classifier(Before(nn.Identity()).eval(), name="sparse"), benchmark, **options)
    verdict = evaluation.verdict("sparse")
    assert verdict.outcome != "pass"
    assert verdict.metrics["fgsm_accuracy"].outcome == "not evaluated"
    assert (verdict.metrics["fgsm_accuracy"].reason or "").startswith("dense has a gradient in the images (")
    assert verdict.metrics["weight_trace"].outcome != "not evaluated"
    assert verdict.metrics["accuracy"].outcome != "not evaluated"
