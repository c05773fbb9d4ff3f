"""The seeds of a sweep judged together: once, from the cache, and again where a network has changed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sparsescope.curves import summarise
from sparsescope.reporting.sweep import write_sweep_report
from sparsescope.results import Evaluation
from sparsescope.sweeps import SweepRecipe
from sparsescope.sweeps.run import Resources, run_sweep

OUT = Path("out")
Make = Callable[..., SweepRecipe]


def test_three_seeds_are_judged_together_from_the_cache(make_recipe: Make) -> None:
    recipe = make_recipe(methods=["omp"], rounds=[2], seeds=[0, 1, 2])
    sweep = run_sweep(recipe, OUT).sweep
    path = OUT / "over-seeds" / "omp-0.36.json"
    together = Evaluation.load(path)
    assert together.cost.forward_passes == together.cost.backward_passes == 0
    assert [(pair.dense, pair.candidate) for pair in together.pairs] == [
        (f"dense-{seed}", f"omp-0.36-{seed}") for seed in (0, 1, 2)
    ]
    over_seeds = sweep.over_seeds(OUT)
    found = over_seeds["omp-0.36"].metrics["accuracy"]
    evaluations = sweep.evaluations(OUT)
    alone = [evaluation["accuracy"].differences["omp-0.36"].value for evaluation in evaluations.values()]
    assert found.value == pytest.approx(sum(alone) / 3)  # type: ignore[arg-type]
    (point,) = summarise(sweep, evaluations, over_seeds=over_seeds).curves["omp"]["accuracy"].points
    assert (point.interval, point.outcomes["margins"]) == (found.interval, found.outcome)
    assert point.of_trainings is not None and point.of_images is not None
    write_sweep_report(OUT)
    assert "of trainings, " in (OUT / "index.html").read_text()

    before = path.stat().st_mtime_ns
    run_sweep(recipe, OUT)
    assert path.stat().st_mtime_ns == before
    path.write_text(path.read_text().replace(str(together.models[1].sha256), "0" * 64))  # of another network
    assert sweep.over_seeds(OUT) == {}
    run_sweep(recipe, OUT)
    assert Evaluation.load(path).methods == together.methods


@pytest.mark.parametrize(("seeds", "cache"), [([0, 1], True), ([0, 1, 2], False)])
def test_fewer_seeds_or_no_cache_leave_it_at_the_seeds_own_intervals(
    seeds: list[int], cache: bool, make_recipe: Make
) -> None:
    sweep = run_sweep(make_recipe(methods=["omp"], rounds=[1], seeds=seeds), OUT, Resources(cache=cache)).sweep
    assert not (OUT / "over-seeds").exists() and sweep.over_seeds(OUT) == {}
    (point,) = summarise(sweep, sweep.evaluations(OUT)).curves["omp"]["accuracy"].points
    assert point.interval is not None and point.of_trainings is None
