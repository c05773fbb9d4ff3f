"""Predictions on corrupted test images: errors, confidences and losses under each corruption and severity."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from sparsescope.benchmark import Benchmark, stratified_sample
from sparsescope.classifier import Classifier
from sparsescope.corruptions import STANDARD, corrupt
from sparsescope.corruptions.engine import SMALLEST
from sparsescope.errors import NotEvaluated
from sparsescope.measurements.base import Measurement
from sparsescope.measurements.predictions import predict
from sparsescope.randomness import generator
from sparsescope.softmax import log_max_softmax, negative_log_likelihood, softmax
from sparsescope.units import Arrays

__all__ = ["CorruptedPredictions", "Shown", "plan_cells"]

MOST_CLASSES = 100
"""Probabilities are kept of models with up to so many classes."""


@dataclass(frozen=True)
class Shown:
    """Corrupted images of some units, grouped by cell (corruption × severity).

    Args:
        ids: test image of each unit (n,).
        labels: label of each unit (n,).
        observed: which cells each unit is seen under, bool (n, cells).
        images: one corrupted image per observed (unit, cell), uint8 (T, H, W, C), ordered by cell.
        rows: unit of each corrupted image (T,).
        cells: cell of each corrupted image (T,).
    """

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    observed: NDArray[np.bool_]
    images: NDArray[np.uint8]
    rows: NDArray[np.intp]
    cells: NDArray[np.intp]


@dataclass(frozen=True)
class CorruptedPredictions(Measurement):
    """Top-1 errors, confidences and losses on corrupted test images, all from one pass.

    A cell is a corruption at a severity. With `cells_per_image` every image is seen under that many of the cells only,
    planned by `plan_cells`: the same for every model. The corrupted images are the benchmark's stored ones where it has
    some; else they are made here, of the test images rounded to uint8, as the corruptions are defined on uint8.

    Args:
        corruptions: names, as in `sparsescope.corruptions`.
        severities: from 1 to 5.
        images: how many test images, drawn stratified by class; None means all.
        cells_per_image: how many different cells each image is seen under; None, or more than there are, means all.

    Arrays, for C corruptions and S severities: `error` bool (n, C, S), False where not observed; `observed` bool
    (n, C, S); `confidence` (the largest softmax probability) and `nll` (nats) float32 (n, C, S), 0 where not observed;
    `image` int64 (n,), the index of the test image. And `probabilities` float32 (n, cells per image, K), the softmax
    under the cells that the image is seen under, in their order: for K up to 100 classes only, as they would take
    gigabytes at 1,000, where a cell has too few images of each class to say how well the class is calibrated.
    """

    label: ClassVar[str] = "corruptions"
    version: ClassVar[int] = 3
    forward_only: ClassVar[bool] = True

    corruptions: tuple[str, ...] = STANDARD
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    images: int | None = None
    cells_per_image: int | None = None

    @override
    @property
    def population(self) -> str:
        return "test" if self.images is None else f"test/{self.images}"

    @property
    def _cells(self) -> list[tuple[str, int]]:
        return [(name, severity) for name in self.corruptions for severity in self.severities]

    @override
    def unit_ids(self, benchmark: Benchmark, seed: int) -> NDArray[np.int64]:
        """Raises DataError if stored corrupted images lack some of the cells."""
        if benchmark.corrupted is not None:
            benchmark.corrupted.require(self.corruptions, self.severities)
        elif min(benchmark.test.shape[1:]) < SMALLEST:
            raise NotEvaluated(f"images below {SMALLEST} x {SMALLEST} pixels are too small to be corrupted")
        return stratified_sample(benchmark.test.required_labels(), self.images, seed, "sample/test")

    @override
    def strata(self, benchmark: Benchmark, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        return benchmark.test.required_labels()[ids]

    @override
    def image_sets(self, benchmark: Benchmark) -> tuple[str, ...]:
        return ("test",) if benchmark.corrupted is None else ("test", "corrupted")

    @override
    def cost(self, benchmark: Benchmark) -> float:
        return float(min(self.cells_per_image or len(self._cells), len(self._cells)))

    @override
    def prepare(self, benchmark: Benchmark, ids: NDArray[np.int64], seed: int) -> Shown:
        """Return the corrupted images of these units, planned over all units of the population."""
        labels = benchmark.test.required_labels()
        population = self.unit_ids(benchmark, seed)
        plan = plan_cells(labels[population], len(self._cells), self.cells_per_image, seed)
        observed = plan[np.searchsorted(population, ids)]
        cells, rows = np.nonzero(observed.T)
        channels, height, width = benchmark.test.shape
        images = np.empty((len(rows), height, width, channels), dtype=np.uint8)
        corrupted = _corrupted_images(benchmark, ids, seed)
        for cell in np.unique(cells):
            here = cells == cell
            name, severity = self._cells[cell]
            images[here] = corrupted(name, severity, rows[here])
        return Shown(ids, labels[ids], observed, images, rows, cells)

    @override
    def measure(self, classifier: Classifier, shown: Shown, given: Arrays, batch_size: int) -> Arrays:
        """Batches are full, across cells."""
        errors = np.zeros(shown.observed.shape, dtype=bool)
        confidence, nll = (np.zeros(shown.observed.shape, dtype=np.float32) for _ in range(2))
        chances: list[NDArray[np.float32]] = []
        for start in range(0, len(shown.images), batch_size):
            batch = slice(start, start + batch_size)
            logits = predict(classifier, _as_float(shown.images[batch]), batch_size)
            rows, cells = shown.rows[batch], shown.cells[batch]
            labels = shown.labels[rows]
            errors[rows, cells] = logits.argmax(axis=1) != labels
            confidence[rows, cells] = np.exp(log_max_softmax(logits))
            nll[rows, cells] = negative_log_likelihood(logits, labels)
            if logits.shape[1] <= MOST_CLASSES:
                chances.append(softmax(logits).astype(np.float32))
        tables = {"error": errors, "observed": shown.observed, "confidence": confidence, "nll": nll}
        shape = (-1, len(self.corruptions), len(self.severities))
        found = {name: table.reshape(shape) for name, table in tables.items()} | {"image": shown.ids}
        return found | ({"probabilities": _by_unit(shown, np.concatenate(chances))} if chances else {})


def _by_unit(shown: Shown, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows (T, K), one per corrupted image, as (n, cells per image, K)."""
    place = shown.observed.cumsum(axis=1) - 1
    table = np.empty((len(shown.ids), place.max() + 1, rows.shape[1]), dtype=np.float32)
    table[shown.rows, place[shown.rows, shown.cells]] = rows
    return table


