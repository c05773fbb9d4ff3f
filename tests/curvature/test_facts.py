"""Facts are found out once where an evaluation keeps them, and anew each time elsewhere."""

import pytest

from sparsescope.curvature.facts import FACTS, fact
from sparsescope.errors import NotEvaluated

SHAPE = (3, 8, 8)


@pytest.fixture
def asked(monkeypatch):
    """A fact that notes each time it is found out, and the notes."""
    monkeypatch.setattr("sparsescope.curvature.facts.FACTS", {})
    notes = []

    @fact
    def is_odd(classifier, shape):
        notes.append(shape)
        if len(shape) == 1:
            raise NotEvaluated(f"{classifier.name} has no width")
        return shape[0] % 2 == 1

    return is_odd, notes


def test_outside_of_an_evaluation_nothing_is_kept(small_classifier, asked):
    is_odd, notes = asked
    assert is_odd(small_classifier, SHAPE) and is_odd(small_classifier, SHAPE)
    assert len(notes) == 2 and small_classifier.facts is None


def test_where_facts_are_kept_each_shape_is_looked_at_once(small_classifier, asked):
    is_odd, notes = asked
    small_classifier.facts = {}
    assert [is_odd(small_classifier, shape) for shape in (SHAPE, (2, 8, 8), SHAPE)] == [True, False, True]
    assert notes == [SHAPE, (2, 8, 8)]
    assert small_classifier.facts == {"is_odd 3x8x8": True, "is_odd 2x8x8": False}


def test_a_refusal_is_a_fact_with_its_words(small_classifier, asked):
    is_odd, notes = asked
    small_classifier.facts = {}
    for _ in range(2):
        with pytest.raises(NotEvaluated, match="small has no width"):
            is_odd(small_classifier, (3,))
    assert len(notes) == 1


def test_those_that_measurements_ask_for_are_known():
    from sparsescope.measurements.adversarial import Adversarial
    from sparsescope.measurements.auto_attack import AutoAttack
    from sparsescope.measurements.input_curvature import InputCurvature
    from sparsescope.measurements.pgd_attack import PgdAttack
    from sparsescope.measurements.weight_curvature import WeightCurvature

    kinds = (Adversarial, AutoAttack, InputCurvature, PgdAttack, WeightCurvature)
    assert {name for kind in kinds for name in kind.facts} == set(FACTS)
