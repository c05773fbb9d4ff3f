"""Random pruning: the yardstick of every other method."""

import torch

from sparsescope.pruning.subject import Scores, Subject
from sparsescope.randomness import generator

__all__ = ["random_scores"]


def random_scores(subject: Subject, *, seed: int = 0) -> Scores:
    """Score every weight by a uniform random number; for one seed, sparser masks lie within denser ones.

    Args:
        subject: the network.
        seed: key of the draws, which depend on it and on the parameter's name alone.
    """
    return {
        name: torch.from_numpy(generator(seed, f"random pruning/{name}", 0).random(tuple(weight.shape)))
        for name, weight in subject.weights.items()
    }
