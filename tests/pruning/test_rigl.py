"""RigL: its updates by hand and against a literal rewrite, its schedule, and resuming with the same bits."""

import copy
import io
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import reference_pruning as reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from sparsescope.errors import InputError, OptionError, SparsescopeWarning
from sparsescope.mask import Mask
from sparsescope.pruning import RigL, prune

Make = Callable[..., list[tuple[Tensor, Tensor]]]


def layer_of_six() -> tuple[nn.Module, torch.optim.SGD]:
    """A linear layer 6 -> 1 in front of a head, with momentum buffers of 7 everywhere."""
    network = nn.Sequential(nn.Linear(6, 1, bias=False), nn.Linear(1, 2))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    for parameter in network.parameters():
        optimizer.state[parameter]["momentum_buffer"] = torch.full_like(parameter, 7.0)
    return network, optimizer


def with_mask(rigl: RigL, network: nn.Module, kept: list[bool], values: list[float], gradient: list[float]) -> None:
    rigl.load_state_dict({"steps": rigl.steps, "nonzero": sum(kept), "mask": {"0.weight": torch.tensor([kept])}})
    network[0].weight.data = torch.tensor([values])
    network[0].weight.grad = torch.tensor([gradient])


def test_one_update_by_hand() -> None:
    """Four of six weights active, a fraction of 0.5 at t = 1 of T_end = 3: 0.5 (1 + cos(pi / 3)) alpha = 0.75 alpha.

    With alpha = 0.7 that is 0.525 of 4: two go. The smallest are -0.1 (place 1) and 0.2 (place 3). Gradients then:
    removed are places 1, 3, 4, 5 with 9, 1, -8, 2: places 1 and 4 grow. Place 1 was dropped and grown at once, so it
    keeps weight and momentum; 3 is dropped, 4 is new: both have weight 0 and momentum 0. Place 0's gradient is larger
    still, but it is active.
    """
    network, optimizer = layer_of_six()
    rigl = RigL(network, optimizer, 2 / 6, total_steps=4, every=1, alpha=0.7, until=0.75)
    kept = [True, True, True, True, False, False]
    with_mask(rigl, network, kept, [0.5, -0.1, 0.9, 0.2, 0.0, 0.0], [99.0, 9.0, 0.0, 1.0, -8.0, 2.0])
    assert rigl.drop_fraction == pytest.approx(0.525)
    rigl.step()
    assert rigl.mask["0.weight"].tolist() == [[True, True, True, False, True, False]]
    assert network[0].weight.tolist() == [[0.5, pytest.approx(-0.1), pytest.approx(0.9), 0.0, 0.0, 0.0]]
    momentum = optimizer.state[network[0].weight]["momentum_buffer"]
    assert momentum.tolist() == [[7.0, 7.0, 7.0, 0.0, 0.0, 7.0]]
    assert bool((optimizer.state[network[1].weight]["momentum_buffer"] == 7).all())


def test_an_update_takes_the_place_of_the_optimisers_step() -> None:
    network, optimizer = layer_of_six()
    rigl = RigL(network, optimizer, 0.5, total_steps=100, every=2)
    network[1].weight.grad = torch.ones_like(network[1].weight)
    network[0].weight.grad = torch.ones_like(network[0].weight)
    before = network[1].weight.detach().clone()
    rigl.step()
    assert not torch.equal(network[1].weight, before)
    before = network[1].weight.detach().clone()
    rigl.step()
    assert torch.equal(network[1].weight, before)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5), st.integers(2, 6), st.integers(0, 10**6), st.floats(0.05, 1.0))
def test_updates_equal_the_literal_rewrite(outputs: int, inputs: int, seed: int, alpha: float) -> None:
    """With ties in weights and gradients."""
    rng = np.random.default_rng(seed)
    kept = rng.random((outputs, inputs)) < 0.5
    values = rng.integers(-3, 4, (outputs, inputs)) * kept * 0.5
    gradient = rng.integers(-3, 4, (outputs, inputs)) * 1.0
    network = nn.Sequential(nn.Linear(inputs, outputs, bias=False), nn.Linear(outputs, 2)).double()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    rigl = RigL(network, optimizer, 0.5, total_steps=10, every=1, alpha=alpha, until=1.0, scope="layerwise")
    nonzero = int(np.count_nonzero(values))
    rigl.load_state_dict({"steps": 2, "nonzero": nonzero, "mask": {"0.weight": torch.from_numpy(kept)}})
    network[0].weight.data, network[0].weight.grad = torch.from_numpy(values), torch.from_numpy(gradient)
    fraction = alpha / 2 * (1 + math.cos(0.3 * math.pi))
    weights, mask = reference.rigl_update(
        values.ravel().tolist(), gradient.ravel().tolist(), kept.ravel().tolist(), fraction
    )
    rigl.step()
    assert rigl.mask["0.weight"].flatten().tolist() == mask and sum(mask) == kept.sum()
    assert network[0].weight.flatten().tolist() == weights


