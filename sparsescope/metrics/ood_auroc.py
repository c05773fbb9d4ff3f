"""Out-of-distribution detection by a score of the logits: maximum softmax probability, maximum logit or energy."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator
from pydantic.dataclasses import dataclass
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.errors import NotEvaluated
from sparsescope.measurements.base import Measured
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.base import OPTIONS, Dimension, Metric, Reads
from sparsescope.metrics.ranking import auroc, average_precision, false_positive_rate
from sparsescope.softmax import log_max_softmax, log_normaliser
from sparsescope.specs import listed
from sparsescope.units import FloatArray, Units

__all__ = ["SCORES", "OodAuroc", "Score"]


class Score(NamedTuple):
    """A score of the logits: the higher, the more a test image.

    Args:
        of: logits (n, K) -> score float64 (n,).
        words: what it is, in words.
    """

    of: Callable[[NDArray[Any]], FloatArray]
    words: str


SCORES: dict[str, Score] = {
    "max_softmax": Score(log_max_softmax, "log max-softmax"),
    "max_logit": Score(lambda logits: logits.max(axis=1).astype(np.float64), "maximum logit"),
    "energy": Score(log_normaliser, "negative energy (log-sum-exp of the logits)"),
}


def _known(score: str) -> str:
    if score not in SCORES:
        raise ValueError(f"Input should be {listed(map(repr, SCORES))}")
    return score


@dataclass(frozen=True, config=OPTIONS)
class OodAuroc(Metric):
    """Area under the ROC curve of test against out-of-distribution images, the mean over the sets.

    The test images are the positive class; every score is higher for the positive class; ties count half. All scores
    are float64. The sets count alike, whatever their sizes. A set in `Benchmark.ood_outputs`, such as ImageNet-O, is
    judged on the logits of its classes, cut before the softmax, against the test images of these classes (Hendrycks et
    al. 2021a).

    Args:
        score: `max_softmax`, log max_k softmax(z)_k of the logits z (Hendrycks & Gimpel 2017, as used by Chen et al.
            2022); `max_logit`, max_k z_k (Hendrycks et al. 2022); or `energy`, log sum_k exp(z_k), which is minus the
            energy at temperature 1 of Liu et al. 2020.
    """

    name: ClassVar[str] = "ood_auroc"
    label: ClassVar[str] = "OoD AUROC"
    sentence: ClassVar[str] = (
        "Chance that a test image gets a higher score (confidence, unless chosen otherwise) than an out-of-"
        "distribution image, the mean over the sets; 0.5 is guessing."
    )
    dimension: ClassVar[Dimension] = "generalization"
    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = "area"
    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, 1.0)
    labeled: ClassVar[bool] = False
    source: ClassVar[str] = "Hendrycks & Gimpel 2017"
    margin: ClassVar[float] = 0.01

    score: Annotated[str, AfterValidator(_known)] = "max_softmax"

    @override
    @property
    def reads(self) -> Reads:
        return "probabilities" if self.score == "max_softmax" else "logits"

    @override
    def check(self, benchmark: Benchmark) -> None:
        for name, images in benchmark.ood.items():
            if (same := benchmark.copies.get(f"ood:{name}")) is not None:
                raise NotEvaluated(f"the out-of-distribution set {name} has the same images as {same}: leave it out")
            if len(images) < 2:
                raise NotEvaluated(f"the out-of-distribution set {name} has a single image")

    @override
    def measurements(self, benchmark: Benchmark) -> tuple[Predictions, ...]:
        if not benchmark.ood:
            raise NotEvaluated("no out-of-distribution images (give --ood SPEC)")
        return Predictions("test"), *(Predictions(f"ood:{name}") for name in benchmark.ood)

    @override
    def units(self, own: Measured, dense: Measured, benchmark: Benchmark) -> Units:
        """Strata `test` and `ood:NAME` of each set.

        Arrays: one for each of `SCORES`, float64 (n,); `group`, the set's group as text (n,), empty for
        test images. A set that is judged on some of the outputs has its scores of these; `SCORE beside ood:NAME` then
        holds the same scores of the test images of these classes, and nan elsewhere.
        """
        test, *sets = self.measurements(benchmark)
        strata = {test.population: len(own[test]["logits"])}
        parts = {score_name: [score.of(own[test]["logits"])] for score_name, score in SCORES.items()}
        groups, beside = [np.full(strata["test"], "", dtype="U5")], {}
        for measurement in sets:
            stratum, logits = measurement.population, own[measurement]["logits"]
            name = stratum.removeprefix("ood:")
            strata[stratum] = len(logits)
            groups.append(np.full(len(logits), benchmark.ood_groups.get(name, "given"), dtype="U5"))
            outputs = benchmark.ood_outputs.get(name)
            if outputs is not None:
                rows = np.flatnonzero(np.isin(own[test]["label"], outputs))
                beside[stratum] = (rows, own[test]["logits"][rows][:, list(outputs)])
                logits = logits[:, list(outputs)]
            for score_name, score in SCORES.items():
                parts[score_name].append(score.of(logits))
        arrays: dict[str, NDArray[Any]] = {score: np.concatenate(chunks) for score, chunks in parts.items()}
        for stratum, (rows, logits) in beside.items():
            for score_name, score in SCORES.items():
                arrays[_beside(score_name, stratum)] = column = np.full(sum(strata.values()), np.nan)
                column[rows] = score.of(logits)
        return Units(strata, arrays | {"group": np.concatenate(groups)})

    @override
    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        areas = [_auroc(units, self.score, stratum, weights) for stratum in _ood_strata(units)]
        mean: FloatArray = np.mean(areas, axis=0)
        return mean

    @override
    def details(self, units: Units) -> dict[str, Any]:
        """Return sign, positive class and sets in words, and the numbers of every set, of every group and their means.

        `aupr_in` has the test images as the positive class, `aupr_out` the others with the score negated. `fpr95` is
        the share of out-of-distribution images accepted where at least 95 % of the test images are. `NAME_auroc` is
        the AUROC by each of the scores. `groups` holds means over the sets of a group.
        """
        sets = {stratum.removeprefix("ood:"): self._set_details(units, stratum) for stratum in _ood_strata(units)}
        found = dict.fromkeys(numbers["group"] for numbers in sets.values())
        members = {group: [name for name in sets if sets[name]["group"] == group] for group in found}
        return {
            "score": f"{SCORES[self.score].words}, higher = more in-distribution",
            "positive_class": f"in-distribution: {units.strata['test']} test images" + _cut_in_words(units),
            "negative_class": "out-of-distribution: "
            + ", ".join(f"{name} ({numbers['n']} images, {numbers['group']})" for name, numbers in sets.items()),
            "sets": sets,
            "groups": {group: {"sets": names, **_means(sets, names)} for group, names in members.items()},
            **{f"mean_{key}": value for key, value in _means(sets, list(sets)).items() if key != "auroc"},
        }

    def _set_details(self, units: Units, stratum: str) -> dict[str, Any]:
        uniform = units.uniform_weights()
        inside, _ = _inside(units, self.score, stratum)
        outside = units[self.score][units.rows(stratum)]
        return {
            "group": str(units["group"][units.rows(stratum)][0]),
            "n": len(outside),
            "n_in": len(inside),
            "auroc": float(_auroc(units, self.score, stratum, uniform)),
            "aupr_in": average_precision(inside, outside),
            "aupr_out": average_precision(-outside, -inside),
            "fpr95": false_positive_rate(inside, outside, 0.95),
            **{f"{score}_auroc": float(_auroc(units, score, stratum, uniform)) for score in SCORES},
        }


def _auroc(units: Units, score: str, stratum: str, weights: FloatArray) -> FloatArray:
    inside, rows = _inside(units, score, stratum)
    outside = units.rows(stratum)
    return auroc(inside, units[score][outside], weights[..., rows], weights[..., outside])


def _inside(units: Units, score: str, stratum: str) -> tuple[FloatArray, NDArray[np.intp]]:
    """Return the scores (m,) of the test images that a set is held against, and their rows (m,)."""
    column = units.arrays.get(_beside(score, stratum))
    if column is None:
        return units[score][units.rows("test")], np.arange(units.strata["test"])
    rows = np.flatnonzero(np.isfinite(column))
    return column[rows], rows


def _beside(score: str, stratum: str) -> str:
    return f"{score} beside {stratum}"


def _cut_in_words(units: Units) -> str:
    cut = [name for name in _ood_strata(units) if _beside("max_softmax", name) in units.arrays]
    numbers = [f"{len(_inside(units, 'max_softmax', name)[1])} beside {name.removeprefix('ood:')}" for name in cut]
    return f" ({', '.join(numbers)}, on the outputs of its classes)" if cut else ""


def _means(sets: dict[str, dict[str, Any]], names: list[str]) -> dict[str, float]:
    keys = ("auroc", "aupr_in", "aupr_out", "fpr95")
    return {key: float(np.mean([sets[name][key] for name in names])) for key in keys}


def _ood_strata(units: Units) -> list[str]:
    return [name for name in units.strata if name != "test"]
