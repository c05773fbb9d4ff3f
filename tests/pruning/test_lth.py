"""Iterative magnitude pruning by a user's own training: the loop written out, nesting, rewinding, resuming."""

import copy
import io
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sparsescope.errors import InputError, OptionError
from sparsescope.mask import Mask
from sparsescope.pruning import Ticket, lth
from sparsescope.pruning.iterative import round_sparsities

Make = Callable[..., list[tuple[Tensor, Tensor]]]
EPOCHS = 3


class Trainer:
    """A user's loop of three epochs, with a log of its calls."""

    def __init__(self, batches: list[tuple[Tensor, Tensor]]) -> None:
        self.batches = batches
        self.calls: list[tuple[float, int, int | None]] = []

    def __call__(self, module: nn.Module, mask: Mask, first: int, stop: int | None) -> None:
        self.calls.append((round(mask.sparsity, 3), first, stop))
        optimizer = torch.optim.SGD(module.parameters(), lr=0.5, momentum=0.9)
        module.train()
        for epoch in range(first, EPOCHS if stop is None else stop):
            for group in optimizer.param_groups:
                group["lr"] = 0.5 * 0.5**epoch
            for images, labels in self.batches:
                optimizer.zero_grad()
                functional.cross_entropy(module(images), labels).backward()
                optimizer.step()
                mask.apply(module)


def test_patterns_cannot_rise_by_rounds() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    with pytest.raises(OptionError, match=r"scope 'global', 'layerwise' or 'erk', as sparsity rises .* got '2:4'"):
        lth(network, lambda *_: None, 0.5, scope="2:4")


def test_round_sparsities() -> None:
    assert round_sparsities(0.488) == pytest.approx([0.2, 0.36, 0.488])
    assert round_sparsities(0.5) == pytest.approx([0.2, 0.36, 0.488, 0.5]) and round_sparsities(0.5)[-1] == 0.5
    assert round_sparsities(0.1) == [0.1] and round_sparsities(0) == []
    assert round_sparsities(1 - 0.8**20)[-1] == 1 - 0.8**20 and len(round_sparsities(1 - 0.8**20)) == 20
    with pytest.raises(OptionError, match=r"sparsity=1.0, rate=0.2"):
        round_sparsities(1.0)


