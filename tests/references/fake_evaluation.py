"""Evaluations made up from plain numbers: what a real one looks like, without measuring anything."""

from collections.abc import Sequence
from typing import Any

from sparsescope.results import (
    BenchmarkInfo,
    Cost,
    Difference,
    Evaluation,
    ImageSetInfo,
    LayerInfo,
    MetricResult,
    MetricValue,
    ModelInfo,
    Pairs,
    SparsityInfo,
)
from sparsescope.results.radar import normalise
from sparsescope.verdict import decide

MODELS = ("resnet20_dense", "resnet20_omp_s0.488", "resnet20_omp_s0.832")

# name, label, dimension, unit, higher is better, margin, kind, in verdict, values, standard error of the differences, n
# fmt: off
METRICS: tuple[tuple[Any, ...], ...] = (
    ("accuracy", "Accuracy", "generalization", "fraction", True, 0.01, "absolute", True,
     (0.919, 0.917, 0.861), 0.0031, 10000),
    ("generalization_gap", "Generalization gap", "generalization", "fraction", True, 0.01, "absolute", False,
     (-0.062, -0.058, -0.021), 0.004, 20000),
    ("corruption_error", "mCE", "generalization", "ratio to dense", False, 0.02, "absolute", True,
     (1.0, 1.012, 1.164), 0.009, 1000),
    ("fgsm_accuracy", "Accuracy under FGSM", "generalization", "fraction", True, 0.01, "absolute", True,
     (0.142, 0.151, 0.118), 0.004, 1000),
    ("ood_auroc", "OoD AUROC", "generalization", "area", True, 0.01, "absolute", True,
     (0.896, 0.889, 0.851), 0.004, 11200),
    ("ece", "ECE", "calibration", "probability", False, 0.01, "absolute", True,
     (0.0389, 0.0341, 0.0212), 0.0025, 10000),
    ("sce", "SCE", "calibration", "probability", False, 0.002, "absolute", True,
     (0.0094, 0.0091, 0.0102), 0.0004, 10000),
    ("nll", "NLL", "calibration", "nats", False, 0.05, "relative", True,
     (0.2914, 0.2893, 0.4127), 0.008, 10000),
    ("fidelity", "Fidelity", "interpretability", "squared probability", False, 0.1, "relative", True,
     (0.02513, 0.02466, 0.02119), 0.0004, 200),
    ("stability", "Stability", "interpretability", "squared coefficient", False, 0.1, "relative", True,
     (0.00431, 0.00459, 0.00672), 0.0002, 200),
    ("weight_trace", "Weight Hessian trace", "geometry", "loss", False, 0.1, "relative", True,
     (6125.4, 5210.8, 9871.2), 310.0, 40),
    ("input_trace", "Input Hessian trace", "geometry", "loss", False, 0.1, "relative", True,
     (412.6, 398.1, 371.0), 21.0, 200),
)
# fmt: on


def make_metric(
    name: str = "accuracy",
    values: Sequence[float | None] = (0.9, 0.9),
    half_width: float | None = 0.005,
    *,
    models: Sequence[str] | None = None,
    standard_error: float | None = None,
    n: int = 1000,
    **changes: Any,
) -> MetricResult:
    """Return one metric; every difference has the interval value +- half_width, or none where that is None."""
    models = tuple(models or MODELS[: len(values)])
    error = standard_error if standard_error is not None or half_width is None else half_width / 1.96

    def around(value: float | None, width: float | None) -> tuple[float, float] | None:
        return None if value is None or width is None else (value - width, value + width)

    entries = {
        model: MetricValue(status="not evaluated", reason="no such set")
        if value is None
        else MetricValue(status="measured", value=value, interval=around(value, half_width), standard_error=error, n=n)
        for model, value in zip(models, values, strict=True)
    }
    dense = values[0]
    differences = {}
    for model, value in zip(models[1:], values[1:], strict=True):
        change = None if value is None or dense is None else value - dense
        differences[model] = Difference(
            value=change,
            interval=around(change, half_width),
            standard_error=None if change is None else error,
        )
    facts: dict[str, Any] = {
        "name": name,
        "label": name,
        "dimension": "generalization",
        "unit": "fraction",
        "higher_is_better": True,
        "source": "Chen et al. 2022",
        "options": {},
        "in_verdict": True,
        "margin": 0.01,
        "margin_kind": "absolute",
        "values": entries,
        "differences": differences,
        "replicates": 2000,
    }
    return MetricResult(**{**facts, **changes})


