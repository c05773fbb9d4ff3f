"""Samples of images with every class in its proportion."""

import numpy as np
from numpy.typing import NDArray

from sparsescope.randomness import generator

__all__ = ["stratified_sample"]


def stratified_sample(labels: NDArray[np.int64], size: int | None, seed: int, stream: str) -> NDArray[np.int64]:
    """Return `size` indices into `labels`, ascending, with every class in its proportion to within one image.

    Each class gets the whole part of size x n_k / n; the images left over go to the classes with the largest
    remainders, ties broken at random. Within a class the images are drawn at random. All indices where size is None or
    at least n.

    Args:
        labels: labels (n,).
        size: how many images; None means all.
        seed: key of the draws.
        stream: what the sample is for; see `randomness.generator`.

    Example:
        >>> import numpy as np
        >>> from sparsescope.benchmark.sampling import stratified_sample
        >>> labels = np.repeat([0, 1], [60, 40])
        >>> picked = stratified_sample(labels, 10, seed=0, stream="sample/test")
        >>> np.bincount(labels[picked]).tolist()
        [6, 4]
    """
    n = len(labels)
    if size is None or size >= n:
        return np.arange(n)
    rng = generator(seed, stream, 0)
    classes, counts = np.unique(labels, return_counts=True)
    quotas, remainders = np.divmod(size * counts, n)
    order = np.lexsort((rng.random(len(classes)), -remainders))
    quotas[order[: size - quotas.sum()]] += 1
    picked = [
        rng.permutation(np.flatnonzero(labels == label))[:quota] for label, quota in zip(classes, quotas, strict=True)
    ]
    return np.sort(np.concatenate(picked))
