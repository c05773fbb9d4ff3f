"""Evaluation: plain numbers and texts, and their JSON (`sparsescope.evaluation/1`). Everything after the measurements —
verdict, plots, report — reads these and nothing else. No torch."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from sparsescope.errors import InputError, OptionError
from sparsescope.files import read_json, write_atomically
from sparsescope.units import Estimate

__all__ = [
    "SCHEMA",
    "BenchmarkInfo",
    "Cost",
    "Difference",
    "Evaluation",
    "ImageSetInfo",
    "LayerInfo",
    "MetricResult",
    "MetricValue",
    "MetricVerdict",
    "ModelInfo",
    "Outcome",
    "PaperVerdict",
    "Radar",
    "SparsityInfo",
    "Verdict",
    "json_schema",
    "plain",
]

SCHEMA: Literal["sparsescope.evaluation/1"] = "sparsescope.evaluation/1"

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


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)  # later versions may add fields


class ImageSetInfo(_Record):
    """An image set: `n` images of `shape` (C, H, W); out-of-distribution sets and corruptions are `parts` of one."""

    n: int
    shape: tuple[int, int, int]
    source: str
    parts: dict[str, int] = {}


class BenchmarkInfo(_Record):
    """The benchmark; keys of `sets`: test, train, corrupted, ood, probe."""

    name: str
    fingerprint: str
    classes: tuple[str, ...] = ()
    sets: dict[str, ImageSetInfo]


class LayerInfo(_Record):
    """Sparsity (fraction removed) of one weight tensor."""

    name: str
    shape: tuple[int, ...]
    sparsity: float


class SparsityInfo(_Record):
    """Fraction removed of the prunable weights, of all parameters, and per layer."""

    prunable: float
    total: float
    layers: tuple[LayerInfo, ...]


class ModelInfo(_Record):
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


class MetricValue(_Record):
    """A metric's value for one model; `reason` says why where it was not evaluated."""

    status: Literal["measured", "not evaluated"]
    reason: str | None = None
    value: OptionalFloat = None
    interval: OptionalInterval = None
    standard_error: OptionalFloat = None
    n: int | None = None


class Difference(_Record):
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


class MetricResult(_Record):
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


class MetricVerdict(_Record):
    """Whether one metric matches dense to within its margin."""

    outcome: Outcome
    margin: float
    margin_kind: Literal["absolute", "relative"]
    reason: str | None = None


class PaperVerdict(_Record):
    """The paper's own reading: point estimates, no uncertainty."""

    outcome: Outcome
    metrics: dict[str, Outcome]


class Verdict(_Record):
    """LTH-PASS or not, for one candidate.

    `partial` where it does not cover every metric of the full verdict; `constant` where the candidate gives every image
    the same answer, and so fails whatever its metrics say.
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


class Radar(_Record):
    """Normalised values, outward is better; `bands` are intervals on the same scale."""

    normalisation: Literal["minmax", "ratio"]
    axes: tuple[str, ...]
    values: dict[str, tuple[OptionalFloat, ...]]
    bands: dict[str, tuple[OptionalInterval, ...]] = {}


class Cost(_Record):
    """What the evaluation took: images forward and backward, and how many jobs came from the cache."""

    seconds: float
    forward_passes: int
    backward_passes: int
    cached: int


class Evaluation(_Record):
    """The result of `evaluate`: models, metrics with intervals, verdicts."""

    schema_: Literal["sparsescope.evaluation/1"] = Field(default=SCHEMA, alias="schema")
    version: str
    created: str
    preset: str
    seed: int
    confidence: float
    environment: dict[str, str]
    benchmark: BenchmarkInfo
    models: tuple[ModelInfo, ...]
    metrics: tuple[MetricResult, ...]
    verdicts: dict[str, Verdict]
    radar: Radar
    cost: Cost

    @model_validator(mode="after")
    def _names_agree(self) -> "Evaluation":
        names = [model.name for model in self.models]
        if [model.role for model in self.models] != ["dense", *["candidate"] * (len(names) - 1)] or not names:
            raise ValueError("expected one dense model, then the candidates")
        if len(set(names)) < len(names):
            raise ValueError(f"expected different names, but got {names}")
        expected = {"values": names, "differences": names[1:]}
        for metric in self.metrics:
            for field, wanted in expected.items():
                if set(getattr(metric, field)) != set(wanted):
                    raise ValueError(f"expected {field} of {metric.name} for {wanted}")
        if set(self.verdicts) != set(names[1:]):
            raise ValueError(f"expected verdicts for {names[1:]}")
        return self

    def __getitem__(self, metric: str) -> MetricResult:
        for result in self.metrics:
            if result.name == metric:
                return result
        raise OptionError(f"Expected one of {[result.name for result in self.metrics]}, but got {metric!r}.")

    @property
    def dense(self) -> ModelInfo:
        """The dense model."""
        return self.models[0]

    @property
    def candidates(self) -> tuple[ModelInfo, ...]:
        """The candidates, in the order given."""
        return self.models[1:]

    def verdict(self, candidate: str) -> Verdict:
        """Return the verdict of one candidate, by its name."""
        if candidate not in self.verdicts:
            raise OptionError(f"Expected one of {list(self.verdicts)}, but got {candidate!r}.")
        return self.verdicts[candidate]

    def save(self, path: str | Path) -> None:
        """Write evaluation.json, atomically: a full disk leaves neither half a file nor loses an older one."""
        write_atomically(Path(path), (self.model_dump_json(indent=2, by_alias=True) + "\n").encode())

    @classmethod
    def load(cls, path: str | Path) -> "Evaluation":
        """Read evaluation.json; raises InputError, naming the file, if it is no such file or a damaged one."""
        try:
            content = read_json(path)
        except OSError as error:
            raise InputError(f"Cannot read {path}: {error.strerror}.") from error
        except ValueError as error:
            raise InputError(
                f"{path} is not JSON ({error}). Expected an evaluation.json; was it cut off or changed?"
            ) from error
        schema = content.get("schema") if isinstance(content, dict) else None
        if schema != SCHEMA:
            raise InputError(f'Expected {path} to have "schema": "{SCHEMA}", but got {schema!r}.')
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            place = "".join(f"{part}." for part in first["loc"]).rstrip(".") or "the file"
            raise InputError(f"{path} does not follow {SCHEMA}: {place}: {first['msg']}.") from error


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of evaluation.json."""
    schema = Evaluation.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
