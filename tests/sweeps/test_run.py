"""A sweep: complete, resumed to the same numbers, and honest about what failed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sparsescope.checkpoints import load_classifier
from sparsescope.errors import DataError, InputError, OptionError
from sparsescope.results import Evaluation, Sweep
from sparsescope.sweeps import Resources, run, run_sweep

Make = Callable[..., Any]
OUT = Path("out")


class Killed(BaseException):
    pass


def numbers(folder: Path) -> list[Any]:
    evaluations = Sweep.load(folder).evaluations(folder).values()
    return [[metric.model_dump() for metric in found.metrics] for found in evaluations]


def test_every_point_is_recorded_and_a_second_start_does_nothing(
    make_recipe: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe(methods=["lth", "rigl"], small="digits_cnn_small", options={"rigl": {"every": 2}})
    outcome = run_sweep(recipe, OUT)
    assert outcome.failures == () and not (OUT / "failures.json").exists()
    assert outcome.sweep == Sweep.load(OUT)
    found = [(point.method, point.target, point.model) for point in outcome.sweep.points]
    assert found == [
        ("lth", 0.2, "lth-0.2"),
        ("lth", 0.36, "lth-0.36"),
        ("rigl", 0.2, "rigl-0.2"),
        ("rigl", 0.36, "rigl-0.36"),
        ("small", None, "small"),
    ]
    for point, evaluation in outcome.sweep.evaluations(OUT).items():
        assert [model.name for model in evaluation.models] == ["dense", point.model]
        assert (OUT / point.checkpoint).exists()
        if point.target is not None:
            assert point.sparsity == pytest.approx(point.target, abs=1e-4)
    assert outcome.sweep.points[-1].sparsity == 0  # the twin has the dense network's own architecture here
    assert [e.cost.cached > 0 for e in outcome.sweep.evaluations(OUT).values()] == [False, True, True, True, True]

    monkeypatch.setattr(run, "evaluate_task", None)
    monkeypatch.setattr(run, "make_ticket", None)
    before = {path: path.stat().st_mtime_ns for path in OUT.rglob("*.*")}
    assert run_sweep(recipe, OUT).sweep == outcome.sweep
    assert {path: path.stat().st_mtime_ns for path in OUT.rglob("*.*")} == before


@pytest.mark.parametrize("where", ["training", "evaluation"])
def test_an_interrupted_sweep_goes_on(make_recipe: Make, where: str) -> None:
    recipe = make_recipe()
    run_sweep(recipe, Path("whole"))

    def kill(point: Any, part: str, fraction: float, line: str) -> None:
        if point.name == "lth-0.36" and (part == "evaluation") == (where == "evaluation"):
            raise Killed

    with pytest.raises(Killed):
        run_sweep(recipe, OUT, told=kill)
    assert [point.model for point in Sweep.load(OUT).points] == ["omp-0.2", "omp-0.36", "lth-0.2"]
    parts: set[str] = set()
    run_sweep(recipe, OUT, told=lambda point, part, fraction, line: parts.add(part))
    assert parts == ({"lth-0.36", "evaluation"} if where == "training" else {"evaluation"})
    assert numbers(OUT) == numbers(Path("whole"))


def test_a_sweep_may_grow_but_not_become_another(make_recipe: Make) -> None:
    run_sweep(make_recipe(methods=["omp"], rounds=[1]), OUT)
    parts: set[str] = set()
    grown = make_recipe(methods=["random", "omp"], rounds=[1])
    outcome = run_sweep(grown, OUT, told=lambda point, part, fraction, line: parts.add(part))
    assert [point.model for point in outcome.sweep.points] == ["random-0.2", "omp-0.2"]
    assert parts == {"random-0.2", "evaluation"}
    run_sweep(make_recipe(methods=["random"], rounds=[2], seeds=[1]), OUT)  # a part of its own stays beside the rest
    recorded = Sweep.load(OUT)
    assert [(point.model, point.seed) for point in recorded.points] == [
        ("random-0.2", 0),
        ("random-0.36", 1),
        ("omp-0.2", 0),
    ]
    assert recorded.recipe["seeds"] == [1, 0] and recorded.recipe["sparsities"] == [0.2, 0.36]
    other = make_recipe(prune_head=True, evaluation={"only": ["accuracy"]})
    with pytest.raises(OptionError, match="out holds the sweep tiny with other settings: prune_head, evaluation"):
        run_sweep(other, OUT)


def test_a_failing_ticket_is_recorded_and_the_rest_goes_on(make_recipe: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = make_recipe(rounds=[1])
    make_ticket = run.make_ticket

    def failing(workshop: Any, method: str, sparsity: float) -> Path:
        if method == "omp":
            raise InputError("Training diverged: the loss is nan.")
        return make_ticket(workshop, method, sparsity)

    with monkeypatch.context() as patched:
        patched.setattr(run, "make_ticket", failing)
        outcome = run_sweep(recipe, OUT)
    assert [point.model for point in outcome.sweep.points] == ["lth-0.2"]
    (told,) = json.loads((OUT / "failures.json").read_text())
    assert told == {"method": "omp", "target": 0.2, "seed": 0, "reason": "Training diverged: the loss is nan."}
    assert len(run_sweep(recipe, OUT).sweep.points) == 2  # tried again
    assert not (OUT / "failures.json").exists()


def test_a_dense_network_that_diverges_fails_its_seed_once(make_recipe: Make) -> None:
    training = {"recipe": "digits", "epochs": 2, "rewind_epoch": 1, "learning_rate": 1e30}
    outcome = run_sweep(make_recipe(training=training, seeds=[0, 1]), OUT)
    assert [(failure.method, failure.target, failure.seed) for failure in outcome.failures] == [
        ("dense", None, 0),
        ("dense", None, 1),
    ]
    assert "Training diverged" in outcome.failures[0].reason and outcome.sweep.points == ()


def test_a_changed_network_is_evaluated_again(make_recipe: Make) -> None:
    recipe = make_recipe(methods=["random"], rounds=[1])
    first = run_sweep(recipe, OUT)
    path = OUT / first.sweep.points[0].evaluation
    Evaluation.load(path).model_copy(update={"models": ()}).save(path)
    run_sweep(recipe, OUT, Resources(cache=False))
    assert [model.name for model in Evaluation.load(path).models] == ["dense", "random-0.2"]


def test_data_without_training_images(make_recipe: Make, task: Path) -> None:
    (task / "own.py").write_text(
        "from sparsescope import ArrayImages, Benchmark\nimport numpy as np\n\n\ndef make():\n"
        "    images = ArrayImages(np.zeros((4, 12, 12), dtype=np.uint8), np.arange(4) % 3)\n"
        "    return Benchmark('own', images)\n"
    )
    with pytest.raises(DataError, match=r"own\.py:make has no training images\. Say where they are: train = SPEC"):
        run_sweep(make_recipe(data="own.py:make", train=None), OUT)


def test_a_methods_own_recipe_trains_its_tickets_and_no_other(make_recipe: Make) -> None:
    def recipe(methods: list[str], **own: Any) -> Any:
        training = {"recipe": "digits", "epochs": 2, "rewind_epoch": 1, "batch_size": 16, "methods": own}
        return make_recipe(methods=methods, rounds=[1], training=training)

    both = recipe(["random", "snip"], snip={"epochs": 3, "label_smoothing": 0.1})
    outcome = run_sweep(both, OUT)
    settings = {
        name: json.loads((OUT / f"seed-0/{name}-0.2/ticket.json").read_text(encoding="utf-8"))
        for name in ("random", "snip")
    }
    assert {name: (each["epochs"], each["label_smoothing"]) for name, each in settings.items()} == {
        "random": (2, 0.0), "snip": (3, 0.1),
    }  # fmt: skip
    assert {name: how.epochs for name, how in outcome.sweep.trained.items()} == {"dense": 2, "random": 2, "snip": 3}
    parts: set[str] = set()

    def told(point: Any, part: str, fraction: float, line: str) -> None:
        parts.update({part} if line.startswith("seed 0, ") else ())

    run_sweep(recipe(["random"]), OUT, told=told)  # nothing is asked of snip
    assert parts == set() and Sweep.load(OUT).trained == outcome.sweep.trained
    assert Sweep.load(OUT).recipe["training"]["methods"] == {"snip": {"epochs": 3, "label_smoothing": 0.1}}
    changed = recipe(["random", "snip"], snip={"epochs": 2})
    refused = (
        r"snip-0\.2 holds another ticket: epochs is 3 there and 2 here; label_smoothing is 0\.1 there and 0\.0 here"
    )
    with pytest.raises(OptionError, match=refused):
        run_sweep(changed, OUT)
    (OUT / "sweep.json").unlink()
    with pytest.raises(OptionError, match=refused):
        run_sweep(changed, OUT)
    shutil.rmtree(OUT / "seed-0/snip-0.2")
    assert run_sweep(changed, OUT, told=told).sweep.trained["snip"].epochs == 2
    assert parts == {"snip-0.2", "evaluation"}


def test_an_older_record_without_its_trainings_grows(make_recipe: Make) -> None:
    run_sweep(make_recipe(methods=["random"], rounds=[1]), OUT)
    content = json.loads((OUT / "sweep.json").read_text(encoding="utf-8"))
    del content["trained"]
    (OUT / "sweep.json").write_text(json.dumps(content), encoding="utf-8")
    assert Sweep.load(OUT).trained == {}
    training = {**content["recipe"]["training"], "methods": {"snip": {"epochs": 1}}}
    grown = run_sweep(make_recipe(methods=["snip"], rounds=[1], training=training), OUT)
    assert [point.model for point in grown.sweep.points] == ["snip-0.2", "random-0.2"]
    assert grown.sweep.trained["snip"].epochs == 1 and "random" not in grown.sweep.trained


def test_a_recipe_says_what_its_networks_return(make_recipe: Make) -> None:
    Path("soft.py").write_text(
        "from torch import nn\n"
        "from sparsescope.architectures.digits_cnn import digits_cnn_small\n"
        "def soft(num_classes=10):\n"
        "    return nn.Sequential(digits_cnn_small(num_classes=num_classes), nn.Softmax(1))\n"
    )
    recipe = make_recipe(architecture="soft.py:soft", output="probabilities", methods=["omp"])
    outcome = run_sweep(recipe, OUT)
    assert outcome.failures == ()
    for point, evaluation in outcome.sweep.evaluations(OUT).items():
        assert load_classifier(OUT / point.checkpoint, arch="soft.py:soft").output == "probabilities"
        assert not any("probabilities" in text for model in evaluation.models for text in model.warnings)
