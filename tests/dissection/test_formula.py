import numpy as np
import pytest

from sparsescope.benchmark import Concept
from sparsescope.dissection import Formula, Operator

WATER, RIVER, BLUE = (Concept(name, "thing") for name in ("water", "river", "blue"))


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (Formula((WATER,)), "water"),
        (Formula((WATER, RIVER), (Operator.OR,)), "water OR river"),
        (Formula((WATER, BLUE), (Operator.AND_NOT,)), "water AND NOT blue"),
        (Formula((WATER, RIVER, BLUE), (Operator.OR, Operator.AND_NOT)), "(water OR river) AND NOT blue"),
        (Formula((WATER, RIVER, BLUE, WATER), (Operator.AND,) * 3), "((water AND river) AND blue) AND water"),
    ],
)
def test_reads_from_left_to_right(formula, text):
    assert str(formula) == text
    assert len(formula) == len(formula.concepts)


def test_evaluates_from_left_to_right():
    masks = {
        WATER: np.array([1, 1, 0, 0], bool),
        RIVER: np.array([0, 1, 1, 0], bool),
        BLUE: np.array([0, 1, 0, 0], bool),
    }
    formula = Formula((WATER, RIVER, BLUE), (Operator.OR, Operator.AND_NOT))
    np.testing.assert_array_equal(formula.evaluate(masks), [True, False, True, False])
    np.testing.assert_array_equal(Formula((WATER, RIVER), (Operator.AND,)).evaluate(masks), [False, True, False, False])


def test_needs_an_operator_between_two_concepts():
    with pytest.raises(ValueError, match="one operator between every two concepts, but got 2 concepts and 0 operators"):
        Formula((WATER, RIVER))
