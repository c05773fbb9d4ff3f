"""A metric that does not say what it must is refused where its class is defined."""

import re
from abc import ABC
from typing import Any

import pytest
from pydantic.dataclasses import dataclass

from sparsescope.errors import DefinitionError, InputError
from sparsescope.metrics import CATALOGUE, metric_class
from sparsescope.metrics.base import OPTIONS, Metric, ScaleFree

FACTS: dict[str, Any] = {
    "name": "toy",
    "label": "Toy",
    "sentence": "What a toy measures.",
    "dimension": "geometry",
    "higher_is_better": True,
    "unit": "toys",
    "bounds": (0.0, None),
    "source": "nobody",
}


def define(*bases: type, **changes: Any) -> type:
    """Define a metric with all facts but the changed ones; None leaves a fact out."""
    facts = {name: value for name, value in {**FACTS, **changes}.items() if value is not None}
    return type("Toy", bases or (Metric,), facts)


def test_all_facts_are_enough() -> None:
    assert define().name == "toy"
    assert define(scale_free=ScaleFree(key="free", label="free", higher_is_better=True)).scale_free.key == "free"


@pytest.mark.parametrize("fact", FACTS)
def test_a_missing_fact_is_named(fact: str) -> None:
    with pytest.raises(
        DefinitionError, match=rf"The metric .*Toy does not say everything about itself\. It lacks {fact} \("
    ):
        define(**{fact: None})


def test_everything_that_is_missing_or_wrong_is_named_at_once() -> None:
    with pytest.raises(DefinitionError) as error:
        define(sentence=None, unit=None, dimension="beauty", margin=-0.1)
    text = str(error.value)
    assert "It lacks sentence (a sentence that tells readers what the metric measures), unit (" in text
    assert "Expected dimension to be one of generalization, calibration, interpretability, geometry, but got " in text
    assert "Expected margin to be a finite number >= 0, but got -0.1." in text
    assert isinstance(error.value, InputError) and isinstance(error.value, TypeError)


@pytest.mark.parametrize(
    ("fact", "value", "text"),
    [
        ("name", "toy.score", "a name without spaces, dots, commas and =, but got 'toy.score'"),
        ("name", "toy score", "a name without spaces"),
        ("label", "", "a text, such as 'Brier score', but got ''"),
        ("sentence", "  ", "a sentence that tells readers"),
        ("unit", 3, "a text, such as 'fraction', but got 3"),
        ("source", " ", "a text, such as 'Brier 1950', but got ' '"),
        ("higher_is_better", "yes", "True or False, but got 'yes'"),
        ("bounds", (1.0, 0.0), "the lowest and the highest possible value"),
        ("bounds", 1.0, "the lowest and the highest possible value"),
        ("margin", float("nan"), "a finite number >= 0, but got nan"),
        ("margin", True, "a finite number >= 0, but got True"),
        ("margin_kind", "percent", "one of absolute, relative, but got 'percent'"),
        ("interval", "exact", "one of percentile, normal, jackknife, but got 'exact'"),
        ("share_of", True, "the name of a boolean array of its units, or None, but got True"),
        ("in_verdict", 1, "True or False, but got 1"),
        ("scale_free", "r2", "a ScaleFree or None, but got 'r2'"),
    ],
)
def test_a_wrong_fact_is_refused(fact: str, value: Any, text: str) -> None:
    with pytest.raises(DefinitionError, match=rf"Expected {fact} to be {re.escape(text)}"):
        define(**{fact: value})


def test_a_class_that_others_build_on_may_lack_facts_but_they_may_not() -> None:
    foundation = type("Foundation", (Metric, ABC), {"dimension": "geometry"})
    with pytest.raises(DefinitionError, match=r"It lacks name .* label .* sentence"):
        type("Toy", (foundation,), {})
    assert define(foundation, dimension=None).dimension == "geometry"


def test_pydantic_may_make_the_class_again() -> None:
    assert dataclass(frozen=True, config=OPTIONS)(define()).name == "toy"


@pytest.mark.parametrize("name", CATALOGUE)
def test_built_in_sentences_are_plain_sentences(name: str) -> None:
    sentence = metric_class(name).sentence
    assert sentence[0].isupper() and sentence.endswith(".") and len(sentence) < 260
    assert "sentence" in metric_class(name).__dict__, "inherited from another metric"
