"""Answers that depend on the batch or on what came before; networks that change themselves are put back."""

import copy
import warnings
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.evaluation import evaluate
from sparsescope.evaluation.checks import check_models, images_to_show


class Head(nn.Module):
    """Linear features of images 3 x 16 x 16, and what a subclass makes of them."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.linear = nn.Linear(3 * 16 * 16, 4)
        self.register_buffer("seen", torch.zeros(4))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, images: Tensor) -> Tensor:
        z: Tensor = self.linear(images.flatten(1))
        return z


class WithoutStatistics(Head):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4, track_running_stats=False)

    def forward(self, images: Tensor) -> Tensor:
        z: Tensor = self.norm(super().forward(images))
        return z


class ForcedTraining(Head):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(self.norm.train()(images))


class BatchCentred(Head):
    def forward(self, images: Tensor) -> Tensor:
        z = super().forward(images)
        return z - z.mean(0)


class FirstOfTheBatch(Head):
    def forward(self, images: Tensor) -> Tensor:
        z = super().forward(images)
        return z - z[:1] / 2


class SoftmaxOverTheBatch(Head):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).softmax(0)


class Squeezes(Head):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images)[..., None].squeeze()


class Drifts(Head):
    def forward(self, images: Tensor) -> Tensor:
        z = super().forward(images)
        self.seen = 0.5 * self.seen + 0.5 * z.mean(0)
        return z - self.seen


class Counts(Head):
    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(images)


class Clamps(Head):
    def forward(self, images: Tensor) -> Tensor:
        self.linear.weight.data.clamp_(-0.01, 0.01)
        return super().forward(images)


class Decays(Head):
    def forward(self, images: Tensor) -> Tensor:
        self.linear.weight.data = 0.5 * self.linear.weight.data
        return super().forward(images)


class Remembers(Head):
    last = 0.0

    def forward(self, images: Tensor) -> Tensor:
        z = super().forward(images) + self.last * torch.arange(4.0)
        self.last += 1.0
        return z


class DriftsSlowly(Head):
    calls_made = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls_made += 1
        return super().forward(images) * (1 + 1e-3 * self.calls_made)


class Drops(Head):
    def forward(self, images: Tensor) -> Tensor:
        return F.dropout(super().forward(images), 0.5, training=True)


class GrowingCache(Head):
    """Keeps a table of the batch's size: no state, and not to be put back beside a size that is kept elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.zeros(1))
        self.size = 1

    def forward(self, images: Tensor) -> Tensor:
        if self.size < len(images):
            self.table, self.size = torch.zeros(len(images)), len(images)
        return super().forward(images) + self.table[: len(images), None]


def warnings_of(module: nn.Module, benchmark: Benchmark) -> tuple[str, ...]:
    classifier = Classifier(module)
    check_models([classifier], images_to_show(benchmark.test), None, ["probabilities"])
    return classifier.warnings


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (
            WithoutStatistics,
            ["cannot take a batch of one image", "depends on the others in its batch", "BatchNorm norm"],
        ),
        (ForcedTraining, ["norm.running_mean", "depends on the others in its batch", "norm is in training mode"]),
        (BatchCentred, ["cannot be reproduced at another batch size."]),
        (FirstOfTheBatch, ["depends on the others in its batch"]),
        (SoftmaxOverTheBatch, ["depends on the others in its batch"]),
        (Squeezes, ["cannot take a batch of one image (Expected model to return logits", "breaks off"]),
        (Drifts, ["changes its own weights or buffers (seen)", "depend on what it was shown before"]),
        (Counts, ["changes its own weights or buffers (calls), which are put back afterwards."]),
        (Clamps, ["(linear.weight)"]),
        (Decays, ["(linear.weight)", "depend on what it was shown before"]),
        (Remembers, ["answers the same image differently each time", "or a state that it keeps"]),
        (DriftsSlowly, ["answers the same image differently each time", "or a state that it keeps"]),
        (Drops, ["answers the same image differently each time"]),
        (GrowingCache, []),
        (Head, []),
    ],
)
def test_what_is_said(kind: type[Head], texts: list[str], benchmark: Benchmark) -> None:
    said = warnings_of(kind(), benchmark)
    assert bool(said) == bool(texts)
    for text in texts:
        assert text in " ".join(said)


@pytest.mark.parametrize("kind", [Drifts, Counts, Clamps, Decays, ForcedTraining])
def test_a_network_that_changes_itself_is_left_as_it_was(
    kind: type[Head], benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    dense = kind().train()
    tensors = {name: (tensor, tensor.detach().clone()) for name, tensor in dense.state_dict(keep_vars=True).items()}
    evaluation = evaluate(
        dense, copy.deepcopy(dense), benchmark, metrics=["accuracy"], **settings | {"options": {}, "batch_size": 7}
    )
    assert any("which are put back" in text for text in evaluation.dense.warnings)
    assert all(child.training for child in dense.modules())
    for name, tensor in dense.state_dict(keep_vars=True).items():
        kept, values = tensors[name]
        assert tensor is kept and not tensor.is_inference()
        assert torch.equal(tensor, values)


def test_a_scripted_network_is_left_as_it_was(benchmark: Benchmark) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and still what people have in files
        scripted = torch.jit.script(nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(768, 4)))
    before = {name: tensor.clone() for name, tensor in scripted.state_dict().items()}
    assert warnings_of(scripted, benchmark) == ()
    assert all(torch.equal(tensor, before[name]) for name, tensor in scripted.state_dict().items())
