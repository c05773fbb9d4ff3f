"""Extreme sparsity and pass range, by hand and against a literal reading of the definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsescope.curves.extremes import extreme_sparsity, pass_range
from sparsescope.curves.records import CurvePoint, Extreme, Spread
from sparsescope.results import Outcome

GRID = (0.2, 0.36, 0.488, 0.672)
OUTCOMES = {"p": "pass", "f": "fail", "i": "inconclusive", "n": "not evaluated"}


def row(letters: str) -> list[tuple[float, Outcome]]:
    return [(sparsity, OUTCOMES[letter]) for sparsity, letter in zip(GRID, letters, strict=False)]  # type: ignore[misc]


def points(letters: str) -> list[CurvePoint]:
    nothing = Spread(None, None, 0)
    return [
        CurvePoint(sparsity, sparsity, nothing, nothing, None, {"margins": outcome, "paper": "fail"})
        for sparsity, outcome in row(letters)
    ]


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("pppp", Extreme(0.672, None)),
        ("pppf", Extreme(0.488, "fail")),
        ("ppip", Extreme(0.36, "inconclusive", (0.672,))),
        ("pnpp", Extreme(0.2, "not evaluated", (0.488, 0.672))),
        ("fppf", Extreme(None, "fail", (0.36, 0.488))),
        ("ffff", Extreme(None, "fail")),
        ("nnnn", Extreme(None, "not evaluated")),
        ("p", Extreme(0.2, None)),
        ("", Extreme(None, None)),
    ],
)
def test_extreme_sparsity_by_hand(letters: str, expected: Extreme) -> None:
    assert extreme_sparsity(row(letters)) == expected


@given(st.lists(st.sampled_from(list(OUTCOMES.values())), max_size=8))
def test_extreme_sparsity_is_the_largest_that_passes_with_all_lower_ones(outcomes: list[Outcome]) -> None:
    made = [(1 - 0.8**n, outcome) for n, outcome in enumerate(outcomes, start=1)]
    literal = [s for s, _ in made if all(outcome == "pass" for lower, outcome in made if lower <= s)]
    found = extreme_sparsity(made)
    assert found.sparsity == (max(literal) if literal else None)
    assert sorted([*literal, *found.passes_again]) == [s for s, outcome in made if outcome == "pass"]


def test_pass_range_by_hand() -> None:
    found = pass_range({"accuracy": points("pppp"), "ece": points("pfpp"), "nll": points("pipi")}, "margins")
    assert [point.outcome for point in found.points] == ["pass", "fail", "pass", "inconclusive"]
    assert [point.because for point in found.points] == [(), ("ece",), (), ("nll",)]
    assert found.runs == ((0.2, 0.2), (0.488, 0.488))
    assert found.extreme == Extreme(0.2, "fail", (0.488,))
    paper = pass_range({"accuracy": points("pppp")}, "paper")
    assert (paper.runs, paper.extreme) == ((), Extreme(None, "fail"))


def test_neighbours_are_one_run_and_a_missing_point_is_a_gap() -> None:
    assert pass_range({"accuracy": points("ppnp")}, "margins").runs == ((0.2, 0.36), (0.672, 0.672))
    assert (
        pass_range({"accuracy": points("ppnp"), "ece": points("pppp")}, "margins").points[2].outcome == "inconclusive"
    )
    assert pass_range({}, "margins").runs == ()
