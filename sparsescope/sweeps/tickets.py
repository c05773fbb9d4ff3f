"""Tickets by any method with our training loop: one place for `sparsescope prune` and `sparsescope sweep`.

omp           the smallest of the dense network's trained weights go; the rest is rewound to epoch K and trained, like
              a single round of LTH. Chen et al. 2022 cite Han et al. 2015, where weights stay as they are; what
              they train from could not be checked in the paper. Job scripts of the same group run OMP as one round
              of their LTH program, with rewinding (VITA-Group's main_imp.py: --pruning_times 2 --rate 0.8323
              --prune_type rewind_lt), so that is the default. `rewind="learning_rate"` keeps the trained weights,
              and the schedule alone goes back to epoch K (Renda et al. 2020).
lth           20 % of what is left goes per round, each rewound to epoch K and trained; see `pruning.lth`
random, snip, grasp, synflow
              scored on the initial weights of the dense network and trained from there, by the whole recipe
rigl          trained from the initial weights while the mask moves, by the whole recipe
n_m, channels as omp, with their masks; channels keep their place in the network, at zero
"""

import dataclasses
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sparsescope.benchmark import stratified_sample
from sparsescope.classifier import Classifier
from sparsescope.errors import OptionError
from sparsescope.files import write_atomically
from sparsescope.mask import Mask
from sparsescope.pruning import METHODS as SCORES
from sparsescope.pruning import RigL, Ticket, channel_mask, lth, prune
from sparsescope.pruning.lth import round_sparsities
from sparsescope.randomness import generator
from sparsescope.sweeps.rigl_hook import RigLHook
from sparsescope.sweeps.workshop import Workshop
from sparsescope.training import StepHook
from sparsescope.training.batches import steps_per_epoch

__all__ = ["METHODS", "STRUCTURED", "check_options", "make_ticket", "run_name", "snapped", "untrained_ticket"]

METHODS = ("omp", "lth", "random", "snip", "grasp", "synflow", "rigl")
"""The methods of the study."""
STRUCTURED = ("n_m", "channels")
"""Beyond it."""

_OF_TRAINED_WEIGHTS = ("omp", *STRUCTURED)
_LOOKING_AT_IMAGES = ("snip", "grasp", "synflow")
_SHARED = ("scope", "prune_head", "skip_first")  # asked for all methods together
_LARGEST_BATCH = 256
_PIXELS = 32 * 224 * 224  # of a batch: GraSP takes 0.23 GB for an image of 224 px in ResNet-50


def run_name(method: str, sparsity: float | None = None) -> str:
    """Return the name of a training run, such as `lth-0.488`: of its folder, and of the network in evaluations."""
    return method if sparsity is None else f"{method}-{sparsity:.6g}"


def snapped(sparsity: float) -> float:
    """Return the 1 - 0.8^n that a sparsity is the rounded value of, or itself; OptionError unless 0 < s < 1."""
    if not 0 < sparsity < 1:
        raise OptionError(f"Expected a sparsity (fraction removed) above 0 and below 1, but got {sparsity:g}.")
    nearest = min(round_sparsities(0.99999), key=lambda reached: abs(reached - sparsity))
    return nearest if abs(nearest - sparsity) < 1e-6 else sparsity


