"""ConceptStore: the concept masks of a probe set, bit-packed, only those that are there."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sparsescope.benchmark import Concept, ProbeSet
from sparsescope.dissection.formula import Operator, combine
from sparsescope.dissection.packing import Spool, Words, count, pack, words_per_mask
from sparsescope.errors import DataError, NotEvaluated

__all__ = ["Code", "ConceptStore", "store_concepts"]

Code = tuple[tuple[int, ...], tuple[Operator, ...]]
"""A formula by the indices of its concepts: ((c_1, c_2, ...), (o_1, ...))."""


@dataclass(frozen=True)
class ConceptStore:
    """Packed masks, one row for every concept that an image shows, image after image.

    Args:
        concepts: all C concepts, in label order.
        label_shape: (h, w) of the masks.
        words: masks (rows + 1, words per mask); the last row is empty.
        starts: first row (n + 1,) of each of the n images.
        ids: concept (rows,) of each row; ascending within an image.
        row_areas: pixels (rows,) of each row.
        rows: row (C, n) of a concept in an image; -1, the empty row, where it is not there.
        overlaps: pixels (C, C) that two concepts share over the whole probe set; areas on the diagonal.
    """

    concepts: tuple[Concept, ...]
    label_shape: tuple[int, int]
    words: Words
    starts: NDArray[np.int64]
    ids: NDArray[np.int64]
    row_areas: NDArray[np.int64]
    rows: NDArray[np.int32]
    overlaps: NDArray[np.int64]

    @property
    def n_images(self) -> int:
        """Number of images."""
        return len(self.starts) - 1

    @property
    def areas(self) -> NDArray[np.int64]:
        """Pixels (C,) of every concept over the whole probe set."""
        return self.overlaps.diagonal()

    @cached_property
    def halves(self) -> tuple["ConceptStore", "ConceptStore"]:
        """Every second image's concepts, from the first image and from the second; images keep their numbers."""
        even = np.arange(self.n_images) % 2 == 0
        overlaps = np.zeros_like(self.overlaps)
        for index in np.flatnonzero(even):
            part = slice(self.starts[index], self.starts[index + 1])
            _add_overlaps(overlaps, self.ids[part], self.words[part])
        return (
            replace(self, rows=np.where(even, self.rows, -1), overlaps=overlaps),
            replace(self, rows=np.where(even, -1, self.rows), overlaps=self.overlaps - overlaps),
        )

    def check(self) -> None:
        """Raise NotEvaluated where no formula can say anything: too few images, no labels, or the same everywhere."""
        if self.n_images < 2:
            raise NotEvaluated("the probe set has a single image")
        if not len(self.row_areas):
            raise NotEvaluated("no pixel of the probe images has a label")
        shown, pixels = np.unique(self.ids), self.label_shape[0] * self.label_shape[1]
        if len(self.ids) == len(shown) * self.n_images and (self.row_areas == pixels).all():
            names = ", ".join(self.concepts[concept].name for concept in shown[:3])
            raise NotEvaluated(f"the probe set's concepts cover all of every image, and tell nothing apart: {names}")

    def evaluate(self, code: Code, images: NDArray[np.int64]) -> Words:
        """Return where a formula holds in these images, words (len(images), words per mask)."""
        labels, operators = code
        result: Words = self.words[self.rows[labels[0], images]]
        for operator, label in zip(operators, labels[1:], strict=True):
            result = combine(operator, result, self.words[self.rows[label, images]])
        return result

    def image_areas(self, code: Code) -> NDArray[np.int64]:
        """Return the pixels (n,) of a formula in every image."""
        labels, operators = code
        if not operators:
            shown: NDArray[np.int64] = np.append(self.row_areas, 0)[self.rows[labels[0]]]
            return shown
        areas = np.zeros(self.n_images, dtype=np.int64)
        images = np.flatnonzero((self.rows[list(labels)] >= 0).any(axis=0))
        for chunk in _chunks(images):
            areas[chunk] = count(self.evaluate(code, chunk))
        return areas

    def overlap(self, code: Code, label: int) -> int:
        """Return the pixels over the whole probe set where both a formula and one more concept hold."""
        images = np.flatnonzero(self.rows[label] >= 0)
        # Only OR can hold where the first concept is not.
        if Operator.OR not in code[1]:
            images = images[self.rows[code[0][0], images] >= 0]
        return sum(
            int(count(self.evaluate(code, chunk) & self.words[self.rows[label, chunk]]).sum())
            for chunk in _chunks(images)
        )

    def meeting(self, labels: tuple[int, ...]) -> int:
        """Return the pixels over the whole probe set where all of some concepts hold."""
        images = np.flatnonzero((self.rows[list(labels)] >= 0).all(axis=0))
        code = labels, (Operator.AND,) * (len(labels) - 1)
        return sum(int(count(self.evaluate(code, chunk)).sum()) for chunk in _chunks(images))


