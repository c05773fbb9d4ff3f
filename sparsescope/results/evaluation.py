"""Evaluation: what `evaluate` returns, and its file."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from sparsescope.errors import InputError, OptionError
from sparsescope.files import read_json, write_atomically
from sparsescope.results.records import BenchmarkInfo, Cost, MetricResult, ModelInfo, Radar, Record, Verdict

__all__ = ["SCHEMA", "Evaluation", "json_schema"]

SCHEMA: Literal["sparsescope.evaluation/1"] = "sparsescope.evaluation/1"


class Evaluation(Record):
    """The result of `evaluate`: models, metrics with intervals, verdicts.

    Example:
        >>> import copy
        >>> import sparsescope as ss
        >>> from sparsescope.architectures.digits_cnn import digits_cnn
        >>> dense = digits_cnn()
        >>> sparse = copy.deepcopy(dense)
        >>> ss.prune("omp", dense, sparsity=0.8).apply(sparse)
        >>> benchmark = ss.open_benchmark("digits")
        >>> evaluation = ss.evaluate(dense, [sparse], benchmark, metrics=["accuracy"], cache=False)
        >>> evaluation.save("evaluation.json")
        >>> evaluation = ss.Evaluation.load("evaluation.json")
        >>> evaluation["accuracy"].value("dense").n, [model.name for model in evaluation.candidates]
        (800, ['sparse'])
    """

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
        write_atomically(Path(path), self.to_json())

    def to_json(self) -> bytes:
        """Return the content of evaluation.json."""
        return (self.model_dump_json(indent=2, by_alias=True) + "\n").encode()

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