def test_schedule() -> None:
    """Every 10 of 100 steps until step 75: updates at 10 ... 70; the fraction falls as a cosine from alpha to 0."""
    network, optimizer = layer_of_six()
    rigl = RigL(network, optimizer, 0.5, total_steps=100, every=10, alpha=0.3)
    fractions = {}
    for t in range(1, 101):
        if rigl.drop_fraction:
            fractions[t] = rigl.drop_fraction
        rigl.steps += 1
    assert list(fractions) == [10, 20, 30, 40, 50, 60, 70]
    assert fractions[30] == pytest.approx(0.15 * (1 + math.cos(math.pi * 0.4)))


def test_it_starts_with_the_random_erk_mask(tiny: nn.Module) -> None:
    expected = prune("random", tiny, sparsity=0.8, scope="erk", seed=5)
    rigl = RigL(tiny, torch.optim.SGD(tiny.parameters(), lr=0.1), 0.8, 1000, seed=5)
    assert all(torch.equal(rigl.mask[name], kept) for name, kept in expected.items())
    assert all(bool((dict(tiny.named_parameters())[name][~kept] == 0).all()) for name, kept in expected.items())


Optimizers = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-3, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=1e-3, amsgrad=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
}


def train(
    network: nn.Module, rigl: RigL, batches: list[tuple[Tensor, Tensor]], steps: range, accumulate: int = 1
) -> Iterator[int]:
    for step in steps:
        rigl.optimizer.zero_grad()
        for part in range(accumulate):
            images, labels = batches[(step + part) % len(batches)]
            functional.cross_entropy(network(images), labels).backward()
        rigl.step()
        yield step


@pytest.mark.parametrize("kind", Optimizers)
def test_a_foreign_loop_keeps_the_sparsity_and_resumes_with_the_same_bits(
    tiny: nn.Module, make_batches: Make, kind: str
) -> None:
    batches = make_batches(3)

    def start() -> tuple[nn.Module, RigL]:
        network = copy.deepcopy(tiny)
        return network, RigL(network, Optimizers[kind](network.parameters()), 0.6, total_steps=24, every=3)

    network, rigl = start()
    sizes = {name: int(kept.sum()) for name, kept in rigl.mask.items()}
    masks = [rigl.mask]
    for step in train(network, rigl, batches, range(24)):
        assert {name: int(kept.sum()) for name, kept in rigl.mask.items()} == sizes
        for name, kept in rigl.mask.items():
            assert bool((dict(network.named_parameters())[name][~kept] == 0).all())
        masks.append(rigl.mask)
        if step == 10:
            file = io.BytesIO()
            states = {"n": network.state_dict(), "o": rigl.optimizer.state_dict(), "r": rigl.state_dict()}
            torch.save(states, file)
    assert any(not torch.equal(masks[0][name], kept) for name, kept in masks[-1].items())

    again, resumed = start()
    file.seek(0)
    states = torch.load(file, weights_only=True)
    resumed.load_state_dict(states["r"])
    again.load_state_dict(states["n"])
    resumed.optimizer.load_state_dict(states["o"])
    list(train(again, resumed, batches, range(11, 24)))
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in network.state_dict().items())
    assert all(torch.equal(resumed.mask[name], kept) for name, kept in rigl.mask.items())


def test_weights_that_were_loaded_too_early_are_noticed(tiny: nn.Module, make_batches: Make) -> None:
    network = copy.deepcopy(tiny)
    rigl = RigL(network, torch.optim.SGD(network.parameters(), lr=0.1), 0.6, total_steps=100, every=2, seed=1)
    list(train(network, rigl, make_batches(), range(7)))
    damaged = copy.deepcopy(tiny)
    damaged.load_state_dict(network.state_dict())
    late = RigL(damaged, torch.optim.SGD(damaged.parameters(), lr=0.1), 0.6, total_steps=100, every=2, seed=1)
    late.load_state_dict(rigl.state_dict())
    with pytest.raises(InputError, match="Make RigL first, then load the states of module and optimiser"):
        late.step()


