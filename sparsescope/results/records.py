"""The records that an evaluation is made of: models, metrics, differences, verdicts."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from sparsescope.errors import InputError, OptionError
from sparsescope.units import Estimate

__all__ = [
    "BenchmarkInfo",
    "Cost",
    "Difference",
    "ImageSetInfo",
    "Interval",
    "LayerInfo",
    "MetricResult",
    "MetricValue",
    "MetricVerdict",
    "ModelInfo",
    "Outcome",
    "PaperVerdict",
    "Radar",
    "Record",
    "SparsityInfo",
    "Verdict",
    "plain",
]

Outcome = Literal["pass", "fail", "inconclusive", "not evaluated"]
Interval = tuple[float, float]


def plain(value: Any) -> Any:
    """Return `value` with numpy scalars and arrays as Python numbers and lists, and nan and infinity as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _finite_interval(value: Any) -> Any:
    ends = plain(value)
    return None if isinstance(ends, list) and None in ends else value


# JSON has no nan or infinity: they become None here, on construction, so that a saved evaluation loads as its equal.
OptionalFloat = Annotated[float | None, BeforeValidator(plain)]
OptionalInterval = Annotated[Interval | None, BeforeValidator(_finite_interval)]
PlainDict = Annotated[dict[str, Any], BeforeValidator(plain)]


def _without_example(schema: dict[str, Any]) -> None:
    """Take the Python example of the docstring out of the JSON Schema's description, in place."""
    schema["description"] = schema.get("description", "").partition("\n\nExample:")[0]


class Record(BaseModel):
    """Plain, frozen values."""

    model_config = ConfigDict(  # later versions may add fields
        frozen=True, extra="ignore", populate_by_name=True, json_schema_extra=_without_example
    )


class ImageSetInfo(Record):
    """An image set: `n` images of `shape` (C, H, W); out-of-distribution sets and corruptions are `parts` of one."""

    n: int
    shape: tuple[int, int, int]
    source: str
    parts: dict[str, int] = {}


class BenchmarkInfo(Record):
    """The benchmark; keys of `sets`: test, train, corrupted, ood, probe."""

    name: str
    fingerprint: str
    classes: tuple[str, ...] = ()
    sets: dict[str, ImageSetInfo]


class LayerInfo(Record):
    """Sparsity (fraction removed) of one weight tensor."""

    name: str
    shape: tuple[int, ...]
    sparsity: float


class SparsityInfo(Record):
    """Fraction removed of the prunable weights, of all parameters, and per layer."""

    prunable: float
    total: float
    layers: tuple[LayerInfo, ...]


class ModelInfo(Record):
    """One evaluated model."""

    name: str
    role: Literal["dense", "candidate"]
    path: str | None
    sha256: str | None
    architecture: str | None
    parameters: int
    nonzero: int
    sparsity: SparsityInfo
    warnings: tuple[str, ...] = ()


class MetricValue(Record):
    """A metric's value for one model; `reason` says why where it was not evaluated."""

    status: Literal["measured", "not evaluated"]
    reason: str | None = None
    value: OptionalFloat = None
    interval: OptionalInterval = None
    standard_error: OptionalFloat = None
    n: int | None = None


class Difference(Record):
    """Candidate minus dense, in the metric's own unit, not oriented; None where either was not evaluated.

    Where the values are biased (ECE, SCE), the interval lies around `debiased`, the difference of the estimates without
    most of that bias (`debiased` in the details), and holds the value; else `debiased` is None.
    """

    value: OptionalFloat = None
    interval: OptionalInterval = None
    standard_error: OptionalFloat = None
    debiased: OptionalFloat = None

    @property
    def estimate(self) -> float | None:
        """What the interval lies around."""
        return self.value if self.debiased is None else self.debiased


class MetricResult(Record):
    """One metric over all models."""

    name: str
    label: str
    dimension: Literal["generalization", "calibration", "interpretability", "geometry"]
    unit: str
    higher_is_better: bool
    source: str
    options: PlainDict
    in_verdict: bool
    margin: float
    margin_kind: Literal["absolute", "relative"]
    values: dict[str, MetricValue]
    differences: dict[str, Difference]
    details: PlainDict = {}
    replicates: int = 0

    def value(self, model: str) -> Estimate:
        """Return the value of one model; raises InputError where it was not evaluated."""
        return self._estimate(model, self.values, model)

    def difference(self, candidate: str) -> Estimate:
        """Return candidate - dense, not oriented; raises InputError where it was not evaluated."""
        return self._estimate(candidate, self.differences, candidate)

    def _estimate(self, model: str, entries: Mapping[str, MetricValue | Difference], name: str) -> Estimate:
        if name not in entries:
            raise OptionError(f"Expected one of {list(entries)}, but got {name!r}.")
        entry = entries[name]
        if entry.value is None:
            reasons = [value.reason for value in self.values.values() if value.reason]
            raise InputError(f"{self.name} was not evaluated: {'; '.join(dict.fromkeys(reasons)) or 'no value'}.")
        n = self.values[model].n or 0
        return Estimate(entry.value, entry.interval, entry.standard_error, n, self.replicates)


class MetricVerdict(Record):
    """Whether one metric matches dense to within its margin."""

    outcome: Outcome
    margin: float
    margin_kind: Literal["absolute", "relative"]
    reason: str | None = None


class PaperVerdict(Record):
    """The paper's own reading: point estimates, no uncertainty."""

    outcome: Outcome
    metrics: dict[str, Outcome]


class Verdict(Record):
    """LTH-PASS or not, for one candidate.

    `partial` where it does not cover every metric of the full verdict; `constant` where the candidate gives every image
    the same answer, and so fails whatever its metrics say.

    Example:
        >>> import numpy as np
        >>> import sparsescope as ss
        >>> from torch import nn
        >>> images = np.random.default_rng(0).integers(0, 256, (9, 4, 4), dtype=np.uint8)
        >>> benchmark = ss.Benchmark("noise", ss.ArrayImages(images, np.arange(9) % 2))
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
        >>> verdict = ss.evaluate(model, [model], benchmark, metrics=["accuracy"], cache=False).verdict("sparse")
        >>> verdict.outcome, verdict.partial
        ('pass', True)
    """

    outcome: Outcome
    policy: str
    confidence: float
    partial: bool
    constant: bool = False
    statement: str
    dimensions: dict[str, Outcome]
    metrics: dict[str, MetricVerdict]
    paper: PaperVerdict


class Radar(Record):
    """Normalised values, outward is better; `bands` are intervals on the same scale."""

    normalisation: Literal["minmax", "ratio"]
    axes: tuple[str, ...]
    values: dict[str, tuple[OptionalFloat, ...]]
    bands: dict[str, tuple[OptionalInterval, ...]] = {}


class Cost(Record):
    """What the evaluation took: images forward and backward, and how many jobs came from the cache."""

    seconds: float
    forward_passes: int
    backward_passes: int
    cached: int
