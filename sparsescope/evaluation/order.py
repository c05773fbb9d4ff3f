"""The order in which units are measured: random, but every beginning of it is a fair sample."""

import heapq
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sparsescope.randomness import generator

__all__ = ["fair_order"]

T = TypeVar("T", int, float)


def fair_order(classes: NDArray[np.int64], seed: int, stream: str) -> NDArray[np.intp]:
    """Return a random order of n units in which every prefix holds each class in its proportion.

    With n_k units of class k, the first m units hold c of it with

        |c - m n_k / n| < 1        for every m and every k,

    so a class's share is rounded up or down and no more. Within a class the order is random. With a single class it is
    a random permutation.

    Args:
        classes: class of each unit (n,); equal numbers are one class.
        seed: key of the random numbers.
        stream: what the order is of; see `randomness.generator`.

    Returns:
        the units' rows (n,), in the order of measuring.
    """
    rng = generator(seed, stream, 0)
    _, class_of, counts = np.unique(classes, return_inverse=True, return_counts=True)
    rows = np.empty(len(class_of), dtype=np.intp)
    places = np.argsort(_interleaved(counts, rng), kind="stable")  # those of the first class, then of the second, ...
    members = [rng.permutation(np.flatnonzero(class_of == k)) for k in range(len(counts))]
    rows[places] = np.concatenate([np.empty(0, dtype=np.intp), *members])
    return rows


def _interleaved(counts: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the class at each place (n,), n the sum of the counts.

    Places counted from 0, the j-th unit of a class keeps the bound at the places floor((j-1) n / n_k) to
    ceil(j n / n_k) - 1; there is always such a place for every unit (Tijdeman 1980). Among the units that may come,
    the one comes whose wish (j-1 + u) n / n_k is first, with u uniform in [0, 1) for each class: systematic sampling,
    in which large classes are not favored. But never one that leaves the others too few places: `spare` counts, for
    every place b, the places up to b less the units that have to come by then; where it is 0, units with a later
    deadline must wait.
    """
    n, sizes = int(counts.sum()), counts.tolist()
    shift = rng.random(len(sizes))
    wishes: list[tuple[float, int, int]] = []  # of the units that may come: wish, class, how many came before
    deadlines: list[tuple[int, int, int]] = []  # likewise
    waiting = [(0, k, 0) for k in range(len(sizes))]  # classes whose next unit may not come yet: from when on it may
    came = [0] * len(sizes)
    spare = np.arange(1, n + 1) - np.cumsum(np.bincount(_deadlines(counts), minlength=n))
    full = np.flatnonzero(spare == 0).tolist()  # ascending, so it is a heap
    sequence = np.zeros(n, dtype=np.intp)
    for place in range(n) if len(sizes) > 1 else ():
        while waiting and waiting[0][0] <= place:
            _, k, j = heapq.heappop(waiting)
            heapq.heappush(wishes, ((j + shift[k]) * n / sizes[k], k, j))
            heapq.heappush(deadlines, (-(-(j + 1) * n // sizes[k]) - 1, k, j))
        _drop_those_that_came(wishes, came)
        _drop_those_that_came(deadlines, came)
        while full and full[0] < place:
            heapq.heappop(full)
        _, k, j = wishes[0]
        deadline = -(-(j + 1) * n // sizes[k]) - 1
        if full and deadline > full[0]:
            deadline, k, j = deadlines[0]
        sequence[place] = k
        came[k] += 1
        if came[k] < sizes[k]:
            heapq.heappush(waiting, (came[k] * n // sizes[k], k, came[k]))
        passed = spare[place:deadline]
        passed -= 1
        for newly in np.flatnonzero(passed == 0).tolist():
            heapq.heappush(full, place + newly)
    return sequence


def _drop_those_that_came(heap: list[tuple[T, int, int]], came: list[int]) -> None:
    while heap[0][2] < came[heap[0][1]]:
        heapq.heappop(heap)


def _deadlines(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the last place (n,) of every unit, class by class."""
    n, size = int(counts.sum()), np.repeat(counts, counts)
    nth = np.arange(1, n + 1) - np.repeat(np.cumsum(counts) - counts, counts)
    deadlines: NDArray[np.int64] = -(-nth * n // np.maximum(size, 1)) - 1
    return deadlines