def make_ticket(workshop: Workshop, method: str, sparsity: float | None) -> Path:
    """Return the checkpoint of a trained ticket; the dense network is trained first where the method needs it.

    Args:
        workshop: everything that the tickets of one seed share.
        method: one of `METHODS` or `STRUCTURED`.
        sparsity: fraction of the prunable weights removed (for channels: of each layer's channels); None for N:M.

    Raises:
        OptionError: an unknown method or option, a value out of range, or a folder that holds another run.
        InputError: no weights to rewind to, nothing to prune, or training diverged.
    """
    sparsity = _checked(workshop, method, sparsity)
    if method == "lth" and sparsity is not None:
        return _iterative(workshop, sparsity)
    name, first = run_name(method, sparsity), workshop.recipe.rewind_epoch if method in _OF_TRAINED_WEIGHTS else 0
    if method == "rigl" and sparsity is not None:
        return _train(workshop, method, name, workshop.initial(), hook=_rigl(workshop, sparsity))
    start = workshop.run(name).kept(first)
    _checked_settings(workshop, method, name)  # before weights of another run are taken for this one's
    if start.exists():  # the scores are not computed again: on a GPU they might differ
        return _train(workshop, method, name, workshop.stored(start), first=first)
    classifier = untrained_ticket(workshop, method, sparsity)
    if method in _OF_TRAINED_WEIGHTS and workshop.rewinds_weights:
        classifier = dataclasses.replace(workshop.rewound(), mask=classifier.mask)
    return _train(workshop, method, name, classifier, first=first)


def untrained_ticket(workshop: Workshop, method: str, sparsity: float | None) -> Classifier:
    """Return a ticket as pruning leaves it, removed weights at zero: not rewound, and not trained any further.

    Raises:
        OptionError: a method that trains between its rounds, or while it prunes.
    """
    sparsity = _checked(workshop, method, sparsity)
    if method in ("lth", "rigl"):
        raise OptionError(f"{method} cannot be left untrained: it prunes while it trains.")
    classifier = workshop.dense() if method in _OF_TRAINED_WEIGHTS else workshop.initial()
    mask = _mask(workshop, method, sparsity, classifier)
    mask.apply(classifier.module)
    return dataclasses.replace(classifier, mask=mask)


def check_options(method: str, options: Mapping[str, Any]) -> None:
    """Raise OptionError unless a method has these options of its own, before anything is trained."""
    functions: dict[str, Callable[..., Any]] = {"rigl": RigL, "channels": channel_mask, "lth": lambda: None}
    function = functions[method] if method in functions else SCORES[method].scores
    parameters = inspect.signature(function).parameters.values()
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in _SHARED]
    for option in options:
        if option not in known:
            raise OptionError(
                f"Method {method} has no option {option!r} of its own; it has {', '.join(known) or 'none'}."
            )


def _checked(workshop: Workshop, method: str, sparsity: float | None) -> float | None:
    if method not in (*METHODS, *STRUCTURED):
        raise OptionError(f"Expected a method of {', '.join((*METHODS, *STRUCTURED))}, but got {method!r}.")
    check_options(method, workshop.options.get(method, {}))
    if sparsity is None and method != "n_m":
        raise OptionError(f"Expected a sparsity for {method}: the fraction removed.")
    return None if sparsity is None else snapped(sparsity)


def _train(
    workshop: Workshop, method: str, name: str, classifier: Classifier, *, first: int = 0, hook: StepHook | None = None
) -> Path:
    """Train a ticket, and note beside it how it is made."""
    settings = _checked_settings(workshop, method, name)
    path = _settings_file(workshop, name)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, (json.dumps(settings, indent=2) + "\n").encode())
    return workshop.train(name, classifier, first=first, hook=hook)


def _settings_file(workshop: Workshop, name: str) -> Path:
    return workshop.folder / name / "ticket.json"


def _checked_settings(workshop: Workshop, method: str, name: str) -> dict[str, Any]:
    """Return what decides a ticket's weights; OptionError if one that was made otherwise is in its folder."""
    path = _settings_file(workshop, name)
    mine: dict[str, Any] = {
        **workshop.recipe.model_dump(mode="json", exclude={"description", "source"}),
        "seed": workshop.seed,
        "architecture": workshop.architecture,
        "mean": workshop.mean and list(workshop.mean),
        "std": workshop.std and list(workshop.std),
        "fingerprint of the data": workshop.images.fingerprint,
        "dense network": None if workshop.parent is None else workshop.dense().origin.sha256,
        "rewind": workshop.rewind,
        "scope": workshop.scope,
        "prune_head": workshop.prune_head,
        "skip_first": workshop.skip_first,
        "score_images": workshop.score_images,
        "options": dict(workshop.options.get(method, {})),
    }
    try:
        theirs = dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else mine
    except (ValueError, TypeError) as error:
        raise OptionError(f"{path} is damaged ({error}). Remove {path.parent}, or choose another folder.") from error
    differing = [
        f"{key} is {theirs[key]!r:.40} there and {mine[key]!r:.40} here"
        for key in mine
        if key in theirs and theirs[key] != mine[key]
    ]
    if differing:
        raise OptionError(f"{path.parent} holds another ticket: {'; '.join(differing)}. Choose another folder.")
    return mine


