"""Evaluation: what `evaluate` returns, and its file."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from sparsescope.errors import InputError, OptionError
from sparsescope.files import read_json, write_atomically
from sparsescope.results.pairs import Pair, Pairs
from sparsescope.results.records import BenchmarkInfo, Cost, MetricResult, ModelInfo, Radar, Record, Verdict

__all__ = ["SCHEMA", "Evaluation", "json_schema"]

SCHEMA: Literal["sparsescope.evaluation/1"] = "sparsescope.evaluation/1"


class Evaluation(Record):
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
    pairs: tuple[Pair, ...] = ()
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
        expected = Pairs.of_one_dense(names)
        if not self.pairs:  # files of version 0.1 do not say what goes without saying
            object.__setattr__(self, "pairs", expected.pairs)
        if self.pairs != expected.pairs:
            raise ValueError(f"expected every candidate paired with {names[0]}, in the order of the models")
        self._check_entries()
        return self

    def _check_entries(self) -> None:
        candidates = [pair.candidate for pair in self.pairs]
        for metric in self.metrics:
            for field, wanted in (("values", [model.name for model in self.models]), ("differences", candidates)):
                if set(getattr(metric, field)) != set(wanted):
                    raise ValueError(f"expected {field} of {metric.name} for {wanted}")
        if set(self.verdicts) != set(candidates):
            raise ValueError(f"expected verdicts for {candidates}")

    def __getitem__(self, metric: str) -> MetricResult:
        for result in self.metrics:
            if result.name == metric:
                return result
        raise OptionError(f"Expected one of {[result.name for result in self.metrics]}, but got {metric!r}.")

    @property
    def dense(self) -> ModelInfo:
        """The dense model."""
        return next(model for model in self.models if model.role == "dense")

    @property
    def candidates(self) -> tuple[ModelInfo, ...]:
        """The candidates, in the order given."""
        return tuple(model for model in self.models if model.role == "candidate")

    def pair(self, candidate: str) -> Pair:
        """Return what a candidate is compared with, by its name."""
        return Pairs(tuple(model.name for model in self.models), self.pairs).of(candidate)

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
