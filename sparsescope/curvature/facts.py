"""Facts: what depends on a network and the shape of its images alone, found out once for an evaluation."""

import functools
from collections.abc import Callable, Sequence

from sparsescope.classifier import Classifier
from sparsescope.errors import NotEvaluated

__all__ = ["FACTS", "Fact", "fact", "fact_key"]

Fact = Callable[[Classifier, Sequence[int]], bool]

FACTS: dict[str, Fact] = {}
"""All facts by the names of their functions, which a measurement lists in `Measurement.facts`."""


def fact_key(name: str, shape: Sequence[int]) -> str:
    """Return the name of a fact among those of a classifier: it depends on the shape (C, H, W) of the images."""
    return f"{name} {'x'.join(map(str, shape))}"


def fact(find: Fact) -> Fact:
    """Let a function of a classifier and an image shape answer from `Classifier.facts` where they are kept.

    What raises NotEvaluated is a fact as well: its words are kept, and raised again.
    """

    @functools.wraps(find)
    def known(classifier: Classifier, shape: Sequence[int]) -> bool:
        if classifier.facts is None:
            return find(classifier, shape)
        key = fact_key(find.__name__, shape)
        if key not in classifier.facts:
            try:
                classifier.facts[key] = find(classifier, shape)
            except NotEvaluated as error:
                classifier.facts[key] = str(error)
        found = classifier.facts[key]
        if isinstance(found, str):
            raise NotEvaluated(found)
        return found

    FACTS[find.__name__] = known
    return known
