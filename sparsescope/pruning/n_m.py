"""N:M masks: of every M consecutive input weights the N with the highest scores are kept."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from sparsescope.errors import InputError, OptionError

__all__ = ["n_m_mask", "pattern"]


def pattern(scope: str) -> tuple[int, int] | None:
    """Return (N, M) of a scope such as `"2:4"`, None if it is no such scope; raises OptionError unless 0 < N < M."""
    found = re.fullmatch(r"(\d+):(\d+)", scope)
    if found is None:
        return None
    n, m = int(found[1]), int(found[2])
    if not 0 < n < m:
        raise OptionError(f"Expected N:M with 0 < N < M, such as 2:4, but got {scope!r}.")
    return n, m


def n_m_mask(scores: Mapping[str, Tensor], n: int, m: int) -> dict[str, Tensor]:
    """Return which weights are kept: by name, the `n` highest-scored of every `m` consecutive input weights.

    The groups are those of sparse tensor cores (2:4): a linear layer's weight (out, in) along `in`; a convolution's
    (out, in, h, w) along `in` at each output channel and each place of the kernel; always along the second axis, which
    in a transposed convolution's (in, out, h, w) holds the outputs. Layers whose number of inputs is
    no multiple of m stay dense, as the first convolution of an RGB network does. Source: Mishra et al. 2021.

    Args:
        scores: parameter name -> scores, higher is kept; -inf is never kept.
        n: kept per group.
        m: size of a group.

    Raises:
        InputError: no layer has a multiple of m inputs.

    Example:
        >>> import torch
        >>> from sparsescope.pruning.n_m import n_m_mask
        >>> n_m_mask({"weight": torch.tensor([[4.0, 1.0, 3.0, 2.0]])}, 2, 4)["weight"].int().tolist()
        [[1, 0, 1, 0]]
    """
    if not any(score.shape[1] % m == 0 for score in scores.values()):
        raise InputError(
            f"Expected a layer whose number of inputs is a multiple of {m}, but there are only "
            + ", ".join(f"{name} with {score.shape[1]}" for name, score in scores.items())
            + "."
        )
    return {name: _kept(score, n, m) for name, score in scores.items()}


def _kept(score: Tensor, n: int, m: int) -> Tensor:
    allowed = ~torch.isneginf(score)
    if score.shape[1] % m:
        return allowed
    inputs_last = score.movedim(1, -1)
    groups = inputs_last.reshape(-1, m)
    order = torch.argsort(groups, dim=1, stable=True)
    kept = torch.ones_like(groups, dtype=torch.bool).scatter_(1, order[:, : m - n], False)
    return kept.view(inputs_last.shape).movedim(-1, 1) & allowed
