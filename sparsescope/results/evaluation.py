"""Evaluation: what `evaluate` returns, and its file."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, model_validator

from sparsescope.errors import OptionError
from sparsescope.files import write_atomically
from sparsescope.results.agreement import check_agreement
from sparsescope.results.base import Record
from sparsescope.results.details import Details
from sparsescope.results.methods import Method
from sparsescope.results.metric import MetricResult
from sparsescope.results.pairs import Pair, Pairs
from sparsescope.results.reading import read_record
from sparsescope.results.records import BenchmarkInfo, Cost, ModelInfo, Radar, Verdict

__all__ = ["SCHEMA", "Evaluation", "json_schema"]

D = TypeVar("D", bound=Details)

SCHEMA: Literal["sparsescope.evaluation/1"] = "sparsescope.evaluation/1"


class Evaluation(Record):
    """The result of `evaluate`: models, metrics with intervals, verdicts; of `evaluate_pairs`, the method's too.

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
    confidence: Annotated[float, Field(gt=0, lt=1)]
    environment: dict[str, str]
    benchmark: BenchmarkInfo
    models: tuple[ModelInfo, ...]
    pairs: tuple[Pair, ...] = ()
    metrics: tuple[MetricResult, ...]
    verdicts: dict[str, Verdict]
    methods: dict[str, Method] = Field(default={})
    radar: Radar
    cost: Cost

    @model_validator(mode="after")
    def _parts_belong_together(self) -> Self:
        pairs = check_agreement(self.models, self.pairs, self.metrics, self.verdicts, self.methods, self.radar)
        object.__setattr__(self, "pairs", pairs)
        return self

    def __getitem__(self, metric: str) -> MetricResult:
        for result in self.metrics:
            if result.name == metric:
                return result
        raise OptionError(f"Expected one of {[result.name for result in self.metrics]}, but got {metric!r}.")

    @property
    def dense(self) -> ModelInfo:
        """The dense model; of several, the first."""
        return next(model for model in self.models if model.role == "dense")

    @property
    def candidates(self) -> tuple[ModelInfo, ...]:
        """The candidates, in the order given."""
        return tuple(model for model in self.models if model.role == "candidate")

    def sha256(self, model: str) -> str | None:
        """Return the digest of a model's file, by its name; None where it has none."""
        return next((each.sha256 for each in self.models if each.name == model), None)

    def pair(self, candidate: str) -> Pair:
        """Return what a candidate is compared with, by its name."""
        return Pairs(tuple(model.name for model in self.models), self.pairs).of(candidate)

    def verdict(self, candidate: str) -> Verdict:
        """Return the verdict of one candidate, or of a method, by its name."""
        known = {**self.verdicts, **self.deciding}
        if candidate not in known:
            raise OptionError(f"Expected one of {list(known)}, but got {candidate!r}.")
        return known[candidate]

    @property
    def deciding(self) -> dict[str, Verdict]:
        """The verdicts that a gate follows: on the method, where one is judged, else on every candidate."""
        return {name: method.verdict for name, method in self.methods.items()} or self.verdicts

    def details(self, kind: type[D]) -> dict[str, D]:
        """Return the details of the metric of `kind`, by model, dense first; empty where it was not measured."""
        metric = next((metric for metric in self.metrics if metric.name == kind.metric), None)
        found = {model.name: metric.read(model.name) for model in self.models} if metric else {}
        return {name: details for name, details in found.items() if isinstance(details, kind)}

    def save(self, path: str | Path) -> None:
        """Write evaluation.json, atomically: a full disk leaves neither half a file nor loses an older one."""
        write_atomically(Path(path), self.to_json())

    def to_json(self) -> bytes:
        """Return the content of evaluation.json."""
        return (self.model_dump_json(indent=2, by_alias=True) + "\n").encode()

    @classmethod
    def load(cls, path: str | Path) -> "Evaluation":
        """Read evaluation.json; raises InputError, naming the file, if it is no such file or a damaged one."""
        return read_record(cls, Path(path), schema=SCHEMA, name="an evaluation.json")


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of evaluation.json."""
    schema = Evaluation.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
