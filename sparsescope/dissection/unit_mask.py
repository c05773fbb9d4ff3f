"""UnitMask: where one unit fires, as its non-empty words alone, and what of every concept lies there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsescope.dissection.concepts import Code, ConceptStore
from sparsescope.dissection.formula import Operator, combine
from sparsescope.dissection.packing import Words

__all__ = ["Covered", "UnitMask"]


@dataclass(frozen=True)
class UnitMask:
    """The pixels of a probe set where a unit fires.

    Args:
        images: image (w,) of each non-empty word.
        places: place (w,) of the word in the image's mask.
        words: the words (w,).
    """

    images: NDArray[np.int64]
    places: NDArray[np.int64]
    words: Words

    @classmethod
    def from_images(cls, images: NDArray[np.int64], words: Words) -> "UnitMask":
        """Return the mask that has `words` (m, words per mask) in `images` (m,) and nothing elsewhere."""
        rows, places = np.nonzero(words)
        return cls(images[rows], places.astype(np.int64), words[rows, places])

    @property
    def area(self) -> int:
        """Pixels over the whole probe set."""
        return int(np.bitwise_count(self.words).sum(dtype=np.int64))

    def image_areas(self, n_images: int, within: Words | None = None) -> NDArray[np.int64]:
        """Return the pixels (n_images,) of every image, or those that lie in `within` (w,)."""
        bits = np.bitwise_count(self.words if within is None else within)
        return np.bincount(self.images, weights=bits, minlength=n_images).astype(np.int64)

    def every_second(self, first: int) -> "UnitMask":
        """Return the mask in every second image from `first`, 0 or 1, and nothing elsewhere."""
        kept = self.images % 2 == first
        return UnitMask(self.images[kept], self.places[kept], self.words[kept])

    def shuffled(self, order: NDArray[np.int64]) -> "UnitMask":
        """Return the mask with image i's pixels in image order[i]."""
        return UnitMask(order[self.images], self.places, self.words)


class Covered:
    """A unit's mask cut by every concept: all that a search needs to know of intersections with the unit.

    Held as the non-empty words of M ∧ c, concept after concept, so that the intersections of a formula with all
    concepts are one pass over the words where the unit fires.

    Also held place after place, so that where concepts meet is known from the few that lie at each place.

    Attributes:
        mask: M.
        areas: |M ∧ c| (C,) of every concept.
    """

    def __init__(self, store: ConceptStore, mask: UnitMask) -> None:
        self.mask = mask
        self._size, self._width = len(store.concepts), len(mask.words)
        self._met: dict[int, tuple[NDArray[np.int64], NDArray[np.uint8]]] = {}
        shown = np.diff(store.starts)[mask.images]
        total = int(shown.sum())
        position = np.repeat(np.arange(self._width), shown)
        before = np.cumsum(shown) - shown
        rows = np.arange(total) + np.repeat(store.starts[mask.images] - before, shown)
        words = store.words[rows, np.repeat(mask.places, shown)] & np.repeat(mask.words, shown)
        kept = np.flatnonzero(words)
        labels = store.ids[rows[kept]].astype(np.uint16 if self._size < 1 << 16 else np.int64)  # 16 bits: radix sort
        self._by_place = position[kept], labels.astype(np.int64), words[kept]
        order = np.argsort(labels, kind="stable")
        kept = kept[order]
        self._labels = labels[order].astype(np.int64)
        self._positions, self._words = position[kept], words[kept]
        self._ends = np.searchsorted(self._labels, np.arange(self._size + 1))
        self.areas = self._tally(self._words)

    def _tally(self, words: Words) -> NDArray[np.int64]:
        bits = np.bitwise_count(words)
        return np.bincount(self._labels, weights=bits, minlength=self._size).astype(np.int64)

    def atom(self, label: int) -> Words:
        """Return M ∧ c as words (w,)."""
        result = np.zeros(self._width, dtype=np.uint64)
        part = slice(self._ends[label], self._ends[label + 1])
        result[self._positions[part]] = self._words[part]
        return result

    def join(self, formula: Words, operator: Operator, label: int) -> Words:
        """Return M ∧ (F o c) from M ∧ F, words (w,)."""
        return combine(operator, formula, self.atom(label))

    def formula(self, code: Code) -> Words:
        """Return M ∧ F as words (w,)."""
        labels, operators = code
        result = self.atom(labels[0])
        for operator, label in zip(operators, labels[1:], strict=True):
            result = self.join(result, operator, label)
        return result

    def area(self, code: Code) -> int:
        """Return |M ∧ F|."""
        return int(np.bitwise_count(self.formula(code)).sum(dtype=np.int64))

    def intersections(self, formula: Words) -> NDArray[np.int64]:
        """Return |M ∧ F ∧ c| (C,) for every concept, from M ∧ F."""
        return self._tally(formula[self._positions] & self._words)

    def pairs(self) -> NDArray[np.int64]:
        """Return |M ∧ c ∧ d| (C, C) for every two concepts; |M ∧ c| on the diagonal."""
        codes, bits = self._meeting_words(2)
        above = np.bincount(codes, weights=bits, minlength=self._size**2).astype(np.int64).reshape(self._size, -1)
        return above + above.T + np.diag(self.areas)

    def meetings(self, sets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return |M ∧ c ∧ d ∧ …| (B,) of sets (B, k) of ascending concepts."""
        size = sets.shape[1]
        wanted, place = np.unique(sets @ self._size ** np.arange(size - 1, -1, -1), return_inverse=True)
        codes, bits = self._meeting_words(size)
        found = np.searchsorted(wanted, codes)
        there = np.flatnonzero(wanted.take(found, mode="clip") == codes)
        areas = np.bincount(found[there], weights=bits[there], minlength=len(wanted)).astype(np.int64)
        return areas[place]

    def _meeting_words(self, size: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return every word where so many concepts meet under the unit: its set, as one number, and its pixels."""
        if size not in self._met:
            places, labels, words = self._by_place
            ends = np.searchsorted(places, places, side="right")
            last, codes = np.arange(len(words)), labels
            for _ in range(size - 1):
                after = ends[last] - last - 1  # the concepts that come later at the same place
                source = np.repeat(np.arange(len(last)), after)
                later = np.arange(len(source)) - np.repeat(np.cumsum(after) - after, after) + last[source] + 1
                joined = words[source] & self._by_place[2][later]
                kept = np.flatnonzero(joined)
                last, words = later[kept], joined[kept]
                codes = codes[source[kept]] * self._size + labels[last]
            self._met[size] = codes, np.bitwise_count(words)
        return self._met[size]
