"""One metric of an evaluation: what is estimated of each model, and how the models differ.

Whatever a metric's own code raises, or gives that an evaluation cannot hold, costs one model of that metric.
"""

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
from pydantic import ValidationError

from sparsescope.errors import InputError, OptionError
from sparsescope.evaluation.bootstrap import estimate
from sparsescope.evaluation.broken import broke, costs
from sparsescope.evaluation.differences import Reduced, difference
from sparsescope.evaluation.settings import Margin, Settings
from sparsescope.metrics.base import Metric
from sparsescope.printable import printable
from sparsescope.results import Difference, MetricResult, MetricValue, Pair, Pairs, plain
from sparsescope.results.base import writable
from sparsescope.results.reading import explained
from sparsescope.units import Estimate, FloatArray, Units

__all__ = ["Estimated", "Judged", "options_of"]

_ROUNDING = 1e-9
"""How far beyond its bounds a value may lie, as a sum in floating point does."""


@dataclass(frozen=True)
class Estimated:
    """A metric of one model: units and bootstrap replicates, what is estimated of them, and what it says beside."""

    reduced: Reduced
    estimate: Estimate
    details: dict[str, Any]
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, metric: Metric, confidence: float, units: Units, replicates: FloatArray) -> "Estimated | None":
        """Return it, or None where the value is not finite; whatever the metric's code raises is not caught here."""
        found = Reduced.of(metric, units, replicates)
        if not np.isfinite(found.value):
            return None
        low, high = metric.bounds
        if (low is not None and found.value < low - _ROUNDING) or (high is not None and found.value > high + _ROUNDING):
            raise ValueError(f"Expected a value within the metric's bounds, {metric.bounds}, but got {found.value:g}.")
        estimated = estimate(
            found.value,
            replicates,
            units,
            confidence=confidence,
            kind=metric.interval,
            bounds=metric.bounds,
            debiased=found.debiased,
        )
        details, warnings = metric.details(units), metric.warnings(units, estimated)
        if not isinstance(details, Mapping) or not isinstance(warnings, tuple | list):
            raise TypeError(
                f"Expected a dict from details() and a tuple of texts from warnings(), but got {details!r:.40} and "
                f"{warnings!r:.40}."
            )
        return cls(found, estimated, plain(details), tuple(printable(text) for text in warnings))


@dataclass(frozen=True)
class Judged:
    """One metric: what is estimated of the models it could be measured of, and the reasons of the others."""

    metric: Metric
    models: Mapping[str, Estimated]
    reasons: Mapping[str, str]

    @classmethod
    def of(
        cls,
        metric: Metric,
        confidence: float,
        units: Mapping[str, Units],
        replicates: Mapping[str, FloatArray],
        reasons: Mapping[str, str],
    ) -> "Judged":
        """Return the metric with its estimates; what its code raises costs the model that it was about."""
        models, missing = {}, dict(reasons)
        for name, draws in replicates.items():
            with costs(name, missing):
                if (found := Estimated.of(metric, confidence, units[name], draws)) is not None:
                    models[name] = found
        return cls(metric, models, missing)

    def result(self, settings: Settings, pairs: Pairs, identical: Collection[str]) -> MetricResult:
        """Return the metric's result, without the models of which it gives what an evaluation cannot hold."""
        try:
            return self._result(settings, pairs, identical)
        except Exception as error:  # pydantic's own, and those of content nested too deeply
            left, missing = {}, dict(self.reasons)
            for name, found in self.models.items():
                with costs(name, missing), _in_words():
                    replace(self, models={name: found})._result(settings, pairs, identical)
                    left[name] = found
            if len(left) == len(self.models):  # each by itself is sound, so it is their difference
                left, missing = {}, {**missing, **dict.fromkeys(self.models, broke(error))}
            return replace(self, models=left, reasons=missing)._result(settings, pairs, identical)

    def _result(self, settings: Settings, pairs: Pairs, identical: Collection[str]) -> MetricResult:
        metric, margin = self.metric, self._margin(settings)
        return MetricResult(
            name=metric.name,
            label=metric.label,
            sentence=metric.sentence,
            dimension=metric.dimension,
            unit=metric.unit,
            higher_is_better=metric.higher_is_better,
            source=metric.source,
            options=options_of(metric),
            in_verdict=metric.name in settings.in_verdict,
            margin=margin.value,
            margin_kind=margin.kind,
            scale_free=metric.scale_free,
            values={name: self._value(name) for name in pairs.models},
            differences={
                pair.candidate: self._difference(pair, margin, settings.confidence, same=pair.candidate in identical)
                for pair in pairs
            },
            details={name: found.details for name, found in self.models.items()},
            replicates=settings.replicates,
        )

    def _value(self, name: str) -> MetricValue:
        if name not in self.models:
            return MetricValue(status="not evaluated", reason=self.reasons.get(name, self.metric.nothing_left))
        found = self.models[name].estimate
        return MetricValue(
            status="measured",
            value=found.value,
            interval=found.interval,
            standard_error=found.standard_error,
            n=found.n,
        )

    def _margin(self, settings: Settings) -> Margin:
        margin = settings.margins[self.metric.name]
        if not margin.default or not self.models:
            return margin
        first = next(iter(self.models.values()))
        return replace(margin, value=self.metric.default_margin(first.reduced.units))

    def _difference(self, pair: Pair, margin: Margin, confidence: float, *, same: bool) -> Difference:
        """Return candidate - dense; `same`: they are one model, bit for bit."""
        if not {pair.dense, pair.candidate} <= self.models.keys():
            return Difference()
        return difference(
            self.metric,
            self.models[pair.candidate].reduced,
            self.models[pair.dense].reduced,
            margin=margin.value,
            margin_kind=margin.kind,
            confidence=confidence,
            same=same,
        )


def options_of(metric: Metric) -> dict[str, Any]:
    """Return a metric's options as an evaluation holds them; raises OptionError where it cannot hold them."""
    names: list[str] = [item.name for item in fields(metric)] if is_dataclass(metric) else []
    try:
        return writable(plain({name: getattr(metric, name) for name in names}))
    except (ValueError, RecursionError) as error:
        raise OptionError(
            f"The metric {metric.name} has options that an evaluation cannot hold: {error}. Options are plain numbers, "
            "texts, lists and dicts."
        ) from error


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    """Let pydantic's errors say what an evaluation cannot hold in a line."""
    try:
        yield
    except ValidationError as error:
        raise InputError(f"an evaluation cannot hold what it gives: {explained(error.errors()[0])}") from None