def literal(
    network: nn.Module, train: Trainer, rounds: list[float], epoch: int, rewinds_weights: bool
) -> list[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """The loop of Frankle & Carbin written out, with masks as products and thresholds by sorting."""
    names = ["0.weight", "3.weight"]
    parameters = dict(network.named_parameters())
    masks = {name: torch.ones_like(parameters[name], dtype=torch.bool) for name in names}
    if epoch and rewinds_weights:
        train(network, Mask(masks), 0, epoch)
    rewound = copy.deepcopy(network.state_dict())
    train(network, Mask(masks), epoch if rewinds_weights else 0, None)
    found = []
    for target in rounds:
        alive = torch.cat([parameters[name].detach()[masks[name]].abs() for name in names])
        size = sum(mask.numel() for mask in masks.values())
        threshold = alive.sort().values[round(target * size) - (size - len(alive))]
        masks = {name: masks[name] & (parameters[name].detach().abs() >= threshold) for name in names}
        if rewinds_weights:
            network.load_state_dict(rewound)
        Mask(masks).apply(network)
        train(network, Mask(masks), epoch, None)
        found.append((masks, copy.deepcopy(network.state_dict())))
    return found


@pytest.mark.parametrize(
    ("rewind", "epoch"), [("weights", 0), ("weights", 1), ("learning_rate", 0), ("learning_rate", 2)]
)
def test_tickets_are_those_of_the_loop_written_out(
    tiny: nn.Module, make_batches: Make, rewind: Any, epoch: int
) -> None:
    reference, ours = Trainer(make_batches(2)), Trainer(make_batches(2))
    expected = literal(copy.deepcopy(tiny), reference, [0.2, 0.36, 0.4], epoch, rewind == "weights")
    tickets = list(lth(tiny, ours, 0.4, rewind=rewind, epoch=epoch))
    assert [ticket.round for ticket in tickets] == [0, 1, 2, 3]
    assert ours.calls == reference.calls
    for ticket, (masks, state) in zip(tickets[1:], expected, strict=True):
        assert all(torch.equal(ticket.mask[name], kept) for name, kept in masks.items())
        assert all(torch.equal(ticket.trained[name], tensor) for name, tensor in state.items())


def test_masks_nest_and_are_exact(tiny: nn.Module, make_batches: Make) -> None:
    tickets = list(lth(tiny, Trainer(make_batches()), 0.75))
    for before, after in itertools.pairwise(tickets):
        assert not any(bool((kept & ~before.mask[name]).any()) for name, kept in after.mask.items())
    removed = [sum(int((~kept).sum()) for kept in ticket.mask.values()) for ticket in tickets]
    assert removed == [0, *(round(s * 288) for s in (0.2, 0.36, 0.488, 0.5904, 0.67232, 0.737856, 0.75))]


def test_masks_nest_where_weights_are_trained_to_zero() -> None:
    network = nn.Sequential(nn.Linear(4, 1, bias=False), nn.Linear(1, 2))
    trained = iter([[4.0, 3.0, 2.0, 1.0], [0.0, 3.0, 2.0, 0.0], [1.0, 0.0, 0.0, 0.0], [1.0] * 4])

    def train(module: nn.Module, mask: Mask, first: int, stop: int | None) -> None:
        module[0].weight.data = torch.tensor([next(trained)])
        mask.apply(module)

    masks = [ticket.mask["0.weight"].flatten().tolist() for ticket in lth(network, train, 0.5, rate=0.25)]
    assert masks[1:] == [[True, True, True, False], *[[False, True, True, False]] * 2]


def test_rewinding_is_to_epoch_k_and_never_further(tiny: nn.Module, make_batches: Make) -> None:
    start, train = copy.deepcopy(tiny.state_dict()), Trainer(make_batches())
    seen: list[dict[str, Tensor]] = []

    def watched(module: nn.Module, mask: Mask, first: int, stop: int | None) -> None:
        seen.append(copy.deepcopy(module.state_dict()))
        train(module, mask, first, stop)

    tickets = list(lth(tiny, watched, 0.36, epoch=1))
    assert train.calls == [(0.0, 0, 1), (0.0, 1, None), (0.201, 1, None), (0.361, 1, None)]
    assert all(torch.equal(seen[0][name], start[name]) for name in start)
    for state, ticket in zip(seen[2:], tickets[1:], strict=True):
        for name, tensor in state.items():
            rewound = seen[1][name] * ticket.mask[name] if name in ticket.mask else seen[1][name]
            assert torch.equal(tensor, rewound)  # running statistics of BatchNorm go back too


def test_resuming_after_any_round_gives_the_same_bits(tiny: nn.Module, make_batches: Make) -> None:
    batches = make_batches()
    whole = list(lth(copy.deepcopy(tiny), Trainer(batches), 0.5, epoch=1))
    for stop in (0, 2):
        run = lth(copy.deepcopy(tiny), Trainer(batches), 0.5, epoch=1)
        tickets = [next(run) for _ in range(stop + 1)]
        file = io.BytesIO()
        torch.save(tickets[-1].state_dict(), file)
        file.seek(0)
        saved = Ticket.from_state_dict(torch.load(file, weights_only=True))
        fresh = copy.deepcopy(tiny)
        for parameter in fresh.parameters():
            parameter.data.fill_(9.0)
        rest = list(lth(fresh, Trainer(batches), 0.5, epoch=1, resume=saved))
        assert [ticket.round for ticket in rest] == [stop + 1, *range(stop + 2, 5)]
        assert all(torch.equal(rest[-1].trained[name], tensor) for name, tensor in whole[-1].trained.items())
        assert all(torch.equal(rest[-1].mask[name], kept) for name, kept in whole[-1].mask.items())


def test_training_that_forgets_the_mask_is_told(tiny: nn.Module, make_batches: Make) -> None:
    def forgetful(module: nn.Module, mask: Mask, first: int, stop: int | None) -> None:
        Trainer(make_batches())(module, Mask({}), first, stop)

    tickets = lth(tiny, forgetful, 0.2)
    next(tickets)
    with pytest.raises(
        InputError, match=r"to keep the removed weights at zero, but \d+ of \d.weight are not. Call mask"
    ):
        next(tickets)


def test_wrong_options_are_told_before_anything_is_trained(tiny: nn.Module) -> None:
    for wrong in ({"rewind": "both"}, {"epoch": -1}, {"rate": 1.0}):
        with pytest.raises(OptionError, match="Expected"):
            lth(tiny, lambda *_: None, 0.5, **wrong)  # type: ignore[arg-type]
