"""Batches: every image once, the same ones whatever the threads, and one batch split between processes."""

import itertools

import numpy as np
import pytest
import torch

from sparsescope.benchmark import ArrayImages
from sparsescope.errors import DataError
from sparsescope.training import Recipe
from sparsescope.training.batches import Batch, epoch_batches, steps_per_epoch
from sparsescope.training.distributed import Ranks

RECIPE = Recipe(epochs=2, batch_size=8, shift=1, flip=True)


@pytest.fixture
def numbered() -> ArrayImages:
    return ArrayImages(np.zeros((27, 4, 4, 3), np.uint8), np.arange(27), "numbered")


def batches_of(images: ArrayImages, *, epoch: int = 0, seed: int = 0, ranks: Ranks | None = None, workers: int = 0):
    return list(epoch_batches(images, RECIPE, seed=seed, epoch=epoch, ranks=ranks or Ranks(), workers=workers))


def labels_of(batches: list[Batch]) -> list[list[int]]:
    return [batch.labels.tolist() for batch in batches]


def test_every_image_once_and_another_order_every_epoch(numbered: ArrayImages) -> None:
    first, second = (labels_of(batches_of(numbered, epoch=epoch)) for epoch in (0, 1))
    assert [len(labels) for labels in first] == [8, 8, 8, 3]
    assert sorted(itertools.chain(*first)) == sorted(itertools.chain(*second)) == list(range(27))
    assert first != second and first != labels_of(batches_of(numbered, seed=1))


@pytest.mark.parametrize(
    ("n", "sizes"), [(1, [1]), (7, [7]), (8, [8]), (9, [9]), (10, [8, 2]), (16, [8, 8]), (25, [8, 8, 9])]
)
def test_a_single_image_that_is_left_joins_the_batch_before(n: int, sizes: list[int]) -> None:
    images = ArrayImages(np.zeros((n, 4, 4, 3), np.uint8), np.arange(n), "numbered")
    found = labels_of(batches_of(images))
    assert [len(labels) for labels in found] == sizes and sorted(itertools.chain(*found)) == list(range(n))
    assert steps_per_epoch(n, 8) == len(sizes)
    assert steps_per_epoch(n, 1) == n


@pytest.mark.parametrize("workers", [1, 3, 9])
def test_threads_change_nothing(tiny_images: ArrayImages, workers: int) -> None:
    for one, other in zip(batches_of(tiny_images), batches_of(tiny_images, workers=workers), strict=True):
        assert torch.equal(one.images, other.images) and torch.equal(one.labels, other.labels)


def test_processes_share_each_batch(numbered: ArrayImages) -> None:
    whole = batches_of(numbered)
    shares = [batches_of(numbered, ranks=Ranks(rank, 2)) for rank in range(2)]
    for batch, *parts in zip(whole, *shares, strict=True):
        assert sorted(itertools.chain(*labels_of(parts))) == sorted(batch.labels.tolist())
        # The mean over the processes of factor x mean is the mean over the batch.
        means = [part.factor * part.labels.double().mean() for part in parts]
        assert float(sum(means) / 2) == pytest.approx(float(batch.labels.double().mean()))
    assert [part.factor for part in (shares[0][-1], shares[1][-1])] == pytest.approx([4 / 3, 2 / 3])


def test_a_process_without_an_image_counts_for_nothing(numbered: ArrayImages) -> None:
    last = batches_of(numbered, ranks=Ranks(4, 5))[-1]
    assert last.factor == 0 and last.count == 0 and len(last.images) == 1


def test_errors_in_threads_arrive() -> None:
    class Broken(ArrayImages):
        def read(self, indices):  # type: ignore[no-untyped-def]
            raise DataError("image 3 is damaged")

    broken = Broken(np.zeros((9, 4, 4, 3), np.uint8), np.zeros(9, int))
    with pytest.raises(DataError, match="image 3 is damaged"):
        batches_of(broken, workers=2)
