"""Settings of an evaluation: a preset, a configuration file and single options, each overriding the one before."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from sparsescope.errors import OptionError
from sparsescope.metrics import CATALOGUE, create, metric_class
from sparsescope.metrics.base import Metric
from sparsescope.presets import preset_names

__all__ = ["Margin", "Settings", "parse_assignments", "preset_names", "read_config", "resolve"]


class _Document(BaseModel):
    """What a preset or configuration file may hold."""

    model_config = ConfigDict(extra="forbid")

    description: str = ""
    preset: str | None = None
    verdict: list[str] | None = None
    paper_tolerance: float | None = None
    confidence: float | None = None
    replicates: int | None = None
    margins: dict[str, float | str] = {}
    metrics: dict[str, dict[str, Any]] = {}


@dataclass(frozen=True)
class Margin:
    """How much worse than dense still counts as a match: a number in the metric's unit, or a fraction of dense."""

    value: float
    kind: Literal["absolute", "relative"]


@dataclass(frozen=True)
class Settings:
    """Everything that decides what is measured and how it is judged.

    Args:
        preset: name of the preset.
        metrics: the metrics to measure, in catalogue order, with their options.
        margins: margin of every metric.
        in_verdict: names of the metrics that count.
        complete: whether the verdict covers every metric that it covers by default.
        confidence: level of the intervals.
        replicates: bootstrap replicates.
        paper_tolerance: what the paper's reading allows beside accuracy.
    """

    preset: str
    metrics: tuple[Metric, ...]
    margins: Mapping[str, Margin]
    in_verdict: frozenset[str]
    complete: bool
    confidence: float = 0.95
    replicates: int = 2000
    paper_tolerance: float = 0.0
    customised: bool = field(default=False)


def read_config(path: str | Path) -> dict[str, Any]:
    """Return the settings in a TOML file, or in `[tool.sparsescope]` of a pyproject.toml; OptionError if unreadable."""
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"Cannot read the configuration {path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"The configuration {path} is not TOML: {error}.") from error
    if path.name != "pyproject.toml":
        return content
    section: dict[str, Any] = content.get("tool", {}).get("sparsescope", {})
    return section