def _mask(workshop: Workshop, method: str, sparsity: float | None, classifier: Classifier) -> Mask:
    options = dict(workshop.options.get(method, {}))
    if method == "channels":
        return channel_mask(classifier.module, sparsity or 0.0, **options)
    if method == "random":
        options = {"seed": workshop.seed, **options}
    batches = None
    if method in _LOOKING_AT_IMAGES:
        classifier.module.to(workshop.device)
        batches = list(_scoring_batches(workshop))
    return prune(
        method,
        classifier,
        batches,
        sparsity,
        scope=workshop.scope,
        prune_head=workshop.prune_head,
        skip_first=workshop.skip_first,
        on_step=_teller(workshop, run_name(method, sparsity)),
        **options,
    )


def _teller(workshop: Workshop, name: str) -> Callable[[int, int], None] | None:
    """Tell how far the scores are, where they take several steps: minutes, of a large network under SynFlow."""
    told = workshop.told
    if told is None:
        return None
    return lambda step, steps: told(name, 0.0, f"scores {step} of {steps}") if steps > 1 else None


def _scoring_batches(workshop: Workshop) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield a stratified sample of the training images, shuffled, without augmentation."""
    labels = workshop.images.required_labels()
    size = workshop.score_images or 10 * (int(labels.max()) + 1)
    rows = stratified_sample(labels, size, workshop.seed, "pruning/scores")
    rows = generator(workshop.seed, "pruning/order", 0).permutation(rows)
    _, height, width = workshop.images.shape
    batch = max(2, min(workshop.recipe.batch_size, _LARGEST_BATCH, _PIXELS // (height * width)))
    steps = steps_per_epoch(len(rows), batch)
    for part in np.split(rows, np.arange(1, steps) * batch):
        yield workshop.images.read(part), torch.from_numpy(labels[part])


def _rigl(workshop: Workshop, sparsity: float) -> RigLHook:
    steps = workshop.recipe.epochs * steps_per_epoch(len(workshop.images), workshop.recipe.batch_size)
    options = {"seed": workshop.seed, "prune_head": workshop.prune_head, "skip_first": workshop.skip_first}
    scope = {} if workshop.scope is None else {"scope": workshop.scope}
    return RigLHook(sparsity, steps, **{**options, **scope, **workshop.options.get("rigl", {})})


def _iterative(workshop: Workshop, sparsity: float) -> Path:
    """Walk the chain of rounds: those that are trained already give their weights at once."""
    rewinds = workshop.rewind != "learning_rate"
    trained = workshop.dense().module.state_dict()
    rewound = workshop.rewound().module.state_dict() if rewinds else trained
    classifier = workshop.initial()
    targets = iter(round_sparsities(sparsity))
    checkpoint = workshop.folder

    def train_round(module: nn.Module, mask: Mask, first: int, stop: int | None) -> None:
        nonlocal checkpoint
        name = run_name("lth", next(targets))
        checkpoint = _train(workshop, "lth", name, dataclasses.replace(classifier, mask=mask), first=first)

    rounds = lth(
        classifier.module,
        train_round,
        sparsity,
        rewind="weights" if rewinds else "learning_rate",
        epoch=workshop.recipe.rewind_epoch,
        scope=workshop.scope or "global",
        prune_head=workshop.prune_head,
        skip_first=workshop.skip_first,
        resume=Ticket(0, Mask({}), rewound, trained),
    )
    for _ in rounds:
        pass
    return checkpoint