def make_evaluation(models: Sequence[str] = MODELS[:2], /, **changes: Any) -> Evaluation:
    """Return an evaluation of 2 or 3 models with every metric; composition is not evaluated."""
    columns = len(models)
    metrics = [
        make_metric(
            name, values[:columns], 1.96 * error, models=models, n=n, label=label, dimension=dimension, unit=unit,
            higher_is_better=up, margin=margin, margin_kind=kind, in_verdict=in_verdict,
            options=_OPTIONS.get(name, {}), details=_details(name, models),
        )
        for name, label, dimension, unit, up, margin, kind, in_verdict, values, error, n in METRICS
    ]  # fmt: skip
    metrics = [_with_debiased(metric) if metric.name == "ece" else metric for metric in metrics]
    composition = {model: MetricValue(status="not evaluated", reason="no probe set") for model in models}
    metrics.insert(
        10,
        make_metric("composition", [None] * columns, None, models=models, label="Compositional IoU", unit="IoU",
                    dimension="interpretability", margin=0.05, margin_kind="relative").model_copy(
            update={"values": composition}
        ),
    )  # fmt: skip
    facts: dict[str, Any] = {
        "version": "0.1.0",
        "created": "2026-01-02T03:04:05+00:00",
        "preset": "standard",
        "seed": 0,
        "confidence": 0.95,
        "environment": {"python": "3.11.9", "torch": "2.9.1", "torchvision": "0.24.1", "device": "cpu"},
        "benchmark": BenchmarkInfo(
            name="cifar10",
            fingerprint="5f0c6d3a9b1e7742",
            classes=("airplane", "automobile", "bird"),
            sets={
                "test": ImageSetInfo(n=10000, shape=(3, 32, 32), source="cifar10:data/test"),
                "train": ImageSetInfo(n=10000, shape=(3, 32, 32), source="cifar10:data/train"),
                "ood": ImageSetInfo(
                    n=1200, shape=(3, 32, 32), source="npz:dtd.npz, npz:svhn.npz", parts={"dtd": 600, "svhn": 600}
                ),
            },
        ),
        "models": tuple(_model(name, index) for index, name in enumerate(models)),
        "metrics": tuple(metrics),
        "verdicts": {
            pair.candidate: decide(metrics, pair, confidence=0.95, complete=True) for pair in Pairs.of_one_dense(models)
        },
        "radar": normalise(metrics, Pairs.of_one_dense(models)),
        "cost": Cost(seconds=812.4, forward_passes=1_204_000, backward_passes=38_400, cached=3),
    }
    return Evaluation(**{**facts, **changes})


def make_light_evaluation(models: Sequence[str] = MODELS[:2], /, **changes: Any) -> Evaluation:
    """Return an evaluation of three metrics with no details and no layers: few figures, quickly reported."""
    values = {"accuracy": (0.9, 0.89, 0.6), "ece": (0.03, 0.03, 0.03), "nll": (0.3, 0.3, 0.3)}
    metrics = tuple(
        make_metric(name, row[: len(models)], models=models, label=name.title()) for name, row in values.items()
    )
    empty = {"sparsity": SparsityInfo(prunable=0.5, total=0.5, layers=())}
    facts = {
        "metrics": metrics,
        "verdicts": {
            pair.candidate: decide(metrics, pair, confidence=0.95, complete=False)
            for pair in Pairs.of_one_dense(models)
        },
        "radar": normalise(metrics, Pairs.of_one_dense(models)),
        "models": tuple(_model(name, index).model_copy(update=empty) for index, name in enumerate(models)),
    }
    return make_evaluation(models, **{**facts, **changes})


_OPTIONS: dict[str, dict[str, Any]] = {
    "corruption_error": {"images": None, "severities": [1, 2, 3, 4, 5], "cells_per_image": 15},
    "fgsm_accuracy": {"epsilon": 8 / 255},
    "ece": {"n_bins": 15},
    "fidelity": {"images": 200, "samples": 1000},
    "stability": {"images": 200, "samples": 1000},
}

_CORRUPTIONS = ("gaussian_noise", "shot_noise", "defocus_blur", "brightness", "contrast", "jpeg_compression")


def _model(name: str, index: int) -> ModelInfo:
    removed = (0.0, 0.488, 0.832)[index]
    shapes = {"conv1.weight": (16, 3, 3, 3), "fc.weight": (10, 64)}
    for stage, width in enumerate((16, 32, 64), start=1):
        for block in range(3):
            for conv in (1, 2):
                shapes[f"layer{stage}.{block}.conv{conv}.weight"] = (width, width, 3, 3)
    layers = tuple(
        LayerInfo(name=layer, shape=shape, sparsity=removed * (0.35 + 0.65 * position / (len(shapes) - 1)))
        for position, (layer, shape) in enumerate(sorted(shapes.items()))
    )
    return ModelInfo(
        name=name,
        role="candidate" if index else "dense",
        path=f"checkpoints/{name}.pt",
        sha256=f"{index}0b1c2d3" * 8,
        architecture="resnet20s",
        parameters=272_474,
        nonzero=round(272_474 - 270_896 * removed),
        sparsity=SparsityInfo(prunable=removed, total=removed * 270_896 / 272_474, layers=layers),
        warnings=("1 of 20 prunable layers has no zeros: conv1.weight",) if index == 2 else (),
    )


