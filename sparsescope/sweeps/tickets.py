"""Tickets by any method with our training loop: one place for `sparsescope prune` and `sparsescope sweep`.

How a ticket comes about follows from its method's record (`pruning.Method`):

start trained           the dense network's trained weights are pruned; the rest is rewound to epoch K and trained,
                        like a single round of LTH. One-shot magnitude pruning in Chen et al. 2022 removes the globally
                        smallest weights of the trained network, beside LTH and with the same training; job scripts of
                        the same group run it as one round of their LTH program, with rewinding (VITA-Group's
                        main_imp.py: --pruning_times 2 --rate 0.8323 --prune_type rewind_lt). With
                        `rewind="learning_rate"` the trained weights stay, and the schedule alone goes back to epoch K
                        (Renda et al. 2020).
start initial           scored on the initial weights of the dense network and trained from there, by the whole recipe,
                        or by one of the method's own (`Workshop.recipes`)
trains in rounds        20 % of what is left goes per round, each rewound to epoch K and trained; see `pruning.lth`
trains while it prunes  trained from the initial weights while the mask moves, by the whole recipe, likewise
structured              pruned and rewound as trained weights are; removed channels keep their place, at zero
"""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sparsescope.benchmark import stratified_sample
from sparsescope.classifier import Classifier
from sparsescope.errors import OptionError
from sparsescope.files import write_atomically
from sparsescope.mask import Mask
from sparsescope.pruning import Method, Ticket, find, prune
from sparsescope.pruning.iterative import round_sparsities
from sparsescope.randomness import generator
from sparsescope.sweeps.moving_mask import MovingMask
from sparsescope.sweeps.requests import check_own_recipe, check_request, checked_settings, settings_file
from sparsescope.sweeps.workshop import Workshop
from sparsescope.training import StepHook
from sparsescope.training.batches import steps_per_epoch
from sparsescope.userfiles import object_name

__all__ = ["make_ticket", "run_name", "snapped", "untrained_ticket"]

_LARGEST_BATCH = 256
_PIXELS = 32 * 224 * 224  # of a batch: GraSP takes 0.23 GB for an image of 224 px in ResNet-50


def run_name(method: str, sparsity: float | None = None) -> str:
    """Return the name of a training run, such as `lth-0.488`: of its folder, and of the network in evaluations.

    `FILE.py:function` and `package.module:function` are called by their function.
    """
    name = object_name(method)
    return name if sparsity is None else f"{name}-{sparsity:.6g}"


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
        method: as `pruning.find` takes it.
        sparsity: fraction of the prunable weights removed (of a structured method: of each layer's channels); None
            where the scope fixes it.

    Raises:
        OptionError: an unknown method or option, a value out of range, or a folder that holds another run.
        InputError: no weights to rewind to, nothing to prune, or training diverged.
    """
    workshop, chosen, sparsity = _checked(workshop, method, sparsity)
    if chosen.trains == "in rounds":
        return _iterative(workshop, chosen, sparsity)
    name = run_name(chosen.name, sparsity)
    if chosen.trains == "while it prunes":
        return _train(workshop, chosen, name, workshop.initial(), hook=_moving_mask(workshop, chosen, sparsity))
    first = workshop.recipe.rewind_epoch if chosen.start == "trained" else 0
    start = workshop.run(name).kept(first)
    checked_settings(workshop, chosen, name)  # before weights of another run are taken for this one's
    if start.exists():  # the scores are not computed again: on a GPU they might differ
        return _train(workshop, chosen, name, workshop.stored(start), first=first)
    classifier = _pruned(workshop, chosen, sparsity)
    if chosen.start == "trained" and workshop.rewinds_weights:
        classifier = dataclasses.replace(workshop.rewound(), mask=classifier.mask)
    return _train(workshop, chosen, name, classifier, first=first)


def untrained_ticket(workshop: Workshop, method: str, sparsity: float | None) -> Classifier:
    """Return a ticket as pruning leaves it, removed weights at zero: not rewound, and not trained any further.

    Raises:
        OptionError: a method that trains between its rounds, or while it prunes.
    """
    workshop, chosen, sparsity = _checked(workshop, method, sparsity)
    if chosen.trains != "afterwards":
        raise OptionError(f"{chosen.name} cannot be left untrained: it prunes while it trains.")
    return _pruned(workshop, chosen, sparsity)


def _checked(workshop: Workshop, method: str, sparsity: float | None) -> tuple[Workshop, Method, float | None]:
    """Return the workshop with the recipe that trains the method's tickets, its record, and the exact sparsity."""
    chosen = find(method)
    chosen.check_options(workshop.options_of(chosen))
    check_request(
        chosen, sparsity, scope=workshop.scope, prune_head=workshop.prune_head, skip_first=workshop.skip_first
    )
    if chosen.name in workshop.recipes:
        check_own_recipe(chosen)
    return workshop.for_method(chosen), chosen, None if sparsity is None else snapped(sparsity)


def _pruned(workshop: Workshop, chosen: Method, sparsity: float | None) -> Classifier:
    classifier = workshop.dense() if chosen.start == "trained" else workshop.initial()
    mask = _mask(workshop, chosen, sparsity, classifier)
    mask.apply(classifier.module)
    return dataclasses.replace(classifier, mask=mask)


def _train(
    workshop: Workshop,
    chosen: Method,
    name: str,
    classifier: Classifier,
    *,
    first: int = 0,
    hook: StepHook | None = None,
) -> Path:
    """Train a ticket, and note beside it how it is made."""
    settings = checked_settings(workshop, chosen, name)
    path = settings_file(workshop.folder, name)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, (json.dumps(settings, indent=2) + "\n").encode())
    return workshop.train(name, classifier, first=first, hook=hook)