def test_gradient_scaler_takes_it_in_the_optimisers_place(tiny: nn.Module, make_batches: Make) -> None:
    images, labels = make_batches()[0]
    networks = [copy.deepcopy(tiny), copy.deepcopy(tiny)]
    rigls = [RigL(n, torch.optim.SGD(n.parameters(), lr=0.1), 0.6, total_steps=8, every=3) for n in networks]
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for step in range(6):
        for network, rigl in zip(networks, rigls, strict=True):
            rigl.optimizer.zero_grad()
            loss = functional.cross_entropy(network(images), labels)
            if network is networks[0]:
                loss.backward()
                rigl.step()
            else:
                scaler.scale(loss).backward()
                scaler.step(rigl)
                scaler.update()
        assert rigls[1].steps == step + 1
    for name, tensor in networks[0].state_dict().items():
        torch.testing.assert_close(networks[1].state_dict()[name], tensor)
    networks[1][0].weight.grad.fill_(torch.inf)
    scaler.scale(torch.ones(()))
    scaler.step(rigls[1])
    assert rigls[1].steps == 6  # a step with infinite gradients is left out, and not counted


def test_masked_gradients_are_for_clipping_and_leave_the_choice_of_what_grows(tiny: nn.Module) -> None:
    rigl = RigL(tiny, torch.optim.SGD(tiny.parameters(), lr=0.1), 0.6, total_steps=8, every=2)
    weight, removed = tiny[0].weight, ~rigl.mask["0.weight"]
    weight.grad = torch.ones_like(weight)
    rigl.mask_gradients()
    assert bool((weight.grad[removed] == 0).all()) and bool((weight.grad[~removed] == 1).all())
    rigl.steps, weight.grad = 1, torch.ones_like(weight)
    rigl.mask_gradients()
    assert bool((weight.grad == 1).all())


def test_a_running_average_takes_the_mask_at_the_end(tiny: nn.Module, make_batches: Make) -> None:
    """Dropped weights live on in an average until the mask is applied to it."""
    optimizer = torch.optim.SGD(tiny.parameters(), lr=0.1)
    rigl = RigL(tiny, optimizer, 0.6, total_steps=20, every=4)
    average = torch.optim.swa_utils.AveragedModel(tiny)
    for images, labels in make_batches(12):
        optimizer.zero_grad()
        functional.cross_entropy(tiny(images), labels).backward()
        rigl.step()
        average.update_parameters(tiny)
    weight, removed = average.module[0].weight, ~rigl.mask["0.weight"]
    assert bool(weight[removed].any())
    rigl.mask.apply(average.module)
    assert not bool(weight[removed].any())


def test_training_too_short_for_any_change_is_said(tiny: nn.Module) -> None:
    """Changes come at steps t = every, 2 every ... below until x total_steps."""
    optimizer = torch.optim.SGD(tiny.parameters(), lr=0.1)
    with pytest.warns(SparsescopeWarning, match="never changes its mask: the first .* step 9, .* stays from step 9 on"):
        rigl = RigL(tiny, optimizer, 0.8, total_steps=12, every=9)
    assert rigl.mask["0.weight"].shape == tiny[0].weight.shape
    RigL(tiny, optimizer, 0.8, total_steps=13, every=9)  # 9.75: step 9 is one; warnings are errors here
    RigL(tiny, optimizer, 0.8, total_steps=12, every=9, until=0)  # asked for


def test_wrong_use(tiny: nn.Module) -> None:
    optimizer = torch.optim.SGD(tiny.parameters(), lr=0.1)
    with pytest.raises(OptionError, match=r"total_steps=0, every=100, alpha=0.3, until=0.75"):
        RigL(tiny, optimizer, 0.8, 0)
    with pytest.raises(OptionError, match=r"whole numbers of at least 1.* every=1.5, alpha='a'"):
        RigL(tiny, optimizer, 0.8, 9, every=1.5, alpha="a")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"RigL moves single weights, which breaks 2:4"):
        RigL(tiny, optimizer, 0.5, 9, scope="2:4")
    before = copy.deepcopy(tiny.state_dict())
    with pytest.raises(InputError, match=r"to hold every prunable weight, but it lacks 0.weight, 3.weight"):
        RigL(tiny, torch.optim.SGD(tiny[8].parameters(), lr=0.1), 0.8, 100)
    assert all(torch.equal(tensor, before[name]) for name, tensor in tiny.state_dict().items())
    rigl = RigL(tiny, optimizer, 0.8, 1000)
    other = Mask({"0.weight": torch.ones(1)})
    with pytest.raises(InputError, match="not of this network or these options"):
        rigl.load_state_dict({"steps": 0, "nonzero": 0, "mask": dict(other)})
