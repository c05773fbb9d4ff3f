"""Shapes: every formula of a few concepts, as what it adds and subtracts of the areas where concepts meet."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from sparsescope.dissection.concepts import Code
from sparsescope.dissection.formula import Operator, combine
from sparsescope.units import FloatArray

__all__ = ["Shapes", "shapes"]


class Shapes(NamedTuple):
    """The different formulas of k concepts, all of which matter.

    Args:
        codes: a formula each, by the ranks 0 … k - 1 of its concepts: the first of all that say the same, by length,
            then ranks, then operators.
        terms: (formulas, 2**k - 1). The area of a formula is the sum over the non-empty sets of its concepts, numbered
            by their bits, of `terms` times the area where all concepts of the set hold: inclusion and exclusion.
    """

    codes: tuple[Code, ...]
    terms: FloatArray


@lru_cache(maxsize=16)
def shapes(concepts: int, length: int) -> Shapes:
    """Return the formulas ((c o c) o c) … of at most `length` places with so many different concepts."""
    worlds = np.arange(1 << concepts)
    atoms = [(worlds >> rank) & 1 == 1 for rank in range(concepts)]
    fresh: dict[bytes, Code] = {atom.tobytes(): ((rank,), ()) for rank, atom in enumerate(atoms)}
    known = dict(fresh)
    for _ in range(length - 1):
        longer: dict[bytes, Code] = {}
        for truth, (ranks, operators) in fresh.items():
            for rank, atom in enumerate(atoms):
                for operator in Operator:
                    joined = combine(operator, np.frombuffer(truth, dtype=np.bool_), atom).tobytes()
                    code = ((*ranks, rank), (*operators, operator))
                    # What is said more shortly is said already, and all that follows from it too.
                    if joined not in known and (joined not in longer or code < longer[joined]):
                        longer[joined] = code
        known |= longer
        fresh = longer
    told = [(code, np.frombuffer(truth, dtype=np.bool_)) for truth, code in known.items()]
    told = [
        (code, truth) for code, truth in told if all((truth != truth[worlds ^ (1 << k)]).any() for k in range(concepts))
    ]
    terms = np.array([_terms(truth, concepts) for _, truth in told])
    return Shapes(tuple(code for code, _ in told), terms[:, 1:])


def _terms(truth: np.ndarray, concepts: int) -> FloatArray:
    """The Möbius transform of a truth table: f(w) is the sum of the terms of all subsets of w."""
    terms = truth.astype(np.float64)
    for rank in range(concepts):
        pairs = terms.reshape(-1, 2, 1 << rank)
        pairs[:, 1] -= pairs[:, 0]
    return terms