def parse_assignments(assignments: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Turn `METRIC.OPTION=VALUE` texts into {metric: {option: value}}; values are TOML, bare words are strings."""
    options: dict[str, dict[str, Any]] = {}
    for text in assignments:
        target, equals, value = text.partition("=")
        metric, dot, option = target.strip().partition(".")
        if not (equals and dot and metric and option):
            raise OptionError(f"Expected METRIC.OPTION=VALUE, such as fidelity.samples=250, but got {text!r}.")
        try:
            parsed = tomllib.loads(f"value = {value.strip()}")["value"]
        except tomllib.TOMLDecodeError:
            parsed = value.strip()
        options.setdefault(metric, {})[option] = parsed
    return options


def resolve(
    *,
    preset: str | None = None,
    config: Mapping[str, Any] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    metrics: Sequence[str | Metric] | None = None,
    skip: Sequence[str] = (),
    confidence: float | None = None,
    replicates: int | None = None,
) -> Settings:
    """Return the settings; later arguments win over `config`, `config` wins over the preset.

    Args:
        preset: name of a preset; default: the configuration's, else `standard`.
        config: content of a configuration file.
        options: {metric: {option: value}}; the option `margin` sets the metric's margin.
        metrics: names or Metric objects; default: every metric of the catalogue, those that are measured on request
            only if the configuration or `options` name them.
        skip: names to leave out.
        confidence: level of the intervals, between 0.5 and 1.
        replicates: bootstrap replicates, at least 100.

    Raises:
        OptionError: an unknown preset, metric or option, or a value outside its range.
    """
    user = _validated(config or {}, "the configuration")
    name = preset or user.preset or "standard"
    if name not in preset_names():
        raise OptionError(f"Expected a preset of {', '.join(preset_names())}, but got {name!r}.")
    base = _validated(
        tomllib.loads((resources.files("sparsescope") / "presets" / f"{name}.toml").read_text(encoding="utf-8")), name
    )
    merged: dict[str, dict[str, Any]] = {}
    for layer in (base.metrics, user.metrics, options or {}):
        for metric, values in layer.items():
            metric_class(metric)
            merged.setdefault(metric, {}).update(values)
    for metric, values in merged.items():
        create(metric, **{name: value for name, value in values.items() if name != "margin"})  # refused if unknown
    margin_texts = {**base.margins, **user.margins}
    margin_texts |= {metric: values.pop("margin") for metric, values in merged.items() if "margin" in values}
    verdict = user.verdict if user.verdict is not None else base.verdict
    named = {*user.metrics, *(options or {}), *(verdict or ())}
    usual = [name for name in CATALOGUE if name in named or not metric_class(name).on_request]
    chosen = _chosen(usual if metrics is None else metrics, skip, merged)
    default_verdict = {metric for metric in CATALOGUE if metric_class(metric).in_verdict}
    wanted = default_verdict if verdict is None else {metric_class(metric).name for metric in verdict}
    wanted |= {
        metric.name for metric in chosen if not isinstance(metric, str) and metric.in_verdict and verdict is None
    }
    present = {metric.name for metric in chosen}
    settings = Settings(
        preset=name,
        metrics=tuple(chosen),
        margins={metric.name: _margin(metric, margin_texts.get(metric.name)) for metric in chosen},
        in_verdict=frozenset(wanted & present),
        complete=default_verdict <= (wanted & present),
        customised=bool(margin_texts) or verdict is not None,
    )
    return _with_numbers(settings, base, user, confidence, replicates)


def _validated(content: Mapping[str, Any], where: str) -> _Document:
    try:
        return _Document.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise OptionError(
            f"In {where}: {place}: {first['msg']}. Expected preset, verdict, margins, metrics, confidence, replicates "
            "and paper_tolerance."
        ) from error


def _chosen(
    wanted: Sequence[str | Metric], skip: Sequence[str], options: Mapping[str, Mapping[str, Any]]
) -> list[Metric]:
    for name in skip:
        metric_class(name)
    asked = list(dict.fromkeys(name for name in wanted if isinstance(name, str)))
    for name in asked:
        metric_class(name)
    named = [name for name in asked if name not in skip]
    order = list(CATALOGUE)
    named.sort(key=lambda name: order.index(name) if name in order else len(order))
    objects = [metric for metric in wanted if isinstance(metric, Metric)]
    chosen = [create(name, **options.get(name, {})) for name in named] + objects
    if not chosen:
        raise OptionError("No metric is left to measure: --skip leaves out all that were asked for.")
    return chosen


def _margin(metric: Metric, text: float | str | None) -> Margin:
    if text is None:
        return Margin(metric.margin, metric.margin_kind)
    try:
        if isinstance(text, str) and text.strip().endswith("%"):
            margin = Margin(float(text.strip()[:-1]) / 100, "relative")
        else:
            margin = Margin(float(text), metric.margin_kind)
    except (TypeError, ValueError):
        margin = Margin(-1.0, "absolute")
    if not 0 <= margin.value < float("inf"):
        raise OptionError(
            f"Expected the margin of {metric.name} to be a number >= 0 ({metric.margin_kind}) or a percentage of the "
            f'dense value such as "5%", but got {text!r}.'
        )
    return margin


def _with_numbers(
    settings: Settings, base: _Document, user: _Document, confidence: float | None, replicates: int | None
) -> Settings:
    def last(*values: Any) -> Any:
        return next((value for value in reversed(values) if value is not None), None)

    level = last(settings.confidence, base.confidence, user.confidence, confidence)
    draws = last(settings.replicates, base.replicates, user.replicates, replicates)
    tolerance = last(settings.paper_tolerance, base.paper_tolerance, user.paper_tolerance)
    if not 0.5 <= level < 1:
        raise OptionError(f"Expected a confidence level between 0.5 and 1, such as 0.95, but got {level}.")
    if draws < 100:
        raise OptionError(f"Expected at least 100 bootstrap replicates, but got {draws}.")
    return replace(settings, confidence=level, replicates=draws, paper_tolerance=tolerance)
