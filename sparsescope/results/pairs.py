"""Pairs: which candidate is compared with which dense model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sparsescope.errors import OptionError
from sparsescope.results.base import Record

__all__ = ["Pair", "Pairs"]


class Pair(Record):
    """A comparison, by the models' names: a candidate and the dense model that it should match."""

    dense: str
    candidate: str


@dataclass(frozen=True)
class Pairs:
    """The comparisons of an evaluation. One dense model with several candidates is several pairs that share a member.

    What is measured of a candidate may depend on its dense model, so a model that stands in several pairs as a
    candidate, or as both, has a name for each of these places.

    Args:
        models: names of all models, in the order in which tables and plots show them.
        pairs: one for each candidate.
        same_as: name -> the first name of the same model, of which what does not depend on dense is measured.
    """

    models: tuple[str, ...]
    pairs: tuple[Pair, ...]
    same_as: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_one_dense(cls, models: Sequence[str]) -> "Pairs":
        """Return the pairs of the first model, which is dense, with each of the others."""
        return cls(tuple(models), tuple(Pair(dense=models[0], candidate=name) for name in models[1:]))

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def of(self, candidate: str) -> Pair:
        """Return the pair of a candidate, by its name."""
        for pair in self.pairs:
            if pair.candidate == candidate:
                return pair
        raise OptionError(f"Expected one of {[pair.candidate for pair in self.pairs]}, but got {candidate!r}.")

    def is_candidate(self, model: str) -> bool:
        """Return whether a model is compared with a dense one."""
        return any(pair.candidate == model for pair in self.pairs)

    @property
    def dense(self) -> tuple[str, ...]:
        """The dense models."""
        return tuple(model for model in self.models if not self.is_candidate(model))

    def dense_of(self, model: str) -> str:
        """Return the dense model that a model is compared with; for a dense model itself."""
        return self.of(model).dense if self.is_candidate(model) else model
