"""Shapes: every formula of a few concepts once, the first of its kind, with the right terms."""

from itertools import product

import numpy as np
import pytest

from sparsescope.dissection import Operator
from sparsescope.dissection.formula import combine
from sparsescope.dissection.shapes import shapes


def truth(code, atoms):
    ranks, operators = code
    result = atoms[ranks[0]]
    for operator, rank in zip(operators, ranks[1:], strict=True):
        result = combine(operator, result, atoms[rank])
    return result


def worlds(size):
    return [np.arange(1 << size) >> rank & 1 == 1 for rank in range(size)]


@pytest.mark.parametrize(("size", "length"), [(1, 1), (1, 3), (2, 2), (2, 4), (3, 3), (3, 4), (4, 4)])
def test_every_formula_is_there_once_as_its_first_form(size, length):
    atoms = worlds(size)
    first = {}
    for places in range(1, length + 1):  # in the order of formulas
        for ranks in product(range(size), repeat=places):
            for operators in product(Operator, repeat=places - 1):
                first.setdefault(truth((ranks, operators), atoms).tobytes(), (ranks, operators))
    # A formula that does not hang on a concept is one of fewer concepts.
    flips = [np.arange(1 << size) ^ (1 << rank) for rank in range(size)]
    whole = {
        code
        for key, code in first.items()
        if all((np.frombuffer(key, bool) != np.frombuffer(key, bool)[flip]).any() for flip in flips)
    }
    assert set(shapes(size, length).codes) == whole


@pytest.mark.parametrize(("size", "length"), [(1, 1), (2, 2), (3, 3), (3, 4), (4, 4)])
def test_terms_give_the_areas(size, length):
    masks = np.random.default_rng(0).random((size, 200)) < 0.5
    meet = [
        np.logical_and.reduce([masks[rank] for rank in range(size) if bits >> rank & 1]).sum()
        for bits in range(1, 1 << size)
    ]
    found = shapes(size, length)
    np.testing.assert_array_equal(found.terms @ meet, [truth(code, masks).sum() for code in found.codes])
