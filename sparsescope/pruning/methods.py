"""`prune` and `score`: masks by every method that is a score, and by scoring functions of one's own."""

import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sparsescope.classifier import Classifier
from sparsescope.errors import InputError, OptionError, SparsescopeError
from sparsescope.mask import Mask
from sparsescope.pruning.catalogue import find
from sparsescope.pruning.collapse import warn_of_collapse
from sparsescope.pruning.information import check_information
from sparsescope.pruning.masking import make_mask
from sparsescope.pruning.method import Method
from sparsescope.pruning.n_m import pattern
from sparsescope.pruning.own import takes_subject
from sparsescope.pruning.passed_over import warn_of_passed_over
from sparsescope.pruning.subject import Batch, Scores, Subject
from sparsescope.values import is_number, is_whole

__all__ = ["prune", "score"]

DEFAULT_SPARSITY = 0.8


def prune(
    method: str | Method | Callable[..., Scores],
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
        method: a name of `sparsescope.pruning.names()`; or a scoring function of your own, as it is or as
            `"FILE.py:function"` or `"package.module:function"`. It takes a `Subject`, or two arguments: the module, a
            copy in eval mode, and batches of (inputs, labels) as the module takes them, on its device. It returns
            scores by parameter name; those of weights that may not be removed are left aside.
        model: an nn.Module, or a Classifier, which takes pixels.
        batches: iterable of (images, labels) tensors as the model takes them; for a single batch `[(images, labels)]`.
            Not needed by methods that look at no data; SynFlow takes only the images' shape.
        sparsity: fraction removed, 0 <= sparsity < 1; by default 0.8, and for N:M what the pattern removes.
        scope: `"global"`, `"layerwise"`, `"erk"` or N:M such as `"2:4"`, see `make_mask`; default: that of the method.
        steps: how often scores are computed; default: as the method says, mostly once.
        prune_head: prune the classification head too.
        skip_first: leave the first layer alone.
        within: a mask to stay within, so that masks nest; scores are computed with its removed weights at zero. That of
            a sparse Classifier is `classifier.mask`; it is not taken unasked.
        on_step: called with (steps done, steps in all) after each of the `steps`.
        options: of the method's own, as its scoring function documents them.

    Raises:
        OptionError: unknown method or option, or a value out of range.
        InputError: batches missing or unusable, nothing to prune, or scores that do not fit the weights or carry no
            information (`check_information`): the mask would follow from the order of the weights.
        ArtefactError: `within` does not fit the network.

    Warns:
        SparsescopeWarning: a whole layer is removed, or layers hold weights that are left alone, such as recurrent ones
            and those that are standardized in the forward pass; the text names them. A part of
            the mask follows from the order of the weights, as their scores are equal.

    Example:
        >>> import sparsescope as ss
        >>> import torch
        >>> from torch import nn
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4))
        >>> batch = torch.rand(8, 1, 8, 8), torch.arange(8) % 4
        >>> ss.prune("snip", network, [batch], sparsity=0.8)
        Mask(1 tensors, sparsity 0.800)
    """
    chosen = _scoring(method)
    chosen.check_options(options)
    scope = chosen.scope if scope is None else scope
    if sparsity is None and pattern(scope) is None:
        sparsity = DEFAULT_SPARSITY
    steps = chosen.steps if steps is None else steps
    if not (is_whole(steps) and steps >= 1):
        raise OptionError(f"Expected a whole number of steps of at least 1, but got {steps!r}.")
    subject = Subject.of(model, _repeatable(batches, steps), prune_head=prune_head, skip_first=skip_first)
    start = 1.0
    if within is not None:
        if not isinstance(within, Mask):
            raise OptionError(f"Expected within to be a Mask, but got a {type(within).__name__}.")
        within.apply(subject.module)
        start = _kept_fraction(within, subject)
    for step in range(1, steps + 1):
        target = sparsity
        if sparsity is not None and step < steps and is_number(sparsity) and sparsity < 1:
            target = 1 - start ** (1 - step / steps) * (1 - sparsity) ** (step / steps)
        scores = _scores(chosen, subject, options)
        mask = make_mask(scores, target, scope=scope, method=chosen.name, within=within)
        if step == steps or pattern(scope) is not None:  # the first step makes all of N:M
            check_information(scores, mask, subject.module, scope=scope, within=within)
        within = mask
        within.apply(subject.module)
        if on_step is not None:
            on_step(step, steps)
    assert within is not None
    warn_of_collapse(within)
    warn_of_passed_over(subject.module, within)
    return within


def score(
    method: str | Method | Callable[..., Scores],
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
    chosen = _scoring(method)
    chosen.check_options(options)
    return _scores(chosen, Subject.of(model, batches, prune_head=prune_head, skip_first=skip_first), options)


def _scoring(method: str | Method | Callable[..., Scores]) -> Method:
    """Return the record of a method that is a score; OptionError says how to call another one."""
    chosen = find(method)
    if chosen.trains == "afterwards" and not chosen.structured:
        return chosen
    why = "removes whole channels" if chosen.structured else "trains between its rounds"
    if chosen.trains == "while it prunes":
        why = "changes its mask in training"
    function = chosen.load()
    arguments = inspect.signature(function).parameters.values()
    shown = ", ".join(each.name for each in arguments if each.kind is each.POSITIONAL_OR_KEYWORD)
    raise OptionError(f"Method {chosen.name!r} {why}: use sparsescope.pruning.{function.__name__}({shown}).")


class _Inputs:
    """The batches of a subject as its module takes them; an error comes only when they are asked for."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject

    def __iter__(self) -> Iterator[Batch]:
        return self._subject.inputs()


