"""The plan is what is really trained, and its cost adds up."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sparsescope.sweeps import Account, Resources, estimate, make_workshop, measure_speed, open_data, run_sweep
from sparsescope.sweeps.plan import Speed, evaluation_passes, trainings

Make = Callable[..., Any]


def test_cost_by_hand(make_recipe: Make) -> None:
    recipe = make_recipe(methods=["omp", "lth", "snip"], rounds=[1, 3], seeds=[0, 5], small="digits_cnn_small")
    runs = {"dense": 2, "small": 2, "omp-0.2": 1, "omp-0.488": 1, "snip-0.2": 2, "snip-0.488": 2}
    assert trainings(recipe) == runs | {"lth-0.2": 1, "lth-0.36": 1, "lth-0.488": 1}
    cost = estimate(recipe, open_data(recipe), parameters=1000)
    assert (cost.trainings, cost.epochs, cost.training_images, cost.evaluations) == (18, 26, 26 * 40, 14)
    assert cost.evaluation_passes == 30 * (14 + 2)  # accuracy and ECE share one pass over 30 images
    assert cost.seconds(Speed(0.5, 0.25)) == 26 * 40 * 0.5 + 480 * 0.25
    assert cost.disk == 2 * (4 * 4000 + 8 * (3 * 4000 + 2000)) + 14 * 1_000_000


def test_the_plan_is_what_is_trained_and_the_account_ends_at_its_total(make_recipe: Make) -> None:
    training = {"recipe": "digits", "epochs": 2, "rewind_epoch": 1, "methods": {"random": {"epochs": 3}}}
    recipe = make_recipe(rounds=[2], small="digits_cnn_small", methods=["omp", "lth", "random"], training=training)
    assert trainings(recipe)["random-0.36"] == 3 and estimate(recipe, open_data(recipe), 1).epochs == 10
    benchmark = open_data(recipe)
    told: list[tuple[float, float, str]] = []
    runs: set[str] = set()
    account = Account(recipe, benchmark, lambda *line: told.append(line))

    def watching(point: Any, part: str, fraction: float, line: str) -> None:
        runs.update({part} - {"evaluation"})
        account(point, part, fraction, line)

    run_sweep(recipe, Path("out"), told=watching)
    assert runs == set(trainings(recipe))
    done = [line[0] for line in told]
    assert done == sorted(done) and done[-1] == pytest.approx(told[-1][1])
    assert told[-1][1] == 3 * 40 * sum(trainings(recipe).values()) + 4 * evaluation_passes(recipe, benchmark)
    assert told[0][2].startswith("seed 0, dense: epoch 1/2, loss ")


def test_speed_is_measured_without_a_trace(make_recipe: Make, task: Path) -> None:
    recipe = make_recipe()
    before = sorted(task.iterdir())
    speed = measure_speed(make_workshop(recipe, open_data(recipe), Path("out"), 0, Resources()), seconds=0.05)
    assert speed.training > 0 and speed.forward > 0
    assert sorted(task.iterdir()) == before


SLOW = """
import time
from torch import nn

shown = []

class Slow(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(144, 3)

    def forward(self, images):
        if len(images) > 1:  # one image is how a workshop tries a network out
            shown.append(len(images))
            time.sleep(0.01 * len(images))
        return self.layer(images.flatten(1))

def slow():
    return Slow()
"""


def test_a_slow_network_is_timed_on_few_images(make_recipe: Make, task: Path) -> None:
    (task / "slow.py").write_text(SLOW)
    training = {"recipe": "digits", "epochs": 2, "batch_size": 512}
    recipe = make_recipe(architecture=f"{task / 'slow.py'}:slow", training=training)
    workshop = make_workshop(recipe, open_data(recipe), Path("out"), 0, Resources())
    speed = measure_speed(workshop, seconds=0.2)
    shown = type(workshop.initial().module).forward.__globals__["shown"]
    assert sum(shown) < 150  # 64 at once, three times over, took twenty times the moment
    assert speed.training >= 0.01 and speed.forward >= 0.01
