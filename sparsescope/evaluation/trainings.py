"""Which pairs of a method are trainings of their own: pairs that share a model are not independent of each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from sparsescope.classifier import Classifier
from sparsescope.crossed import FEWEST
from sparsescope.identity import Identity
from sparsescope.results import Pair, Pairs

__all__ = ["Trainings", "repeated", "trainings"]


@dataclass(frozen=True)
class Trainings:
    """The pairs of a method, in groups that share no model with each other.

    Args:
        groups: the pairs; those of a group count as one training, by their mean.
        notes: what they do not vary, in sentences.
    """

    groups: tuple[tuple[Pair, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def too_few(self) -> str:
        """Why the method is not judged; empty where it is."""
        if len(self.groups) >= FEWEST:
            return ""
        pairs = sum(map(len, self.groups))
        of = (
            f"{pairs} that share models count as {len(self.groups)}"
            if pairs > len(self.groups)
            else f"there are {pairs}"
        )
        return f"not judged: {FEWEST} pairs of different trainings needed, and {of}"


def repeated(classifiers: Sequence[Classifier]) -> dict[str, str]:
    """Return name -> first name of a model that is there before, by content: weights, mask, preprocessing and code."""
    seen: list[tuple[Classifier, Identity]] = []
    found = {}
    for classifier in classifiers:
        own = classifier.identity()
        for earlier, known in seen:
            one_object = classifier.module is earlier.module and own == known
            if one_object or (own == known and not own.unread):
                found[classifier.name] = earlier.name
                break
        else:
            seen.append((classifier, own))
    return found


def trainings(pairs: Pairs) -> Trainings:
    """Return the trainings that pairs are of; `same_as` of the pairs says which of their models are one.

    Where all pairs have one dense model, they are told apart by their candidates, and vice versa: the method is then
    judged for that model alone, and a note says so.
    """

    def sides(pair: Pair) -> tuple[str, str]:
        dense, candidate = (pairs.same_as.get(name, name) for name in (pair.dense, pair.candidate))
        return dense, candidate

    dense, candidates = ({sides(pair)[side] for pair in pairs} for side in (0, 1))
    notes = []
    if len(pairs.pairs) > 1 and len(dense) == 1:
        notes.append(f"All pairs have one dense model, {pairs.pairs[0].dense}: other trainings of it are not covered.")
    if len(pairs.pairs) > 1 and len(candidates) == 1:
        first = pairs.pairs[0].candidate
        notes.append(f"All pairs have one candidate, {first}: other trainings of it are not covered.")
    held = (dense if len(dense) == 1 else set()) | (candidates if len(candidates) == 1 else set())
    groups: list[tuple[set[str], list[Pair]]] = []
    for pair in pairs:
        models = set(sides(pair)) - held
        sharing = [group for group in groups if group[0] & models or not models]
        joined = (models.union(*(names for names, _ in sharing)), [*(each for _, own in sharing for each in own), pair])
        groups = [*(group for group in groups if group not in sharing), joined]
    return Trainings(tuple(tuple(own) for _, own in groups), tuple(notes))