def _scores(chosen: Method, subject: Subject, options: Mapping[str, Any]) -> Scores:
    """Return the scores of the weights that may be removed, also where the caller has switched gradients off."""
    known = {name: parameter.shape for name, parameter in subject.module.named_parameters(remove_duplicate=False)}
    with torch.enable_grad():
        found = _called(chosen, subject, options)
    _check_scores(chosen.name, found, known, list(subject.weights))
    return {name: found[name] for name in subject.weights}


def _called(chosen: Method, subject: Subject, options: Mapping[str, Any]) -> Any:
    """Return what the scoring function does; what a user's file raises becomes an InputError that says where."""
    function = chosen.load()
    try:
        if takes_subject(function):
            return function(subject, **options)
        return function(subject.module, _Inputs(subject), **options)
    except (SparsescopeError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if chosen.code is None:  # it came as an object: whoever called sees the traceback
            raise
        file = getattr(getattr(inspect.unwrap(function), "__code__", None), "co_filename", None)
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        where = f" in {file}, line {lines[-1]}" if lines else ""
        raise InputError(
            f"The scoring function {chosen.name} failed{where}: {type(error).__name__}: {error}"
        ) from error


def _check_scores(method: str, found: Any, known: Mapping[str, torch.Size], wanted: list[str]) -> None:
    """Raise InputError unless these are scores for parameters of the network, and for all that are wanted."""
    if not (isinstance(found, Mapping) and all(isinstance(score, Tensor) for score in found.values())):
        raise InputError(f"Expected {method} to return a tensor of scores by parameter name, but got {found!r:.60}.")
    for name in (*found, *wanted):
        if name not in known:
            raise InputError(f"{method} returns scores for {name!r}, which is no parameter of the network.")
        if name not in found:
            raise InputError(f"Expected {method} to score all weights that may be removed, but {name} is missing.")
        if found[name].shape != known[name]:
            raise InputError(
                f"Expected {method} to return scores of shape {tuple(known[name])} for {name}, but got "
                f"{tuple(found[name].shape)}."
            )


def _kept_fraction(mask: Mask, subject: Subject) -> float:
    size = sum(weight.numel() for weight in subject.weights.values())
    return 1 - sum(int((~mask[name]).sum()) for name in subject.weights if name in mask) / size


def _repeatable(batches: Iterable[Batch] | None, steps: int) -> Iterable[Batch] | None:
    """An iterator gives its batches only once, too few for several steps."""
    return list(batches) if steps > 1 and isinstance(batches, Iterator) else batches
