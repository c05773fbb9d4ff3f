"""Mean corruption error (mCE): errors under corruption, relative to the dense model's."""

from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator
from pydantic.dataclasses import dataclass
from typing_extensions import override

from sparsescope.benchmark import Benchmark
from sparsescope.corruptions import EXTRA, STANDARD
from sparsescope.measurements.base import Measured, Measurement
from sparsescope.measurements.corrupted_predictions import CorruptedPredictions
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.base import OPTIONS, Dimension, IntervalKind, Metric, Reads
from sparsescope.metrics.calibration_under_shift import ece_table, nll_table, sce_table
from sparsescope.units import FloatArray, Units

__all__ = ["CorruptionError"]


@dataclass(frozen=True, config=OPTIONS)
class CorruptionError(Metric):
    """Mean corruption error, (1/|C|) sum_c [sum_s E_sc] / [sum_s E_sc of the dense model].

    E_sc is the error rate under corruption c at severity s, over the images seen under it; the dense model's own value
    is exactly 1. A corruption under which the dense model makes no error is left out of the mean and listed in the
    details. Source: Hendrycks & Dietterich 2019, with the dense model in place of AlexNet.

    Args:
        corruptions: names, as in `sparsescope.corruptions`; default: the 15 standard ones.
        severities: from 1 to 5.
        images: how many test images, drawn stratified by class; None means all.
        cells_per_image: how many of the corruption × severity cells each image is seen under; None means all.
    """

    name: ClassVar[str] = "corruption_error"
    label: ClassVar[str] = "mCE"
    sentence: ClassVar[str] = (
        "Error under noise, blur, weather and compression, as a ratio to the dense model's error: the mean over "
        "corruptions."
    )
    dimension: ClassVar[Dimension] = "generalization"
    higher_is_better: ClassVar[bool] = False
    unit: ClassVar[str] = "ratio to dense"
    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, None)
    source: ClassVar[str] = "Hendrycks & Dietterich 2019"
    margin: ClassVar[float] = 0.02
    interval: ClassVar[IntervalKind] = "jackknife"

    corruptions: Annotated[tuple[str, ...], Field(min_length=1)] = STANDARD
    severities: Annotated[tuple[Annotated[int, Field(ge=1, le=5)], ...], Field(min_length=1)] = (1, 2, 3, 4, 5)
    images: Annotated[int, Field(ge=1)] | None = None
    cells_per_image: Annotated[int, Field(ge=1)] | None = 15

    @field_validator("corruptions", "severities")
    @classmethod
    def _distinct(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(values)) < len(values):
            raise ValueError("Input should be free of repetitions")
        return values

    @field_validator("corruptions")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not {*names} <= {*STANDARD, *EXTRA}:
            raise ValueError(f"Input should be names among {', '.join((*STANDARD, *EXTRA))}")
        return names

    @override
    @property
    def reads(self) -> Reads:
        return "order"

    @override
    def measurements(self, benchmark: Benchmark) -> tuple[Measurement, ...]:
        return self._corrupted, Predictions("test")

    @override
    def by_index(self, benchmark: Benchmark) -> tuple[Measurement, ...]:
        """Clean predictions, where only some of the images are corrupted; else they are of the same images."""
        return () if self.images is None else (Predictions("test"),)

    @property
    def _corrupted(self) -> CorruptedPredictions:
        return CorruptedPredictions(self.corruptions, self.severities, self.images, self.cells_per_image)

    @override
    def units(self, own: Measured, dense: Measured, benchmark: Benchmark) -> Units:
        """Arrays: `error`, `dense_error`, `observed` bool and `confidence`, `nll` float32, all (n, C, S).

        And `clean_error`, `dense_clean_error` bool (n,), `label` int64 (n,); `probabilities` as in
        `CorruptedPredictions`.
        """
        arrays, parent = own[self._corrupted], dense[self._corrupted]
        rows = slice(None) if self.images is None else arrays["image"]
        return Units(
            {self._corrupted.population: len(arrays["image"])},
            {
                "error": arrays["error"],
                "dense_error": parent["error"],
                "observed": arrays["observed"],
                "confidence": arrays["confidence"],
                "nll": arrays["nll"],
                **{name: arrays[name] for name in ("probabilities",) if name in arrays},
                "label": own[Predictions("test")]["label"][rows],
                "clean_error": _clean_errors(own)[rows],
                "dense_clean_error": _clean_errors(dense)[rows],
            },
        )

    @override
    def reduce(self, units: Units, weights: FloatArray) -> FloatArray:
        """Nan where the dense model makes no error at all."""
        own, dense = (_rates(units, which, weights).sum(axis=-1) for which in ("error", "dense_error"))
        return _mean_ratio(own, dense)

    @override
    def debiased(self, units: Units, weights: FloatArray) -> FloatArray:
        """Return the mCE without the bias of its ratios: with few images in a cell, the mean of N / D is not R.

        To second order that bias is (R var(D) - cov(N, D)) / D^2, from the images' own parts in N and D (Cochran 1977,
        section 6.8). It is that of the images themselves, also where the weights resample them.
        """
        return self.reduce(units, weights) - self._bias(units)

    @staticmethod
    def _bias(units: Units) -> FloatArray:
        uniform = units.uniform_weights()
        counts = np.maximum(units["observed"].sum(axis=0), 1)
        (own, own_parts), (dense, dense_parts) = (
            (rates.sum(axis=-1), ((units[which] - rates) * units["observed"] / counts).sum(axis=-1))
            for which in ("error", "dense_error")
            for rates in [_rates(units, which, uniform)]
        )
        variance, covariance = (dense_parts**2).sum(axis=0), (own_parts * dense_parts).sum(axis=0)
        return _mean_ratio(own * variance - covariance * dense, dense**3)

    @override
    def details(self, units: Units) -> dict[str, Any]:
        """Return the corruption × severity table and the numbers read beside the mCE; intervals lie around `debiased`.

        `corruptions` holds, per corruption, the number of images and both models' error rates at every severity (None
        where no image was seen), this model's `ece`, `sce` and `nll` there, and `ce`, the ratio of the summed error
        rates (None if left out). `mean_error` is not normalised. ECE, SCE (15 bins; biased upward where a cell has few
        images) and NLL are those of the metrics of these names; `mean_ece`, `mean_sce`, `mean_nll` are means over the
        cells. The SCE is None with more classes than `CorruptedPredictions` keeps probabilities of.
        `relative_mce` compares the rises over the clean error, (1/|C|) sum_c [sum_s (E_sc - E_clean)] / [the same of
        the dense model], over the corruptions that raise the dense model's error.
        """
        uniform = units.uniform_weights()
        counts = units["observed"].sum(axis=0)
        own, dense = (_rates(units, which, uniform) for which in ("error", "dense_error"))
        clean, dense_clean = (float(units[which].mean()) for which in ("clean_error", "dense_clean_error"))
        seen = (counts > 0).sum(axis=-1)
        rise = own.sum(axis=-1) - seen * clean
        dense_rise = dense.sum(axis=-1) - seen * dense_clean
        left_out = dense.sum(axis=-1) == 0
        calibration = {"ece": ece_table(units), "sce": sce_table(units), "nll": nll_table(units)}
        return {
            "debiased": float(self.debiased(units, uniform)),
            "severities": list(self.severities),
            "corruptions": {
                name: {
                    "images": counts[row].tolist(),
                    "error": _finite(np.where(counts[row] > 0, own[row], np.nan)),
                    "dense_error": _finite(np.where(counts[row] > 0, dense[row], np.nan)),
                    **{key: None if table is None else _finite(table[row]) for key, table in calibration.items()},
                    "ce": None if left_out[row] else float(own[row].sum() / dense[row].sum()),
                }
                for row, name in enumerate(self.corruptions)
            },
            "left_out": [name for name, out in zip(self.corruptions, left_out, strict=True) if out],
            "mean_error": float(own.sum() / seen.sum()),
            "dense_mean_error": float(dense.sum() / seen.sum()),
            **{
                f"mean_{key}": None if table is None else float(np.nanmean(table)) for key, table in calibration.items()
            },
            "clean_error": clean,
            "dense_clean_error": dense_clean,
            "relative_mce": float(_mean_ratio(rise, dense_rise)) if (dense_rise > 0).any() else None,
        }


def _clean_errors(measured: Measured) -> NDArray[np.bool_]:
    arrays = measured[Predictions("test")]
    errors: NDArray[np.bool_] = arrays["logits"].argmax(axis=1) != arrays["label"]
    return errors


def _rates(units: Units, which: str, weights: FloatArray) -> FloatArray:
    """Return the weighted error rates (..., C, S); 0 in a cell without weight, so that it drops out of both sums."""
    observed = units["observed"]
    n, *table = observed.shape
    seen = weights @ observed.reshape(n, -1).astype(np.float64)
    wrong = weights @ units[which].reshape(n, -1).astype(np.float64)
    rates: FloatArray = wrong / np.where(seen > 0, seen, 1)
    return rates.reshape(*weights.shape[:-1], *table)


def _mean_ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Return the mean over the last axis of numerator / denominator where that is positive; nan where nowhere."""
    kept = denominator > 0
    ratios = np.where(kept, numerator, 0) / np.where(kept, denominator, 1)
    with np.errstate(invalid="ignore"):
        mean: FloatArray = ratios.sum(axis=-1) / kept.sum(axis=-1)
    return mean


def _finite(numbers: FloatArray) -> list[float | None]:
    return [float(number) if np.isfinite(number) else None for number in numbers]
