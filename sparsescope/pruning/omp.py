"""One-shot magnitude pruning: remove the weights that are smallest in absolute value."""

from sparsescope.pruning.subject import Scores, Subject

__all__ = ["magnitude"]


def magnitude(subject: Subject) -> Scores:
    """Score |w|: the larger a weight, the better it is kept. Source: Han et al. 2015."""
    return {name: weight.detach().abs() for name, weight in subject.weights.items()}