def _with_debiased(metric: MetricResult) -> MetricResult:
    own = {model: details["debiased"] for model, details in metric.details.items()}
    dense = next(iter(own.values()))
    differences = {
        model: difference.model_copy(update={"debiased": own[model] - dense})
        for model, difference in metric.differences.items()
    }
    return metric.model_copy(update={"differences": differences})


def _details(name: str, models: Sequence[str]) -> dict[str, Any]:
    return {model: details for index, model in enumerate(models) if (details := _detail(name, index))}


def _detail(name: str, index: int) -> dict[str, Any]:
    if name == "accuracy" and index:
        return _sides(index)
    if name == "ece":
        return {
            "debiased": round(0.038 - 0.005 * index, 3),
            "reliability": [_bin(position, index) for position in range(15)],
        }
    if name == "corruption_error":
        errors = {
            corruption: {
                "images": [1000] * 5,
                "error": [
                    None
                    if (kind, severity) == (5, 4)
                    else round(0.08 + 0.02 * index + 0.03 * kind * (severity + 1) / 2, 3)
                    for severity in range(5)
                ],
                "dense_error": [0.1] * 5,
                "ece": [0.02 * (1 + index) + 0.01 * kind * severity for severity in range(5)],
                "sce": None,
                "nll": [None if kind == 0 else 0.4 + 0.1 * severity for severity in range(5)],
                "ce": 1.0,
            }
            for kind, corruption in enumerate(_CORRUPTIONS)
        }
        return {"severities": [1, 2, 3, 4, 5], "corruptions": errors, "mean_error": 0.21 + 0.02 * index,
                "clean_error": 0.08}  # fmt: skip
    if name == "fgsm_accuracy":
        accuracy = [0.919 - 0.03 * index, 0.43, 0.142 + 0.01 * index]
        return {
            "margin_loss_accuracy": accuracy[2],
            "curve": {
                "epsilon": [0.0, 2 / 255, 8 / 255],
                "accuracy": accuracy,
                "lower": [value - 0.03 for value in accuracy],
                "upper": [value + 0.03 for value in accuracy],
                "confidence": 0.95,
            },
        }
    if name == "ood_auroc":
        return {
            "score": "log max-softmax, higher = more in-distribution",
            "positive_class": "in-distribution: 10000 test images",
            "negative_class": "out-of-distribution: dtd (600 images, far), svhn (600 images, given)",
            "sets": {
                "dtd": {"group": "far", "n": 600, "auroc": (0.912, 0.905, 0.861)[index], "fpr95": 0.41 + index / 100},
                "svhn": {"group": "given", "n": 600, "auroc": (0.88, 0.873, 0.841)[index], "fpr95": 0.5},
            },
        }
    if name == "fidelity":
        return {"fidelity_r2": (0.812, 0.819, 0.741)[index]}
    if name == "stability":
        return {"stability_relative": (0.031, 0.033, 0.049)[index]}
    return {}


def _sides(index: int) -> dict[str, Any]:
    lost, gained = (120, 700)[index - 1], (100, 120)[index - 1]
    change = (gained - lost) / 10000
    return {
        "changed": {
            "lost": {"n": lost, "images": list(range(7, 107))},
            "gained": {"n": gained, "images": list(range(200, 300))},
        },
        "by_class": {
            "confidence": 0.95,
            "method": "Newcombe 1998, method 10; Bonferroni over the classes",
            "n": [3000, 3000, 4000],
            "lost": [lost, 0, 0],
            "gained": [0, 0, gained],
            "dense": [0.92, 0.93, 0.91],
            "own": [0.92 - lost / 3000, 0.93, 0.91 + gained / 4000],
            "difference": [-lost / 3000, 0.0, gained / 4000],
            "lower": [-lost / 3000 - 0.02, -0.02, gained / 4000 - 0.02],
            "upper": [-lost / 3000 + 0.02, 0.02, gained / 4000 + 0.02],
        },
        "correct": round(10000 * (0.919 + change)),
    }


def _bin(position: int, index: int) -> dict[str, Any]:
    count = (0, 0, 3, 12, 31, 48, 77, 91, 104, 131, 160, 212, 310, 741, 8080)[position]
    middle = (position + 0.5) / 15
    return {
        "lower": position / 15,
        "upper": (position + 1) / 15,
        "count": count,
        "confidence": middle if count else None,
        "accuracy": max(0.0, middle - 0.09 + 0.02 * index + 0.03 * (position % 3)) if count else None,
    }
