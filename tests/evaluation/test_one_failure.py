"""What a metric's own code does wrong costs that metric, of that model: all the rest is as without it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic.dataclasses import dataclass as options
from torch import nn

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.errors import InputError, OptionError
from sparsescope.evaluation import evaluate
from sparsescope.measurements.base import Measurement
from sparsescope.metrics.accuracy import Accuracy
from sparsescope.metrics.base import OPTIONS, Metric
from sparsescope.reporting.writer import write_all
from sparsescope.results import Evaluation
from sparsescope.units import Units, weighted_mean

N = 30


@dataclass(frozen=True)
class Brightness(Measurement):
    population = "test"

    def unit_ids(self, benchmark, seed):
        return np.arange(len(benchmark.test))

    def cost(self, benchmark):
        return 1.0

    def prepare(self, benchmark, ids, seed):
        return benchmark.test.read(ids)

    def measure(self, classifier, shown, given, batch_size):
        return {"shade": shown.mean(dim=(1, 2, 3)).numpy(), "sparse": np.full(len(shown), classifier.name == "sparse")}


@options(frozen=True, config=OPTIONS)
class Shade(Metric):
    name, label, dimension, unit, source = "shade", "Shade", "generalization", "levels", "nobody"
    sentence = "How light the images are."
    higher_is_better, bounds, margin = True, (0.0, 1.0), 0.5
    extra: Any = None

    def measurements(self, benchmark):
        return (Brightness(),)

    def reduce(self, units, weights):
        return weighted_mean(units["shade"], weights)


def run(metric: Metric, **more: Any) -> Evaluation:
    pixels = np.random.default_rng(0).integers(0, 256, (N, 8, 8, 3), dtype=np.uint8)
    benchmark = Benchmark("small", ArrayImages(pixels, np.arange(N) % 3))
    networks = [nn.Sequential(nn.Flatten(), nn.Linear(192, 3)) for _ in range(2)]
    for network, sign in zip(networks, (1.0, 1.01), strict=True):
        nn.init.constant_(network[1].bias, 0.0)
        network[1].weight.data = sign * torch.linspace(-1, 1, 576).reshape(3, 192)
    margins = {"accuracy": {"margin": 1.0}, "nll": {"margin": 1.0}}
    return evaluate(
        *networks,
        benchmark,
        metrics=["accuracy", "nll", metric],
        options=margins,
        device="cpu",
        replicates=100,
        **more,
    )


@pytest.fixture(scope="module")
def undisturbed() -> Evaluation:
    return run(Shade(), cache=False)


def boom(*_: Any) -> Any:
    raise KeyError("boom")


def of_sparse(units: Units) -> bool:
    return bool(units["sparse"][0])


def mutating(self: Metric, units: Units, weights: Any) -> Any:
    weights *= 2
    return weighted_mean(units["shade"], weights)


def writing_to_units(self: Metric, units: Units, weights: Any) -> Any:
    units["shade"][:] = 0
    return weighted_mean(units["shade"], weights)


REDUCTIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "it raises": (boom, "KeyError: 'boom' (test_one_failure.py, line "),
    "InputError": (lambda *_: (_ for _ in ()).throw(InputError("no way")), "it broke: no way"),
    "exhausted memory": (lambda *_: np.empty(2**55), "MemoryError"),
    "None": (lambda *_: None, "from reduce() or debiased(), but got None"),
    "a text": (lambda *_: "0.5", "but got '0.5'"),
    "complex": (lambda *_: 0.5j, "but got 0.5j"),
    "units, not a mean": (lambda self, units, weights: weights * units["shade"], "Expected 100 numbers"),
    "one number for all rows": (lambda *_: 0.5, "Expected 100 numbers for as many rows of weights from reduce()"),
    "a column": (lambda self, units, weights: weights.mean(-1, keepdims=weights.ndim > 1), "Expected 100 numbers"),
    "out of bounds": (
        lambda self, units, weights: weights.sum(-1),
        "bounds, (0.0, 1.0), but got 30",
    ),
    "weights of all": (mutating, "read-only"),
    "arrays of all": (writing_to_units, "read-only"),
}


@pytest.mark.parametrize("case", REDUCTIONS)
@pytest.mark.parametrize("alone", [True, False])
def test_a_reduction(case: str, alone: bool, undisturbed: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong, text = REDUCTIONS[case]
    right = Shade.reduce

    def reduce(self: Metric, units: Units, weights: Any) -> Any:
        bad = not alone or of_sparse(units)
        if case == "exhausted memory":
            return wrong(units, weights) if bad and weights.ndim > 1 else right(self, units, weights)
        return wrong(self, units, weights) if bad else right(self, units, weights)

    monkeypatch.setattr(Shade, "reduce", reduce)
    check(run(Shade(), cache=False), undisturbed, text, alone)


def check(found: Evaluation, undisturbed: Evaluation, text: str, alone: bool) -> None:
    """The metric is lost for one model or both, and nothing else is changed."""
    values = found["shade"].values
    assert values["sparse"].broke and text in (values["sparse"].reason or "")
    assert values["dense"] == undisturbed["shade"].values["dense"] if alone else values["dense"].broke
    assert found["shade"].differences["sparse"].value is None
    assert found.verdict("sparse").outcome == "inconclusive" and undisturbed.verdict("sparse").outcome == "pass"
    for name in ("accuracy", "nll"):
        assert found[name] == undisturbed[name]
        assert found.verdict("sparse").metrics[name] == undisturbed.verdict("sparse").metrics[name]


def cyclic(self: Metric, units: Units) -> dict[str, Any]:
    content: dict[str, Any] = {}
    content["itself"] = content
    return content


BESIDE: dict[str, tuple[str, Callable[..., Any], str]] = {
    "debiased raises": ("debiased", boom, "KeyError"),
    "details raise": ("details", boom, "KeyError"),
    "details are a list": ("details", lambda *_: [1], "Expected a dict from details()"),
    "details are objects": (
        "details",
        lambda *_: {"object": object()},
        "an evaluation cannot hold what it gives: d",
    ),
    "details are half a letter": ("details", lambda *_: {"text": "\ud800"}, "an evaluation cannot hold what it gives"),
    "details without an end": ("details", cyclic, "RecursionError"),
    "warnings raise": ("warnings", boom, "KeyError"),
    "warnings are a text": (
        "warnings",
        lambda *_: "careful",
        "warnings(), but got {} and 'careful'",
    ),
    "warnings are numbers": ("warnings", lambda *_: (1,), "TypeError"),
    "units raise": ("units", boom, "KeyError"),
    "units are a list": ("units", lambda *_: [1, 2], "Expected units() to return Units, but got [1, 2]"),
    "no strata": ("units", lambda *_: Units({}, {}), "broke"),
    "values beyond all": ("bounds", None, "an evaluation cannot hold what it gives"),
}


@pytest.mark.parametrize("case", BESIDE)
def test_what_stands_beside_the_reduction(case: str, undisturbed: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    place, wrong, text = BESIDE[case]
    if place == "bounds":
        monkeypatch.setattr(Shade, "bounds", (None, None))
        monkeypatch.setattr(Shade, "reduce", lambda self, units, weights: 1e120 * weights.sum(-1))
    else:
        monkeypatch.setattr(Shade, place, wrong)
    check(run(Shade(), cache=False), undisturbed, text, alone=False)


MEASUREMENT: dict[str, tuple[str, Callable[..., Any], str]] = {
    "unit_ids": ("unit_ids", boom, "KeyError"),
    "cost": ("cost", boom, "KeyError"),
    "strata": ("strata", boom, "KeyError"),
    "requires": ("requires", boom, "KeyError"),
    "image_sets": ("image_sets", boom, "KeyError"),
    "given": ("given", boom, "KeyError"),
    "prepare": ("prepare", boom, "KeyError"),
    "measure": ("measure", boom, "KeyError"),
    "nothing": ("measure", lambda *_: None, "Expected arrays by their names from measure(), but got None"),
    "a list": ("measure", lambda *_: {"shade": [1]}, "Expected arrays by their names from measure()"),
    "too few rows": (
        "measure",
        lambda *_: {"shade": np.zeros(3)},
        "to have 30 rows, one for each unit, but got",
    ),
    "a scalar": ("measure", lambda *_: {"shade": np.float64(1) + np.zeros(())}, "Expected"),
}


@pytest.mark.filterwarnings("ignore:.* cannot be measured")
@pytest.mark.parametrize("case", MEASUREMENT)
def test_a_measurement(case: str, undisturbed: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, wrong, text = MEASUREMENT[case]
    monkeypatch.setattr(Brightness, place, wrong)
    check(run(Shade(), cache=tmp_path), undisturbed, text, alone=False)


@pytest.mark.parametrize("place", ["check", "measurements"])
def test_a_metric_that_cannot_say_what_it_needs(
    place: str, undisturbed: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shade, place, boom)
    check(run(Shade(), cache=False), undisturbed, "KeyError", alone=False)


def test_shards_that_do_not_fit_together(undisturbed: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Brightness, "cost", lambda *_: 500.0)
    monkeypatch.setattr(
        Brightness, "measure", lambda self, classifier, shown, *_: {str(float(shown[0, 0, 0, 0])): np.ones(len(shown))}
    )
    check(run(Shade(), cache=False), undisturbed, "KeyError", alone=False)


def test_options_that_no_file_can_hold_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsescope.evaluation.run.carrying_out", boom)
    with pytest.raises(OptionError, match=r"The metric shade has options that an evaluation cannot hold: exp"):
        run(Shade(extra=object()), cache=False)


def test_a_built_in_metric(undisturbed: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Accuracy, "reduce", boom)
    found = run(Shade(), cache=False)
    assert found["accuracy"].values["sparse"].broke and found["nll"] == undisturbed["nll"]
    assert found.verdict("sparse").outcome == "inconclusive"
    assert "accuracy" not in found.radar.axes
    assert write_all(found, tmp_path).failures == {}
