"""`prune` and `score`: every method that needs no training, by its name."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import torch
from torch import nn

from sparsescope.classifier import Classifier
from sparsescope.errors import OptionError
from sparsescope.mask import Mask
from sparsescope.pruning.collapse import warn_of_collapse
from sparsescope.pruning.grasp import grasp
from sparsescope.pruning.masking import make_mask
from sparsescope.pruning.n_m import pattern
from sparsescope.pruning.omp import magnitude
from sparsescope.pruning.random_scores import random_scores
from sparsescope.pruning.snip import snip
from sparsescope.pruning.subject import Batch, Scores, Subject
from sparsescope.pruning.synflow import synflow

__all__ = ["METHODS", "Method", "prune", "score"]


@dataclass(frozen=True)
class Method:
    """A pruning method: a score for every weight, and how masks are made of it by default.

    Args:
        scores: Subject -> score by parameter name, higher is kept; its keyword arguments are the method's options.
        scope: which weights compete, see `make_mask`.
        steps: how often scores are computed on the way to the sparsity, each time with the weights removed so far at 0.
    """

    scores: Callable[..., Scores]
    scope: str = "global"
    steps: int = 1

    def of(self, subject: Subject, options: Mapping[str, Any]) -> Scores:
        """Return the scores, also where the caller has switched gradients off."""
        with torch.enable_grad():
            return self.scores(subject, **options)


METHODS: dict[str, Method] = {
    "omp": Method(magnitude),
    "random": Method(random_scores),
    "snip": Method(snip),
    "grasp": Method(grasp),
    "synflow": Method(synflow, steps=100),
    "n_m": Method(magnitude, scope="2:4"),
}
"""Name -> method; a new one is one file and one line here."""

DEFAULT_SPARSITY = 0.8

_ELSEWHERE = {
    "lth": "trains between its rounds: use sparsescope.pruning.lth(module, train, sparsity)",
    "rigl": "changes its mask in training: use sparsescope.pruning.RigL(module, optimizer, sparsity, steps)",
    "channels": "removes whole channels: use sparsescope.pruning.channel_mask(module, fraction) and remove_channels",
}


def prune(
    method: str | Callable[..., Scores],
    model: nn.Module | Classifier,
    batches: Iterable[Batch] | None = None,
    sparsity: float | None = None,
    *,
    scope: str | None = None,
    steps: int | None = None,
    prune_head: bool = False,
    skip_first: bool = False,
    within: Mask | None = None,
    on_step: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Mask:
    """Return the mask of a pruning method; `model` is left exactly as it is (`Mask.apply` sets weights to zero).

    A mask of s = `sparsity` removes exactly round(s x number of prunable weights). Several steps remove the same
    fraction of what is left each: without `within`, the k-th of n reaches 1 - (1 - s)^(k/n).

    Args:
        method: `"omp"`, `"random"`, `"snip"`, `"grasp"`, `"synflow"`, `"n_m"`; or a scoring function of your own, from
            a `Subject` to scores by parameter name.
        model: an nn.Module, or a Classifier, which takes pixels.
        batches: iterable of (images, labels) tensors as the model takes them; for a single batch `[(images, labels)]`.
            Not needed by methods that look at no data; SynFlow takes only the images' shape.
        sparsity: fraction removed, 0 <= sparsity < 1; by default 0.8, and for N:M what the pattern removes.
        scope: `"global"` (default), `"layerwise"`, `"erk"` or N:M such as `"2:4"`; see `make_mask`.
        steps: how often scores are computed; 1 for all but SynFlow (100).
        prune_head: prune the classification head too.
        skip_first: leave the first layer alone.
        within: a mask to stay within, so that masks nest; scores are computed with its removed weights at zero. That of
            a sparse Classifier is `classifier.mask`; it is not taken unasked.
        on_step: called with (steps done, steps in all) after each of the `steps`.
        options: of the method, as its scoring function documents them: `seed` (random), `temperature` (grasp),
            `batch_norm` (snip, grasp), `input_shape` (synflow).

    Raises:
        OptionError: unknown method or option, or a value out of range.
        InputError: batches missing or unusable, or nothing to prune.
        ArtefactError: `within` does not fit the network.

    Warns:
        SparsescopeWarning: a whole layer is removed; the text names it.

    Example:
        >>> import sparsescope as ss
        >>> import torch
        >>> from torch import nn
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4))
        >>> batch = torch.rand(8, 1, 8, 8), torch.arange(8) % 4
        >>> ss.prune("snip", network, [batch], sparsity=0.8)
        Mask(1 tensors, sparsity 0.800)
    """
    name, chosen = _find(method)
    _check_options(name, chosen, options)
    scope = scope or chosen.scope
    if sparsity is None and pattern(scope) is None:
        sparsity = DEFAULT_SPARSITY
    steps = chosen.steps if steps is None else steps
    if not (isinstance(steps, int) and steps >= 1):
        raise OptionError(f"Expected a whole number of steps of at least 1, but got {steps!r}.")
    subject = Subject.of(model, _repeatable(batches, steps), prune_head=prune_head, skip_first=skip_first)
    start = 1.0
    if within is not None:
        within.apply(subject.module)
        start = _kept_fraction(within, subject)
    for step in range(1, steps + 1):
        target = sparsity
        if sparsity is not None and step < steps:
            target = 1 - start ** (1 - step / steps) * (1 - sparsity) ** (step / steps)
        within = make_mask(chosen.of(subject, options), target, scope=scope, method=name, within=within)
        within.apply(subject.module)
        if on_step is not None:
            on_step(step, steps)
    assert within is not None
    warn_of_collapse(within)
    return within


def score(
    method: str | Callable[..., Scores],
    model: nn.Module | Classifier,
    batches: Iterable[Batch] | None = None,
    *,
    prune_head: bool = False,
    skip_first: bool = False,
    **options: Any,
) -> Scores:
    """Return the scores of every prunable weight by parameter name, higher is kept; arguments as in `prune`.

    Example:
        >>> from sparsescope.pruning import score
        >>> from torch import nn
        >>> network = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> {name: tuple(values.shape) for name, values in score("omp", network).items()}
        {'0.weight': (4, 8)}
    """
    name, chosen = _find(method)
    _check_options(name, chosen, options)
    return chosen.of(Subject.of(model, batches, prune_head=prune_head, skip_first=skip_first), options)


def _find(method: str | Callable[..., Scores]) -> tuple[str, Method]:
    if callable(method):
        return getattr(method, "__name__", type(method).__name__), Method(method)
    if method in METHODS:
        return method, METHODS[method]
    if method in _ELSEWHERE:
        raise OptionError(f"Method {method!r} {_ELSEWHERE[method]}.")
    close = get_close_matches(str(method).lower(), [*METHODS, *_ELSEWHERE], n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    raise OptionError(f"There is no pruning method {method!r}.{hint} Methods: {', '.join(METHODS)}.")


def _check_options(name: str, method: Method, options: dict[str, Any]) -> None:
    parameters = inspect.signature(method.scores).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            close = get_close_matches(option, known, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            said = f"Its own options: {', '.join(known)}." if known else "It has no options of its own."
            raise OptionError(f"Method {name} has no option {option!r}.{hint} {said}")


def _kept_fraction(mask: Mask, subject: Subject) -> float:
    size = sum(weight.numel() for weight in subject.weights.values())
    return 1 - sum(int((~mask[name]).sum()) for name in subject.weights if name in mask) / size


def _repeatable(batches: Iterable[Batch] | None, steps: int) -> Iterable[Batch] | None:
    """An iterator gives its batches only once, too few for several steps."""
    return list(batches) if steps > 1 and isinstance(batches, Iterator) else batches
