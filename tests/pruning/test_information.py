"""Masks that would follow from the order of the weights are refused; ties that decide little are not."""

import copy
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

import sparsescope as ss
from sparsescope.errors import InputError, SparsescopeWarning
from sparsescope.pruning import RigL, Subject, lth

Make = Callable[..., list[tuple[Tensor, Tensor]]]


class Residual(nn.Module):
    """A network whose two wide branches end in a scale."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 6, 3), nn.Linear(6, 4)
        self.first, self.last = nn.Conv2d(6, 24, 3, padding=1), nn.Conv2d(24, 6, 3, padding=1)
        self.gamma = nn.Parameter(torch.full((6,), scale))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        x = x + self.gamma.view(-1, 1, 1) * self.last(torch.relu(self.first(x)))
        return self.head(x.mean((2, 3)))


def constant(subject: Subject) -> dict[str, Tensor]:
    return {name: torch.full_like(weight, 0.5) for name, weight in subject.weights.items()}


def in_steps(subject: Subject, *, levels: int) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(0)
    return {n: torch.randint(1, 1 + levels, w.shape, generator=rng) for n, w in subject.weights.items()}


@pytest.mark.parametrize("scope", ["global", "layerwise", "erk", "2:4"])
@pytest.mark.parametrize("method", ["snip", "synflow"])  # GraSP's H g is not 0 there
def test_a_head_of_zeros_passes_no_gradient(tiny: nn.Module, make_batches: Make, method: str, scope: str) -> None:
    nn.init.zeros_(tiny[8].weight)
    text = rf"All scores of {method} are 0, .* order alone\. 8\.weight is all 0\. Initialize such weights, or prune the"
    with pytest.raises(InputError, match=text):
        ss.prune(method, tiny, make_batches(), None if ":" in scope else 0.5, scope=scope)


@pytest.mark.filterwarnings("ignore:.* have the same score of grasp")  # of units that no image excites
@pytest.mark.parametrize("method", ["snip", "grasp", "synflow"])
def test_branches_that_begin_at_zero(make_batches: Make, method: str) -> None:
    batches = make_batches(dtype=torch.float32)
    with pytest.raises(
        InputError, match=rf"\d\d% of the weights have the same score of {method}, and .* gamma is all 0"
    ):
        ss.prune(method, Residual(0.0), batches, 0.5)
    ss.prune(method, Residual(1e-6), batches, 0.5)  # small is not zero


@pytest.mark.parametrize("scope", ["global", "layerwise", "erk", "2:4"])
def test_a_scoring_function_of_ones_own_that_says_nothing(tiny: nn.Module, scope: str) -> None:
    with pytest.raises(
        InputError, match="100% of the weights have the same score of constant, and which of them to keep"
    ):
        ss.prune(constant, tiny, sparsity=None if ":" in scope else 0.5, scope=scope)


def test_gradients_that_underflow_are_no_scores(tiny: nn.Module) -> None:
    def underflow(subject: Subject) -> dict[str, Tensor]:
        return {name: weight.float() * 1e-40 for name, weight in subject.weights.items()}

    with pytest.raises(InputError, match="All scores of underflow are 0"):
        ss.prune(underflow, tiny, sparsity=0.5)


def test_nothing_removed_is_nothing_decided(tiny: nn.Module) -> None:
    assert ss.prune(constant, tiny, sparsity=0.0).sparsity == 0.0


def test_random_and_magnitudes_have_no_ties(tiny: nn.Module, recwarn: pytest.WarningsRecorder) -> None:
    for method in ("random", "omp"):
        for scope in ("global", "layerwise", "erk", "2:4"):
            ss.prune(method, tiny, sparsity=None if ":" in scope else 0.5, scope=scope)
    assert not recwarn.list


def test_a_sparse_network_is_pruned_further_but_not_less(tiny: nn.Module, recwarn: pytest.WarningsRecorder) -> None:
    mask = ss.prune("omp", tiny, sparsity=0.8)
    mask.apply(tiny)
    further = ss.prune("omp", tiny, sparsity=0.9)
    assert not any(bool((kept & ~mask[name]).any()) for name, kept in further.items())
    ss.prune("omp", tiny, sparsity=0.8)  # the same again
    ss.prune("omp", tiny, sparsity=0.9, within=mask)
    assert not recwarn.list
    with pytest.raises(InputError, match="80% of the weights have the same score of omp"):
        ss.prune("omp", tiny, sparsity=0.4)


def test_scores_of_a_few_levels(tiny: nn.Module) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ss.prune(in_steps, tiny, sparsity=0.5, levels=1000)
    with pytest.warns(
        SparsescopeWarning, match=r"3\d% of the weights have the same score of in_steps, and which of them"
    ):
        ss.prune(in_steps, tiny, sparsity=0.5, levels=3)
    with pytest.raises(InputError, match="100% of the weights"):
        ss.prune(in_steps, tiny, sparsity=0.5, levels=1)


def test_a_layer_without_information_among_others_is_named(tiny: nn.Module) -> None:
    def one_dead(subject: Subject) -> dict[str, Tensor]:
        return {name: weight.abs() * (name != "0.weight") for name, weight in subject.weights.items()}

    with pytest.warns(SparsescopeWarning, match=r"38% of the weights .* from their order alone in 0\.weight\."):
        ss.prune(one_dead, tiny, sparsity=0.5, scope="layerwise")


def test_what_was_removed_before_does_not_compete(tiny: nn.Module) -> None:
    within = ss.prune("omp", tiny, sparsity=0.6)
    with pytest.raises(InputError, match="100% of the weights"):
        ss.prune(constant, tiny, sparsity=0.8, within=within)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ss.prune("omp", tiny, sparsity=0.8, within=within)


def test_rounds_of_lth_look_too() -> None:
    def train(module: nn.Module, mask: ss.Mask, first: int, stop: int | None) -> None:
        for weight in module.parameters():
            nn.init.ones_(weight)
        mask.apply(module)

    with pytest.raises(InputError, match="100% of the weights have the same score of lth"):
        list(lth(nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2)), train, 0.5))


def test_rigl_grows_nothing_without_gradients(tiny: nn.Module) -> None:
    network = tiny.float()
    rigl = RigL(network, SGD(network.parameters(), lr=0.1), 0.5, total_steps=10, every=1)
    before = copy.deepcopy(dict(rigl.mask))
    for name, weight in network.named_parameters():
        weight.grad = torch.zeros_like(weight) if name == "0.weight" else torch.rand_like(weight)
    rigl.step()
    assert torch.equal(rigl.mask["0.weight"], before["0.weight"])
    assert not torch.equal(rigl.mask["3.weight"], before["3.weight"])


@pytest.mark.parametrize("method", ["snip", "grasp"])
def test_probabilities_are_no_logits(tiny: nn.Module, make_batches: Make, method: str) -> None:
    with_softmax = nn.Sequential(tiny, nn.Softmax(1))
    with pytest.raises(InputError, match=r"each row lies in \[0, 1\] and sums to 1: .* output='probabilities'"):
        ss.prune(method, with_softmax, make_batches(), 0.5)
    expected = ss.prune(method, ss.Classifier(tiny), make_batches(), 0.5)
    found = ss.prune(method, ss.Classifier(with_softmax, output="probabilities"), make_batches(), 0.5)
    assert all(torch.equal(found[f"0.{name}"], kept) for name, kept in expected.items())
