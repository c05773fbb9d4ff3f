"""The batches of an epoch: order, augmentation and each process's share, read ahead in threads."""

import itertools
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparsescope.benchmark import ImageSet
from sparsescope.randomness import generator
from sparsescope.training.augmentation import augment
from sparsescope.training.distributed import Ranks
from sparsescope.training.recipe import Recipe

__all__ = ["Batch", "epoch_batches", "steps_per_epoch"]


@dataclass(frozen=True)
class Batch:
    """One process's share of a batch.

    Args:
        images: float32 (N, C, H, W) on the CPU.
        labels: int64 (N,).
        factor: what the mean loss over these images is multiplied by, so that the mean over the processes is the mean
            over the whole batch: 1 if there is one process.
    """

    images: Tensor
    labels: Tensor
    factor: float

    @property
    def count(self) -> int:
        """How many images count: none, where the batch is too small to give every process one."""
        return len(self.labels) if self.factor else 0


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Return the number of batches in which `images` images are shown.

    The last batch has what is left; a single image that is left joins the batch before it, because batch normalisation
    has no use for one image's statistics, and refuses those of one pixel.
    """
    whole, left = divmod(images, batch_size)
    return whole + (left > 1 or whole == 0)


def epoch_batches(
    images: ImageSet, recipe: Recipe, *, seed: int, epoch: int, ranks: Ranks, workers: int
) -> Generator[Batch, None, None]:
    """Yield this process's batches of one epoch, which depends on (seed, epoch) alone.

    Args:
        images: labelled training images.
        recipe: batch size and augmentation.
        seed: key of order and augmentation.
        epoch: from 0.
        ranks: every process gets every size-th image of each batch.
        workers: batches that are prepared at the same time, in threads; 0 prepares each when it is asked for.
    """
    labels = torch.from_numpy(images.required_labels())
    order = generator(seed, "order", epoch).permutation(len(images))
    steps = steps_per_epoch(len(order), recipe.batch_size)
    parts = iter(np.split(order, np.arange(1, steps) * recipe.batch_size))

    def prepare(part: NDArray[np.int64]) -> Batch:
        own = part[ranks.rank :: ranks.size]
        factor = ranks.size * len(own) / len(part)
        own = own if len(own) else part[:1]  # a forward pass is needed: the processes wait for each other in it
        shown = augment(images.read(own), own, recipe, seed=seed, epoch=epoch)
        return Batch(shown, labels[own], factor)

    if workers == 0:
        yield from map(prepare, parts)
        return
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[Future[Batch]] = deque(pool.submit(prepare, part) for part in itertools.islice(parts, workers))
        try:
            while pending:
                batch = pending.popleft().result()
                pending.extend(pool.submit(prepare, part) for part in itertools.islice(parts, 1))
                yield batch
        finally:
            pool.shutdown(cancel_futures=True)
