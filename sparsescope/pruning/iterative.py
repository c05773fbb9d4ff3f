"""Iterative magnitude pruning with rewinding, after the lottery ticket hypothesis; the training loop is the user's."""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from sparsescope.errors import InputError, OptionError
from sparsescope.mask import Mask
from sparsescope.pruning.collapse import warn_of_collapse
from sparsescope.pruning.information import check_information
from sparsescope.pruning.masking import make_mask
from sparsescope.pruning.n_m import pattern
from sparsescope.pruning.subject import candidates
from sparsescope.values import is_number

__all__ = ["Ticket", "Train", "lth", "round_sparsities"]

State = Mapping[str, Tensor]
Train = Callable[[nn.Module, Mask, int, int | None], Any]
"""train(module, mask, first, stop): see `lth`."""


@dataclass(frozen=True)
class Ticket:
    """One trained round.

    Args:
        round: 0 for the dense network, n for the network that was pruned n times.
        mask: what is left.
        rewound: the state dict that weights are rewound to, before any mask.
        trained: the state dict after this round's training, removed weights at zero.
    """

    round: int
    mask: Mask
    rewound: State
    trained: State

    def state_dict(self) -> dict[str, Any]:
        """Return plain values and tensors, readable with `torch.load(..., weights_only=True)`."""
        return {
            "round": self.round,
            "mask": dict(self.mask),
            "rewound": dict(self.rewound),
            "trained": dict(self.trained),
        }

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> "Ticket":
        """Return the ticket that `state_dict` was taken of."""
        return cls(state["round"], Mask(state["mask"], method="lth"), state["rewound"], state["trained"])


def round_sparsities(sparsity: float, rate: float = 0.2) -> list[float]:
    """Return the sparsity of each round, 1 - (1 - rate)^n, the last one cut to `sparsity`; [] for 0.

    Raises:
        OptionError: not 0 <= sparsity < 1, or not 0 < rate < 1.

    Example:
        >>> from sparsescope.pruning.iterative import round_sparsities
        >>> [round(sparsity, 3) for sparsity in round_sparsities(0.5, rate=0.2)]
        [0.2, 0.36, 0.488, 0.5]
    """
    if not (is_number(sparsity) and is_number(rate) and 0 <= sparsity < 1 and 0 < rate < 1):
        raise OptionError(f"Expected 0 <= sparsity < 1 and 0 < rate < 1, but got sparsity={sparsity!r}, rate={rate!r}.")
    rounds: list[float] = []
    while (reached := 1 - (1 - rate) ** (len(rounds) + 1)) < sparsity - 1e-9:  # 0.488 is 1 - 0.8^3 but for rounding
        rounds.append(reached)
    return [*rounds, sparsity] if sparsity > 0 else []


