from typing import Any

from fake_evaluation import MODELS, make_evaluation, make_metric

from sparsescope.reporting.sides import changed_sides
from sparsescope.results import Evaluation


def evaluation(classes: tuple[str, ...] = ("airplane", "automobile", "bird"), **changes: Any) -> Evaluation:
    details = {
        "changed": {"lost": {"n": 6, "images": [3, 9]}, "gained": {"n": 1, "images": [5]}},
        "by_class": {
            "confidence": 0.95,
            "method": "Newcombe",
            "n": [1000, 20, 10, 0],
            "lost": [4, 2, 0, 0],
            "gained": [0, 0, 1, 0],
            "dense": [0.95, 0.9, 0.5, None],
            "own": [0.946, 0.8, 0.6, None],
            "difference": [-0.004, -0.1, 0.1, None],
            "lower": [-0.007, -0.3, -0.2, None],
            "upper": [-0.0001, 0.1, 0.4, None],
            **changes,
        },
    }
    base = make_evaluation()
    return base.model_copy(
        update={
            "metrics": (make_metric(details={MODELS[1]: details}),),
            "benchmark": base.benchmark.model_copy(update={"classes": classes}),
        }
    )


def test_counts_and_images() -> None:
    sides = changed_sides(evaluation(), MODELS[1])
    assert (sides["lost"], sides["gained"], sides["n"]) == ("6", "1", "1,030")
    assert (sides["lost_images"], sides["gained_images"]) == ("3, 9 …", "5")
    assert (sides["fell"], sides["rose"], sides["present"], sides["confidence"]) == ("1", "0", "3", "95 %")


def test_the_class_that_surely_fell_comes_before_one_that_fell_further() -> None:
    assert changed_sides(evaluation(), MODELS[1])["worst"] == [
        {
            "name": "airplane",
            "n": "1,000",
            "dense": "95.0",
            "sparse": "94.6",
            "difference": "−0.4",
            "interval": "[−0.7, 0.0]",
            "lost": "4",
            "gained": "0",
        },
        {
            "name": "automobile",
            "n": "20",
            "dense": "90.0",
            "sparse": "80.0",
            "difference": "−10.0",
            "interval": "[−30.0, +10.0]",
            "lost": "2",
            "gained": "0",
        },
    ]


def test_classes_without_names_have_their_number() -> None:
    worst = changed_sides(evaluation(classes=("airplane",)), MODELS[1])["worst"]
    assert [row["name"] for row in worst] == ["airplane", "class 1"]


def test_a_class_that_surely_rose() -> None:
    assert changed_sides(evaluation(lower=[-0.007, -0.3, 0.01, None]), MODELS[1])["rose"] == "1"


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert changed_sides(evaluation(), MODELS[0]) == {}
    assert changed_sides(make_evaluation().model_copy(update={"metrics": ()}), MODELS[1]) == {}