def plan_cells(labels: NDArray[np.int64], cells: int, cells_per_image: int | None, seed: int) -> NDArray[np.bool_]:
    """Return which cells each image is seen under, bool (n, cells): a balanced incomplete design.

    Images are taken class by class in random order; each gets the cells used least so far, among these the ones used
    least in its class, and ties are broken at random. So every cell has the same number of images to within one, of
    every class too, and by symmetry every image is equally likely to be seen under every cell: error rates of cells are
    estimated without bias.

    Args:
        labels: labels (n,) of the images.
        cells: number of cells.
        cells_per_image: cells per image; None, or more than there are, means all.
        seed: key of the random numbers.
    """
    if cells_per_image is None or cells_per_image >= cells:
        return np.ones((len(labels), cells), dtype=bool)
    return _balanced_plan(labels.tobytes(), cells, cells_per_image, seed)


@lru_cache(maxsize=2)
def _balanced_plan(labels: bytes, cells: int, cells_per_image: int, seed: int) -> NDArray[np.bool_]:
    """Return `plan_cells` of int64 labels; kept, as every shard asks for the plan of the whole population."""
    label_of = np.frombuffer(labels, dtype=np.int64)
    observed = np.zeros((len(label_of), cells), dtype=bool)
    rng = generator(seed, "corruption_cells", 0)
    used = np.zeros(cells, dtype=np.int64)
    for label in rng.permutation(np.unique(label_of)):
        used_in_class = np.zeros(cells, dtype=np.int64)
        for row in rng.permutation(np.flatnonzero(label_of == label)):
            picked = np.lexsort((rng.random(cells), used_in_class, used))[:cells_per_image]
            observed[row, picked] = True
            used[picked] += 1
            used_in_class[picked] += 1
    observed.flags.writeable = False
    return observed


def _corrupted_images(
    benchmark: Benchmark, ids: NDArray[np.int64], seed: int
) -> Callable[[str, int, NDArray[np.intp]], NDArray[np.uint8]]:
    """Return what gives the images of some rows of `ids` under a corruption at a severity: stored ones, or made now."""
    stored = benchmark.corrupted
    if stored is not None:
        return lambda name, severity, rows: stored.read(name, severity, ids[rows])
    clean = benchmark.test.read_uint8(ids)
    return lambda name, severity, rows: corrupt(clean[rows], name, severity, seed=seed, ids=ids[rows])


def _as_float(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().contiguous() / 255
