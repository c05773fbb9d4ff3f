"""A sweep summarised: what is missing, what does not fit, and small sweeps worked by hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fake_evaluation import make_metric
from fake_sweep import METHODS, SEEDS, SPARSITIES, make_sweep, make_ticket

from sparsescope.curves import SweepSummary, summarise
from sparsescope.curves.records import Extreme, Spread
from sparsescope.errors import InputError
from sparsescope.results import Evaluation, Sweep, SweepPoint


def summary_of(
    table: Mapping[tuple[str, float | None, int], Mapping[str, Any]],
    recipe: dict[str, Any] | None = None,
    **options: Any,
) -> SweepSummary:
    """Summarise networks given as (method, target, seed) -> metric -> (dense, ticket) or metric arguments."""
    evaluations: dict[SweepPoint, Evaluation] = {}
    for number, ((method, target, seed), metrics) in enumerate(table.items()):
        removed = 0.79 if target is None else target
        names = ("dense", f"t{number}")
        results = tuple(
            make_metric(name, values, 0.001, models=names, higher_is_better=name != "ece")
            for name, values in metrics.items()
        )
        point = SweepPoint(
            method=method, seed=seed, target=target, sparsity=removed, model=names[1], evaluation=f"{number}.json",
            checkpoint=f"{number}.pt",
        )  # fmt: skip
        evaluations[point] = make_ticket(results, names, nonzero=round(10_000 * (1 - removed)), removed=removed)
    sweep = Sweep(name="hand", version="0", created="2026-01-02", recipe=recipe or {}, points=tuple(evaluations))
    return summarise(sweep, evaluations, **options)


def test_a_small_sweep_by_hand() -> None:
    """Accuracy falls by 0, 2 points; ECE rises by 0, 2 points: passes at 20 %, both fail at 36 %."""
    good = {"accuracy": (0.9, 0.9), "ece": (0.03, 0.03)}
    bad = {"accuracy": (0.9, 0.88), "ece": (0.03, 0.05)}
    found = summary_of({("omp", 0.2, 0): good, ("omp", 0.36, 0): bad})
    curve = found.curves["omp"]["accuracy"]
    assert [point.value for point in curve.points] == [Spread(0.9, None, 1), Spread(0.88, None, 1)]
    assert curve.extremes["margins"] == curve.extremes["paper"] == Extreme(0.2, "fail")
    assert found.region_end("omp", "paper") == Extreme(0.2, "fail")
    assert found.ranges["omp"]["margins"].runs == ((0.2, 0.2),)
    assert found.metrics["accuracy"].dense == Spread(0.9, None, 1)
    assert (found.missing, found.unevaluated, found.partial) == ((), (), False)


def test_dense_has_one_value_a_seed() -> None:
    table = {(method, 0.2, seed): {"accuracy": (0.9 + seed / 100, 0.9)} for method in ("omp", "lth") for seed in (0, 1)}
    dense = summary_of(table).metrics["accuracy"].dense
    assert (dense.mean, dense.sd, dense.n) == (pytest.approx(0.905), pytest.approx(0.00707107), 2)


def test_made_up_sweep_has_every_part(tmp_path: Path) -> None:
    sweep = make_sweep(
        tmp_path, leave_out=(("grasp", SPARSITIES[2], 1), ("snip", SPARSITIES[0], 0), ("small", None, 2))
    )
    found = summarise(sweep, sweep.evaluations(tmp_path))
    assert (found.methods, found.seeds) == (METHODS, SEEDS)
    assert all(len(curve.points) == 5 for row in found.curves.values() for curve in row.values())
    assert found.missing == (("snip", 0.2, 0), ("grasp", 0.488, 1), ("small", None, 2))
    assert found.unevaluated == ("composition",) and found.partial
    assert "composition" not in found.judged
    dimensions = [facts.result.dimension for facts in found.metrics.values()]
    assert dimensions == sorted(dimensions, key=["generalization", "calibration", "interpretability", "geometry"].index)


def test_what_the_recipe_lists_and_what_another_method_has_is_missed() -> None:
    good = {"accuracy": (0.9, 0.9)}
    table = {("omp", 0.2, 0): good, ("lth", 1 - 0.8**3, 0): good}
    recipe = {"methods": ["lth", "omp", "snip"], "seeds": [0, 1], "sparsities": [0.2, 0.488], "small": "tiny"}
    found = summary_of(table, recipe)
    assert found.methods == ("lth", "omp", "snip")
    assert len(found.missing) == 3 * 2 * 2 - 2 + 2
    assert found.missing[-1] == ("small", None, 1)
    assert found.curves["snip"]["accuracy"].extremes["paper"] == Extreme(None, "not evaluated")
    assert [point.target for point in found.curves["lth"]["accuracy"].points] == [0.2, 0.488]  # 1 - 0.8³ is 0.488
    by_rounds = summary_of(table, {"sparsities": [], "rounds": [1, 3, 5], "small": None})
    assert [point.target for point in by_rounds.curves["lth"]["accuracy"].points] == [0.2, 0.488, 0.67232]
    assert summary_of(table, {"seeds": 3, "methods": "all"}).missing == (("omp", 0.488, 0), ("lth", 0.2, 0))


def test_regions_are_unknown_without_accuracy() -> None:
    found = summary_of({("omp", 0.2, 0): {"ece": (0.03, 0.03)}})
    assert found.region_end("omp", "margins") is None
    with_none = summary_of({("omp", 0.2, 0): {"ece": (0.03, 0.03), "accuracy": (None, None)}})
    assert with_none.region_end("omp", "margins") is None
    assert with_none.unevaluated == ("accuracy",) and with_none.ranges["omp"]["margins"].runs == ((0.2, 0.2),)


def test_a_metric_that_some_evaluations_lack_is_missing_there() -> None:
    found = summary_of(
        {("omp", 0.2, 0): {"accuracy": (0.9, 0.9)}, ("omp", 0.36, 0): {"accuracy": (0.9, 0.9), "ece": (0.03, 0.03)}}
    )
    assert found.curves["omp"]["ece"].extremes["margins"] == Extreme(None, "not evaluated", (0.36,))
    assert found.ranges["omp"]["margins"].runs == ((0.36, 0.36),)


def test_tolerance_of_the_papers_reading() -> None:
    table = {("omp", 0.2, 0): {"ece": (0.03, 0.034)}}
    assert summary_of(table).ranges["omp"]["paper"].runs == ()
    assert summary_of(table, paper_tolerance=0.005).ranges["omp"]["paper"].runs == ((0.2, 0.2),)


def test_the_small_twin_alone() -> None:
    found = summary_of({("small", None, 0): {"accuracy": (0.9, 0.85)}})
    assert (found.methods, found.twins) == ((), {})
    assert found.small["accuracy"].value == Spread(0.85, None, 1)


def test_sweeps_that_contradict_themselves() -> None:
    with pytest.raises(InputError, match="Expected at least one evaluated network in the sweep 'hand', but got none"):
        summary_of({})
    with pytest.raises(InputError, match="Expected a target sparsity for every method but 'small'"):
        summary_of({("omp", None, 0): {"accuracy": (0.9, 0.9)}})
    with pytest.raises(InputError, match=r"sweep\.json lists omp at 0\.488 with seed 0 twice"):
        summary_of({("omp", 0.488, 0): {"accuracy": (0.9, 0.9)}, ("omp", 1 - 0.8**3, 0): {"accuracy": (0.9, 0.9)}})


def test_a_network_that_its_evaluation_lacks(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path, methods=("omp",), sparsities=(0.2,), seeds=(0,), small=False)
    renamed = sweep.model_copy(update={"points": (sweep.points[0].model_copy(update={"model": "other"}),)})
    with pytest.raises(
        InputError, match=r"Expected evaluations/0-0\.json to hold a candidate 'other', but it has none"
    ):
        summarise(renamed, renamed.evaluations(tmp_path))


def test_twins_are_nearest_by_parameters_and_compared_over_shared_seeds() -> None:
    """The twin has 2,100 parameters; 67.2 % leaves 3,280, 80 % leaves 2,000, 90 % leaves 1,000."""
    table = {
        **{
            ("omp", s, seed): {"accuracy": (0.9, 0.9 - s / 100 + seed / 100)}
            for s in (0.672, 0.8, 0.9)
            for seed in (0, 1)
        },
        ("small", None, 1): {"accuracy": (0.9, 0.81)},
        ("small", None, 2): {"accuracy": (0.8, 0.7)},
    }
    found = summary_of(table).twins["omp"]
    assert (found.target, found.ticket_parameters, found.twin_parameters) == (0.8, 2000, 2100)
    (row,) = found.rows
    assert row.difference == Spread(pytest.approx(0.902 - 0.81), None, 1)  # seed 1 alone has both
    assert row.ticket_ratio == pytest.approx((0.892 + 0.902) / 1.8)
    assert row.twin_ratio == pytest.approx((0.81 + 0.7) / 1.7)
    assert row.better is True


def test_twins_where_lower_is_better_equal_or_not_measured() -> None:
    def better(ticket: float | None, twin: float | None) -> bool | None:
        pair = {("omp", 0.8, 0): {"ece": (0.03, ticket)}, ("small", None, 0): {"ece": (0.03, twin)}}
        return summary_of(pair).twins["omp"].rows[0].better

    assert [better(0.02, 0.03), better(0.03, 0.02), better(0.02, 0.02), better(None, 0.02)] == [True, False, None, None]


def test_of_two_as_near_to_the_twin_the_smaller() -> None:
    row = {"accuracy": (0.9, 0.9)}
    table = {("omp", s, 0): row for s in (0.78, 0.8)} | {("small", None, 0): row}
    assert summary_of(table).twins["omp"].target == 0.8