def lth(
    module: nn.Module,
    train: Train,
    sparsity: float,
    *,
    rate: float = 0.2,
    rewind: Literal["weights", "learning_rate"] = "weights",
    epoch: int = 0,
    scope: str = "global",
    prune_head: bool = False,
    skip_first: bool = False,
    resume: Ticket | None = None,
) -> Iterator[Ticket]:
    """Yield one trained ticket per round: the dense network first, the one of exactly `sparsity` last.

    A round removes the smallest of the remaining weights, `rate` of them, so that round n has the sparsity
    1 - (1 - rate)^n; masks nest. Then it rewinds and trains again:

        rewind="weights", epoch=0        to the initialisation (Frankle & Carbin 2019)
        rewind="weights", epoch=k        to the dense network's weights after k epochs (Frankle et al. 2020)
        rewind="learning_rate", epoch=k  the schedule alone goes back to epoch k, weights stay (Renda et al. 2020);
                                         fine-tuning is this with k where the schedule's last learning rate begins

    It is a generator: nothing happens until a ticket is asked for, the caller may stop after any, and what `resume` is
    given goes on after that ticket as if nothing had happened. When a ticket is yielded, `module` holds its trained
    weights; save `ticket.state_dict()` to be able to resume.

    Args:
        module: the network at initialisation; it is trained in place.
        train: called as `train(module, mask, first, stop)`. It trains `module` from the start of epoch `first` of the
            user's schedule until the start of epoch `stop`, or to the end if None, in place, with a new optimiser, and
            keeps the weights that `mask` removes at zero (`mask.apply(module)` after every optimiser step). With
            epoch=k > 0 and weight rewinding, the dense network is trained in two calls, (0, k) and (k, None).
        sparsity: fraction removed at the end, 0 <= sparsity < 1.
        rate: fraction of the remaining weights removed per round, 0 < rate < 1.
        rewind: what goes back, `"weights"` (and the schedule) or the `"learning_rate"` schedule alone.
        epoch: where it goes back to, >= 0.
        scope: which weights compete, `"global"`, `"layerwise"` or `"erk"`.
        prune_head: prune the classification head too.
        skip_first: leave the first layer alone.
        resume: the last ticket of an interrupted run with the same options; `module` need only fit it.

    Raises:
        OptionError: an option out of range.
        InputError: nothing to prune, `train` changed removed weights, or most weights left are equal in size.

    Warns:
        SparsescopeWarning: a whole layer is removed; the text names it.

    Example:
        >>> import torch
        >>> from sparsescope.pruning import lth
        >>> from torch import nn
        >>> network = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> def train(module, mask, first, stop):
        ...     optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        ...     module(torch.ones(4, 8)).square().mean().backward()
        ...     optimizer.step()
        ...     mask.apply(module)
        >>> [round(ticket.mask.sparsity, 2) for ticket in lth(network, train, 0.5, rate=0.25)]
        [0.0, 0.25, 0.44, 0.5]
    """
    rounds = round_sparsities(sparsity, rate)
    if epoch < 0 or rewind not in ("weights", "learning_rate"):
        raise OptionError(
            f"Expected rewind 'weights' or 'learning_rate' and epoch >= 0, but got rewind={rewind!r}, epoch={epoch}."
        )
    if pattern(scope) is not None:
        raise OptionError(
            f"Expected scope 'global', 'layerwise' or 'erk', as sparsity rises by rounds, but got {scope!r}."
        )
    weights = candidates(module, prune_head=prune_head, skip_first=skip_first)
    return _tickets(module, train, rounds, weights, rewind == "weights", epoch, scope, resume)


def _tickets(
    module: nn.Module,
    train: Train,
    rounds: list[float],
    weights: Mapping[str, nn.Parameter],
    rewinds_weights: bool,
    epoch: int,
    scope: str,
    ticket: Ticket | None,
) -> Iterator[Ticket]:
    if ticket is None:
        ticket = _dense(module, train, weights, epoch if rewinds_weights else 0)
        yield ticket
    for number, target in enumerate(rounds[ticket.round :], start=ticket.round + 1):
        module.load_state_dict(ticket.trained)
        scores = {name: weight.detach().abs() for name, weight in weights.items()}
        mask = make_mask(scores, target, scope=scope, method="lth", within=ticket.mask)
        check_information(scores, mask, module, scope=scope, within=ticket.mask)
        warn_of_collapse(mask)
        if rewinds_weights:
            module.load_state_dict(ticket.rewound)
        mask.apply(module)
        train(module, mask, epoch, None)
        _check_masked(module, mask)
        ticket = Ticket(number, mask, ticket.rewound, _copied(module))
        yield ticket


def _dense(module: nn.Module, train: Train, weights: Mapping[str, nn.Parameter], epoch: int) -> Ticket:
    mask = Mask({name: torch.ones_like(weight, dtype=torch.bool) for name, weight in weights.items()}, method="lth")
    if epoch:
        train(module, mask, 0, epoch)
    rewound = _copied(module)
    train(module, mask, epoch, None)
    return Ticket(0, mask, rewound, _copied(module))


def _check_masked(module: nn.Module, mask: Mask) -> None:
    parameters = dict(module.named_parameters())
    for name, kept in mask.items():
        changed = int(parameters[name].detach().cpu()[~kept].count_nonzero())
        if changed:
            raise InputError(
                f"Expected train to keep the removed weights at zero, but {changed} of {name} are not. "
                "Call mask.apply(module) after every optimiser step."
            )


def _copied(module: nn.Module) -> State:
    return copy.deepcopy(module.state_dict())