def _mask(workshop: Workshop, chosen: Method, sparsity: float | None, classifier: Classifier) -> Mask:
    options = workshop.options_of(chosen)
    if chosen.structured:
        mask: Mask = chosen.load()(classifier.module, sparsity, **options)
        return mask
    if "seed" in chosen.options:
        options = {"seed": workshop.seed, **options}
    batches = None
    if chosen.looks_at != "nothing":
        classifier.module.to(workshop.device)
        batches = list(_scoring_batches(workshop))
    return prune(
        chosen,
        classifier,
        batches,
        sparsity,
        scope=workshop.scope,
        prune_head=workshop.prune_head,
        skip_first=workshop.skip_first,
        on_step=_teller(workshop, run_name(chosen.name, sparsity)),
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


def _moving_mask(workshop: Workshop, chosen: Method, sparsity: float | None) -> MovingMask:
    assert sparsity is not None
    steps = workshop.recipe.epochs * steps_per_epoch(len(workshop.images), workshop.recipe.batch_size)
    shared = {
        "scope": workshop.scope or chosen.scope,
        "seed": workshop.seed,
        "prune_head": workshop.prune_head,
        "skip_first": workshop.skip_first,
    }
    return MovingMask(chosen.load(), sparsity, steps, **{**shared, **workshop.options_of(chosen)})


def _iterative(workshop: Workshop, chosen: Method, sparsity: float | None) -> Path:
    """Walk the chain of rounds: those that are trained already give their weights at once."""
    assert sparsity is not None
    rewinds = workshop.rewind != "learning_rate"
    trained = workshop.dense().module.state_dict()
    rewound = workshop.rewound().module.state_dict() if rewinds else trained
    classifier = workshop.initial()
    targets = iter(round_sparsities(sparsity))
    checkpoint = workshop.folder

    def train_round(module: nn.Module, mask: Mask, first: int, stop: int | None) -> None:
        nonlocal checkpoint
        name = run_name(chosen.name, next(targets))
        checkpoint = _train(workshop, chosen, name, dataclasses.replace(classifier, mask=mask), first=first)

    rounds = chosen.load()(
        classifier.module,
        train_round,
        sparsity,
        rewind="weights" if rewinds else "learning_rate",
        epoch=workshop.recipe.rewind_epoch,
        scope=workshop.scope or chosen.scope,
        prune_head=workshop.prune_head,
        skip_first=workshop.skip_first,
        resume=Ticket(0, Mask({}), rewound, trained),
        **workshop.options_of(chosen),
    )
    for _ in rounds:
        pass
    return checkpoint