def _chunks(images: NDArray[np.int64], size: int = 256) -> Iterable[NDArray[np.int64]]:
    """Images in chunks whose masks stay in the processor's cache."""
    return (images[start : start + size] for start in range(0, len(images), size))


def store_concepts(probe: ProbeSet) -> ConceptStore:
    """Return the packed concepts of a probe set, reading each image's labels once.

    Raises:
        DataError: labels that are not as `ProbeSet.labels` says; the text names the image.
    """
    n, size = len(probe), len(probe.concepts)
    width = words_per_mask(probe.label_shape[0] * probe.label_shape[1])
    spool = Spool()
    ids: list[NDArray[np.int64]] = []
    areas: list[NDArray[np.int64]] = []
    overlaps = np.zeros((size, size), dtype=np.int64)
    for index in range(n):
        labels, masks = probe.labels(index)
        _check(probe, index, labels, masks)
        words = pack(masks)
        covered = count(words)
        there = covered > 0
        words, labels = words[there], np.asarray(labels, dtype=np.int64)[there]
        _add_overlaps(overlaps, labels, words)
        spool.append(words)
        ids.append(labels)
        areas.append(covered[there])
    starts = np.cumsum([0, *map(len, ids)], dtype=np.int64)
    spool.append(np.zeros((1, width), dtype=np.uint64))
    rows = np.full((size, n), -1, dtype=np.int32)
    every = np.concatenate([*ids, np.empty(0, dtype=np.int64)])
    rows[every, np.repeat(np.arange(n), np.diff(starts))] = np.arange(len(every))
    return ConceptStore(
        concepts=tuple(probe.concepts),
        label_shape=probe.label_shape,
        words=spool.finish((width,), np.uint64),
        starts=starts,
        ids=every,
        row_areas=np.concatenate([*areas, np.empty(0, dtype=np.int64)]),
        rows=rows,
        overlaps=overlaps,
    )


def _add_overlaps(overlaps: NDArray[np.int64], labels: NDArray[np.int64], words: Words) -> None:
    """Add the pixels that the concepts of one image share."""
    for row, label in zip(words, labels, strict=True):
        overlaps[label, labels] += count(words & row)


def _check(probe: ProbeSet, index: int, labels: NDArray[np.int64], masks: NDArray[np.bool_]) -> None:
    expected = (len(labels), *probe.label_shape)
    if masks.dtype != np.bool_ or masks.shape != expected:
        raise DataError(
            f"{probe.source}: expected masks of image {index} to be bool {expected} (concepts, h, w), but got "
            f"{masks.dtype} {masks.shape}."
        )
    if len(labels) and not (labels[0] >= 0 and labels[-1] < len(probe.concepts) and (np.diff(labels) > 0).all()):
        raise DataError(
            f"{probe.source}: expected the concepts of image {index} to be ascending indices below "
            f"{len(probe.concepts)}, but got {list(map(int, labels))}."
        )
