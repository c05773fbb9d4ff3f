"""Training: epochs of optimiser steps, with checkpoints from which a run goes on to the same bits."""

import contextlib
import hashlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional

from sparsescope.benchmark import ImageSet
from sparsescope.classifier import Classifier
from sparsescope.errors import InputError, OptionError
from sparsescope.mask import Mask
from sparsescope.randomness import generator
from sparsescope.training.batches import epoch_batches, steps_per_epoch
from sparsescope.training.distributed import join
from sparsescope.training.engine import Engine, Precision
from sparsescope.training.folder import RunFolder
from sparsescope.training.history import Epoch, Progress
from sparsescope.training.hooks import FixedMask, StepHook
from sparsescope.training.recipe import Recipe
from sparsescope.training.schedule import learning_rate

__all__ = ["train"]

_REPORT_EVERY = 10  # steps; each report waits for the device
_TEST_BATCH = 256


def train(
    classifier: Classifier,
    images: ImageSet,
    recipe: Recipe,
    *,
    first: int = 0,
    stop: int | None = None,
    seed: int = 0,
    test: ImageSet | None = None,
    hook: StepHook | None = None,
    folder: RunFolder | None = None,
    device: str | torch.device | None = None,
    precision: Precision = "float32",
    workers: int = 1,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[Epoch]:
    """Train `classifier.module` in place and return the history; weights that the mask removes stay exactly zero.

    Order, augmentation and the network's own random numbers (dropout) of epoch e depend on (seed, e) and the image
    alone, so a run that was interrupted goes on from its last whole epoch to the bits of an uninterrupted one, on the
    CPU; GPU kernels may add in another order. Under torchrun the processes share every batch and the first one writes.

    Args:
        classifier: the network with its normalisation and mask; left on `device` in eval mode, with the hook's mask.
        images: labelled training images, without augmentation.
        recipe: how to train.
        first: epoch of the recipe to begin with, from 0: a ticket that was rewound to epoch k goes on from there.
        stop: epoch of the recipe before which to stop; None trains to its end.
        seed: key of order, augmentation and the network's random numbers.
        test: labelled images to look at after every epoch; nothing depends on them.
        hook: acts around every step; default: the classifier's mask is kept.
        folder: where checkpoints go, and where a run that is found there goes on; None keeps nothing.
        device: where to compute; default: where the network is.
        precision: of the forward pass.
        workers: threads that read and augment ahead; they change no number. 0: none.
        on_epoch: told after every epoch, also of those that were done before an interruption.
        on_progress: told several times in every epoch.

    Raises:
        DataError: no labels, or labels that the network has no output for.
        OptionError: the folder holds a run with other settings, or not 0 <= first < stop <= the recipe's epochs.
        InputError: the loss is not finite; the text says what to change. The last whole epoch's checkpoint stays.
    """
    ranks, place = join(torch.device(device) if device is not None else classifier.device)
    images.required_labels()
    stop = recipe.epochs if stop is None else stop
    if not 0 <= first < stop <= recipe.epochs:
        raise OptionError(f"Expected 0 <= first < stop <= {recipe.epochs} epochs, but got first={first}, stop={stop}.")
    if hook is None:
        hook = FixedMask(classifier.mask if classifier.mask is not None else Mask({}))
    classifier.module.to(place)
    engine = Engine(classifier, recipe, hook, precision, ranks)
    for kind, labelled in (("training", images), ("test", test)):
        if labelled is not None:
            engine.check_labels(labelled, kind)
    told = (on_epoch, on_progress) if ranks.first else (None, None)
    run = _Run(engine, images, recipe, first, stop, seed, test, workers, folder, *told)
    if folder is not None:
        run.resume(folder, precision)
    engine.start(images.shape)
    try:
        if not run.history:
            run.keep()
        while run.done < stop:
            run.epoch()
            run.save()
    finally:
        classifier.module.eval()
        classifier.mask = engine.mask
    return run.history


@dataclass
class _Run:
    engine: Engine
    images: ImageSet
    recipe: Recipe
    first: int
    stop: int
    seed: int
    test: ImageSet | None
    workers: int
    folder: RunFolder | None
    on_epoch: Callable[[Epoch], None] | None
    on_progress: Callable[[Progress], None] | None
    identity: dict[str, object] = field(default_factory=dict)
    history: list[Epoch] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Epochs of the recipe that are done, or that the weights had behind them at the start."""
        return self.first + len(self.history)

    def resume(self, folder: RunFolder, precision: Precision) -> None:
        """Go on from what is in the folder."""
        engine = self.engine
        if engine.ranks.first:
            folder.prepare()
        self.identity = {
            **self.recipe.identity(),
            "first": self.first,
            "stop": self.stop,
            "seed": self.seed,
            "precision": precision,
            "hook": type(engine.hook).__name__,
            "fingerprint of the data": self.images.fingerprint,
            "fingerprint of the initial network": engine.classifier.fingerprint(),
            "fingerprint of the mask": _digest(engine.mask),
        }
        earlier = {"fingerprint of the initial network": engine.classifier.fingerprint(with_place=True)}
        stored = folder.load(self.identity, earlier)
        if stored is None:
            return
        engine.load_state_dict(stored.state, stored.weights)
        self.history = stored.history
        for epoch in self.history:
            if self.on_epoch is not None:
                self.on_epoch(epoch)

    def keep(self) -> None:
        """Keep the weights as they are now, for rewinding."""
        if self.folder is not None and self.engine.ranks.first:
            self.folder.save(self.folder.kept(self.done), self.engine.snapshot(), self.history)

    def save(self) -> None:
        """Write the checkpoint of the epoch that has just ended, and tell of it."""
        if self.done == self.recipe.rewind_epoch:
            self.keep()
        if self.folder is not None and self.engine.ranks.first:
            training = {"identity": self.identity, "state": self.engine.state_dict()}
            self.folder.save(self.folder.checkpoint, self.engine.snapshot(), self.history, training)
        if self.on_epoch is not None:
            self.on_epoch(self.history[-1])

    def epoch(self) -> None:
        """Train one epoch, look at the test images, and add both to the history."""
        number, engine, started = self.done, self.engine, time.perf_counter()
        steps = steps_per_epoch(len(self.images), self.recipe.batch_size)
        batches = epoch_batches(
            self.images, self.recipe, seed=self.seed, epoch=number, ranks=engine.ranks, workers=self.workers
        )
        sparsity, rate = engine.sparsity, 0.0
        sums = [0.0, 0.0, 0.0]
        engine.module.train()
        with _seeded(self.seed, number, engine), contextlib.closing(batches):
            totals = torch.zeros(3, device=engine.device)
            for step, batch in enumerate(batches, start=1):
                rate = learning_rate(self.recipe, number * steps + step - 1, steps)
                totals = totals + engine.step(batch, number * steps + step - 1, rate)
                if step % _REPORT_EVERY == 0 or step == steps:
                    sums = engine.ranks.sum(totals)
                    self._report(sums, sparsity, step / steps, started, rate)
        engine.ranks.share_buffers(engine.module)
        tested = _tested(engine, self.test) if self.test is not None else (None, None)
        seconds = time.perf_counter() - started
        loss, accuracy = sums[0] / sums[2], sums[1] / sums[2]
        self.history.append(Epoch(number + 1, loss, accuracy, rate, engine.sparsity, seconds, *tested))

    def _report(self, sums: list[float], sparsity: float, fraction: float, started: float, rate: float) -> None:
        number, loss = self.done + 1, sums[0] / sums[2]
        if not math.isfinite(loss):
            kept = "Nothing was kept."
            if self.folder is not None and self.history:
                kept = f"The checkpoint of epoch {self.done} is kept in {self.folder.checkpoint}."
            raise InputError(
                f"Training diverged: the loss is {loss} in epoch {number} (learning rate {rate:g}). Try a lower "
                f"learning_rate, a longer warmup_epochs, or precision float32; are mean and std right? {kept}"
            )
        if self.on_progress is not None:
            spent = time.perf_counter() - started
            left = spent * (1 - fraction) / fraction + (self.stop - number) * spent / fraction
            self.on_progress(Progress(number, self.recipe.epochs, fraction, loss, sums[1] / sums[2], sparsity, left))


def _digest(mask: Mask | None) -> str:
    digest = hashlib.sha256()
    for name, kept in (mask or {}).items():
        digest.update(name.encode() + kept.numpy().tobytes())
    return digest.hexdigest()


@contextlib.contextmanager
def _seeded(seed: int, epoch: int, engine: Engine) -> Iterator[None]:
    """Key torch's own random numbers, which dropout draws, by (seed, epoch, process), and leave them as they were."""
    drawn = generator(seed, f"network/{epoch}", engine.ranks.rank).integers(2**63)
    devices = [engine.device] if engine.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(int(drawn))
        if devices:
            torch.cuda.manual_seed(int(drawn))
        yield


def _tested(engine: Engine, images: ImageSet) -> tuple[float, float]:
    """Return mean loss and accuracy over all images; every process looks at its share."""
    labels = torch.from_numpy(images.required_labels())
    mine = np.arange(engine.ranks.rank, len(images), engine.ranks.size)
    totals = torch.zeros(3, device=engine.device)
    engine.module.eval()
    with torch.no_grad():
        for start in range(0, len(mine), _TEST_BATCH):
            rows = mine[start : start + _TEST_BATCH]
            logits = engine.classifier(images.read(rows))
            target = labels[rows].to(engine.device)
            totals = totals + engine.totals(logits, target, functional.cross_entropy(logits, target))
    loss, right, count = engine.ranks.sum(totals)
    return loss / count, right / count
