"""Several commands in one folder: each seed is worked on once, and the record has everything."""

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sparsescope.errors import InputError
from sparsescope.results import Sweep
from sparsescope.sweeps import Resources, run, run_sweep
from sparsescope.sweeps.record import working_on

Make = Callable[..., Any]
OUT = Path("out")


def evaluated(folder: Path) -> list[tuple[str, int]]:
    return [(point.model, point.seed) for point in Sweep.load(folder).points]


def test_a_second_command_takes_the_seeds_that_are_free(make_recipe: Make) -> None:
    recipe = make_recipe(methods=["omp", "random"], rounds=[1], seeds=[0, 1])
    seconds = []

    def meanwhile(point: Any, part: str, fraction: float, line: str) -> None:
        if not seconds and point.seed == 0 and part == "evaluation":
            seconds.append(None)
            seconds[0] = run_sweep(recipe, OUT)

    first = run_sweep(recipe, OUT, told=meanwhile)
    assert (first.busy, seconds[0].busy) == ((), (0,))
    assert evaluated(OUT) == [("omp-0.2", 0), ("omp-0.2", 1), ("random-0.2", 0), ("random-0.2", 1)]
    assert first.sweep == Sweep.load(OUT) and first.failures == seconds[0].failures == ()
    run_sweep(recipe, Path("alone"))
    numbers = [
        [[metric.model_dump() for metric in found.metrics] for found in Sweep.load(folder).evaluations(folder).values()]
        for folder in (OUT, Path("alone"))
    ]
    assert numbers[0] == numbers[1]


def _work(recipe: Any) -> None:
    torch.set_num_threads(1)
    run_sweep(recipe, OUT, Resources(cache=False))


def test_processes_share_the_work(make_recipe: Make) -> None:
    recipe = make_recipe(methods=["random"], rounds=[1], seeds=[0, 1, 2])
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_work, args=(recipe,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert evaluated(OUT) == [("random-0.2", 0), ("random-0.2", 1), ("random-0.2", 2)]


def test_a_seed_is_free_again_when_its_command_ends(tmp_path: Path) -> None:
    with working_on(tmp_path, 0) as mine, working_on(tmp_path, 0) as other, working_on(tmp_path, 1) as free:
        assert (mine, other, free) == (True, False, True)
    with pytest.raises(KeyboardInterrupt), working_on(tmp_path, 0):
        raise KeyboardInterrupt
    with working_on(tmp_path, 0) as mine:
        assert mine


def test_what_failed_for_one_command_stays_known_to_the_others(
    make_recipe: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_ticket = run.make_ticket

    def failing(workshop: Any, method: str, sparsity: float) -> Path:
        if method == "omp":
            raise InputError("No.")
        return make_ticket(workshop, method, sparsity)

    def failures() -> list[tuple[str, int]]:
        return [(entry["method"], entry["seed"]) for entry in json.loads((OUT / "failures.json").read_text())]

    with monkeypatch.context() as patched:
        patched.setattr(run, "make_ticket", failing)
        run_sweep(make_recipe(rounds=[1], seeds=[0]), OUT)
        run_sweep(make_recipe(rounds=[1], seeds=[1]), OUT)
    assert failures() == [("omp", 0), ("omp", 1)]
    run_sweep(make_recipe(rounds=[1], methods=["random"], seeds=[0]), OUT)
    assert failures() == [("omp", 0), ("omp", 1)]
    run_sweep(make_recipe(rounds=[1], seeds=[1]), OUT)
    assert failures() == [("omp", 0)]


def test_a_record_drops_what_is_not_there_any_more(make_recipe: Make) -> None:
    run_sweep(make_recipe(methods=["omp", "random"], rounds=[1]), OUT)
    (OUT / "seed-0/evaluations/omp-0.2.json").unlink()
    run_sweep(make_recipe(methods=["random"], rounds=[1]), OUT)
    assert evaluated(OUT) == [("random-0.2", 0)]
