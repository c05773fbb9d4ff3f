"""One metric of an evaluation: its facts, values, differences and details."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from sparsescope.errors import InputError, OptionError
from sparsescope.results.base import (
    LARGEST,
    Count,
    Finite,
    OptionalFloat,
    OptionalInterval,
    PlainDict,
    Record,
    plain,
    writable,
)
from sparsescope.results.details import READABLE, Details, ScaleFree
from sparsescope.results.reading import explained
from sparsescope.results.records import Dimension, LookTaken, MarginKind
from sparsescope.units import Estimate

__all__ = ["BROKE", "Difference", "MetricResult", "MetricValue"]

BROKE = "it broke: "
"""How the reason begins where a measurement raised an error that nobody expected."""

PERCENT_UNITS = ("fraction", "probability")
"""Units whose numbers are shown in percent."""
PlainDetails = Annotated[dict[str, dict[str, Any]], BeforeValidator(plain), AfterValidator(writable)]


class MetricValue(Record):
    """A metric's value for one model; `reason` says why where it was not evaluated."""

    status: Literal["measured", "not evaluated"]
    reason: str | None = None
    value: OptionalFloat = None
    interval: OptionalInterval = None
    standard_error: OptionalFloat = None
    n: Count | None = None

    @property
    def broke(self) -> bool:
        """Whether it was not evaluated because of an error that nobody expected, and not for a known reason."""
        return self.status == "not evaluated" and (self.reason or "").startswith(BROKE)

    @model_validator(mode="after")
    def _measured_where_there_is_a_value(self) -> Self:
        if self.status == "not evaluated" and self.value is not None:
            raise ValueError(f"expected no value where the status is not evaluated, but got {self.value}")
        return self


class Difference(Record):
    """Candidate minus dense, in the metric's own unit, not oriented; None where either was not evaluated.

    Where the values are biased (ECE, SCE), the interval lies around `debiased`, the difference of the estimates without
    most of that bias (`debiased` in the details), and holds the value; else `debiased` is None.

    What the verdict compares: `interval` with an absolute margin. With a relative margin m, whose size is an estimate
    too, `from_margin` with 0: the interval of candidate - (dense - m |dense|) where higher is better, of candidate -
    (dense + m |dense|) where lower is; None in older files. Nothing where `undecided` says why the intervals decide
    nothing. `lost` and `gained` count the units that only dense, and only the candidate, gets right, where the value is
    a share of units; the interval follows from them and n.

    `look` where measuring went on until this was decided: at which look its intervals were made, and with which level.
    """

    value: OptionalFloat = None
    interval: OptionalInterval = None
    standard_error: OptionalFloat = None
    debiased: OptionalFloat = None
    from_margin: OptionalInterval = None
    lost: Count | None = None
    gained: Count | None = None
    undecided: str | None = None
    look: LookTaken | None = None

    @property
    def estimate(self) -> float | None:
        """What the interval lies around."""
        return self.value if self.debiased is None else self.debiased


class MetricResult(Record):
    """One metric over all models: the facts of its class, what was measured, and details that follow its type."""

    name: str
    label: str
    sentence: str = ""
    dimension: Dimension
    unit: str
    higher_is_better: bool
    source: str
    options: PlainDict
    in_verdict: bool
    margin: Annotated[Finite, Field(ge=0)]
    margin_kind: MarginKind
    scale_free: ScaleFree | None = None
    values: dict[str, MetricValue]
    differences: dict[str, Difference]
    details: PlainDetails = Field(default={})
    replicates: Count = 0

    @model_validator(mode="before")
    @classmethod
    def _scale_free_of_older_files(cls, content: Any) -> Any:
        """Evaluations written before they stated the scale-free version have it among their details all the same."""
        if not isinstance(content, dict) or "scale_free" in content:
            return content
        kind = READABLE.get(str(content.get("name")))
        return {**content, "scale_free": kind.scale_free} if kind else content

    @model_validator(mode="after")
    def _details_can_be_read(self) -> Self:
        for model in self.details:
            try:
                self.read(model)
            except ValidationError as error:
                raise ValueError(f"details of {self.name} for {model}: {explained(error.errors()[0])}") from error
            self.scale_free_value(model)
        return self

    @property
    def broke(self) -> bool:
        """Whether it broke for any model; see `MetricValue.broke`."""
        return any(value.broke for value in self.values.values())

    @property
    def is_debiased(self) -> bool:
        """Whether an interval of a difference lies around an estimate with less bias than the value."""
        return any(difference.debiased is not None for difference in self.differences.values())

    @property
    def in_percent(self) -> bool:
        """Whether its numbers are shown in percent."""
        return self.unit in PERCENT_UNITS

    def read(self, model: str) -> Details | None:
        """Return a model's details as what plots and reports read of them; None for a metric without such a type."""
        kind, found = READABLE.get(self.name), self.details.get(model)
        return None if kind is None or found is None else kind.model_validate(found)

    def scale_free_value(self, model: str) -> float | None:
        """Return a model's value in the scale-free version; None where there is none or it is undefined."""
        if self.scale_free is None:
            return None
        value: float | None = self.details.get(model, {}).get(self.scale_free.key)
        if not isinstance(value, int | float | None) or abs(value or 0) > LARGEST:
            where = f"details of {self.name} for {model}: {self.scale_free.key}"
            raise ValueError(f"{where}: expected a number, but got {value!r}")
        return value

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
