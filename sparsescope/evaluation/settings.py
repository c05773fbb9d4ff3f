"""Settings of an evaluation: a preset, a configuration and single options, each overriding the one before."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from sparsescope.errors import OptionError
from sparsescope.evaluation.config import Document, parse_document, read_config, read_preset
from sparsescope.metrics import CATALOGUE, create, metric_class
from sparsescope.metrics.base import Metric
from sparsescope.results.records import Until
from sparsescope.values import is_number, is_whole

__all__ = ["Margin", "Settings", "resolve"]

_MOST_REPLICATES = 1_000_000


@dataclass(frozen=True)
class Margin:
    """How much worse than dense still counts as a match: a number in the metric's unit, or a fraction of dense.

    `default`: nobody has chosen it, so a metric may fit it to what was measured (`Metric.default_margin`).
    """

    value: float
    kind: Literal["absolute", "relative"]
    default: bool = False


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
        customised: whether margins, or which metrics count, differ from the preset's.
        seed: random seed of everything that is drawn.
        until_decided: whether to stop each metric once it is decided (`metrics`), or everything once the verdict is.
    """

    preset: str
    metrics: tuple[Metric, ...]
    margins: Mapping[str, Margin]
    in_verdict: frozenset[str]
    complete: bool
    confidence: float = 0.95
    replicates: int = 2000
    paper_tolerance: float = 0.0
    customised: bool = False
    seed: int = 0
    until_decided: Until | None = None


def resolve(
    *,
    preset: str | None = None,
    config: str | Path | Mapping[str, Any] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    metrics: str | Metric | Sequence[str | Metric] | None = None,
    skip: str | Sequence[str] = (),
    confidence: float | None = None,
    replicates: int | None = None,
    seed: int = 0,
    until_decided: Until | None = None,
) -> Settings:
    """Return the settings; later arguments win over `config`, `config` wins over the preset.

    Args:
        preset: name of a preset; default: the configuration's, else `standard`.
        config: a TOML file, or its content.
        options: {metric: {option: value}}; the option `margin` sets the metric's margin. A Metric object has its own
            options, and takes only `margin` from here.
        metrics: names or Metric objects; default: every metric of the catalogue, those that are measured on request
            only if the configuration or `options` name them.
        skip: names to leave out.
        confidence: level of the intervals, between 0.5 and 1.
        replicates: bootstrap replicates, 100 to 1,000,000.
        seed: random seed, from 0 to 2**64 - 1.
        until_decided: measure in growing parts, and stop each metric once it is decided (`metrics`), or everything once
            the verdict is (`verdict`); None: measure all.

    Raises:
        OptionError: an unknown preset, metric or option, a value outside its range, or two metrics of one name.
    """
    if not (is_whole(seed) and 0 <= seed < 2**64):
        raise OptionError(f"Expected a whole number 0 <= seed < 2**64, but got seed={seed!r}.")
    if options and not (isinstance(options, Mapping) and all(isinstance(each, Mapping) for each in options.values())):
        raise OptionError(f'Expected options such as {{"ece": {{"n_bins": 10}}}}, but got {options!r}.')
    if until_decided not in (None, *get_args(Until)):
        raise OptionError(f"Expected until_decided to be 'metrics', 'verdict' or None, but got {until_decided!r}.")
    content = read_config(config) if isinstance(config, str | Path) else config
    user = parse_document(content or {}, "the configuration")
    name = preset if preset is not None else user.preset or "standard"
    base = read_preset(name)
    wanted = None if metrics is None else _several("metrics", metrics)
    own = _objects(wanted or (), (user.metrics, options or {}))
    merged, margins = _merged(base, user, options or {}, own)
    verdict = user.verdict if user.verdict is not None else base.verdict
    named = {*user.metrics, *(options or {}), *(verdict or ())}
    usual = [name for name in CATALOGUE if name in named or not metric_class(name).on_request]
    chosen = _chosen(usual if wanted is None else wanted, _several("skip", skip), merged, own)
    default_verdict = {metric for metric in CATALOGUE if metric_class(metric).in_verdict}
    if verdict is None:
        counted = default_verdict | {metric.name for metric in own.values() if metric.in_verdict}
    else:
        counted = {metric if metric in own else metric_class(metric).name for metric in verdict}
    present = {metric.name for metric in chosen}
    settings = Settings(
        preset=name,
        metrics=tuple(chosen),
        margins={metric.name: _margin(metric, margins.get(metric.name)) for metric in chosen},
        in_verdict=frozenset(counted & present),
        complete=default_verdict <= (counted & present),
        customised=bool(margins) or verdict is not None,
        seed=int(seed),
        until_decided=until_decided,
    )
    return _with_numbers(settings, base, user, confidence, replicates)


def _several(argument: str, given: str | Metric | Iterable[Any]) -> tuple[Any, ...]:
    """One name, or one metric, stands for a list of it: a text is never taken apart into letters."""
    if isinstance(given, str | Metric):
        return (given,)
    if not isinstance(given, Iterable):
        raise OptionError(f"Expected {argument} to be names of metrics, but got {given!r}.")
    return tuple(given)


def _objects(wanted: Sequence[str | Metric], layers: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, Metric]:
    """Return the metrics that were handed over as objects, by name.

    Raises:
        OptionError: two metrics of one name, of which one result could not be told from the other's; options for an
            object, which has its own; or something that is neither a name nor a metric.
    """
    own: dict[str, Metric] = {}
    names = {metric for metric in wanted if isinstance(metric, str)}
    for metric in wanted:
        if isinstance(metric, str):
            continue
        if not isinstance(metric, Metric):
            raise OptionError(f"Expected metrics to be names or Metric objects, but got {metric!r}.")
        if metric.name in own or metric.name in names:
            raise OptionError(
                f"Two of the metrics are called {metric.name!r}: their results could not be told apart. Leave one out, "
                "or give one class another name."
            )
        given = [option for options in layers for option in options.get(metric.name, {})]
        if refused := [option for option in given if option != "margin"]:
            raise OptionError(
                f"{metric.name} was handed over as an object, which has its own options: set {', '.join(refused)} "
                f"there, {type(metric).__name__}({refused[0]}=…), or give its name instead."
            )
        own[metric.name] = metric
    return own


def _merged(
    base: Document, user: Document, options: Mapping[str, Mapping[str, Any]], own: Mapping[str, Metric]
) -> tuple[dict[str, dict[str, Any]], dict[str, float | str]]:
    """Return the options by metric, and the margins; those of objects are only margins."""
    merged: dict[str, dict[str, Any]] = {}
    for layer in (base.metrics, user.metrics, options):
        for metric, values in layer.items():
            if metric not in own:
                metric_class(metric)
            merged.setdefault(metric, {}).update(values)
    margins: dict[str, float | str] = {**base.margins, **user.margins}
    margins |= {metric: values.pop("margin") for metric, values in merged.items() if "margin" in values}
    for metric, values in merged.items():
        if metric not in own:
            create(metric, **values)  # refused if unknown, also of a metric that is not measured
    for metric in margins:
        if metric not in own:
            metric_class(metric)
    return merged, margins


def _chosen(
    wanted: Sequence[str | Metric],
    skip: Sequence[str],
    options: Mapping[str, Mapping[str, Any]],
    own: Mapping[str, Metric],
) -> list[Metric]:
    """Return the metrics to measure: named ones in the order of the catalogue, then objects in the order given."""
    named = dict.fromkeys(name for name in wanted if isinstance(name, str))
    for name in skip:
        if not isinstance(name, str):
            raise OptionError(f"Expected skip to be names of metrics, but got {name!r}.")
    for name in (*named, *(name for name in skip if name not in own)):
        metric_class(name)
    order = list(CATALOGUE)
    kept = [name for name in named if name not in skip]
    kept.sort(key=lambda name: order.index(name) if name in order else len(order))
    chosen = [create(name, **options.get(name, {})) for name in kept]
    chosen += [metric for name, metric in own.items() if name not in skip]
    if not chosen:
        raise OptionError("No metric is left to measure: none was asked for, or skip leaves out all that were.")
    return chosen


def _margin(metric: Metric, text: float | str | None) -> Margin:
    if text is None:
        return Margin(metric.margin, metric.margin_kind, default=True)
    try:
        if isinstance(text, bool):
            raise TypeError
        if isinstance(text, str) and text.strip().endswith("%"):
            margin = Margin(float(text.strip()[:-1]) / 100, "relative")
        else:
            margin = Margin(float(text), metric.margin_kind)
    except (TypeError, ValueError, OverflowError):
        margin = Margin(-1.0, "absolute")
    if not 0 <= margin.value < float("inf"):
        raise OptionError(
            f"Expected the margin of {metric.name} to be a number >= 0 ({metric.margin_kind}) or a percentage of the "
            f'dense value such as "5%", but got {text!r}.'
        )
    return margin


def _with_numbers(
    settings: Settings, base: Document, user: Document, confidence: float | None, replicates: int | None
) -> Settings:
    def last(*values: Any) -> Any:
        return next((value for value in reversed(values) if value is not None), None)

    level = last(settings.confidence, base.confidence, user.confidence, confidence)
    draws = last(settings.replicates, base.replicates, user.replicates, replicates)
    tolerance = last(settings.paper_tolerance, base.paper_tolerance, user.paper_tolerance)
    if not (is_number(level) and 0.5 <= level < 1):
        raise OptionError(f"Expected a confidence level between 0.5 and 1, such as 0.95, but got {level!r}.")
    if not (is_whole(draws) and 100 <= draws <= _MOST_REPLICATES):
        raise OptionError(
            f"Expected 100 to {_MOST_REPLICATES:,} bootstrap replicates, a whole number, but got {draws!r:.40}."
        )
    if not (is_number(tolerance) and tolerance >= 0):
        raise OptionError(f"Expected paper_tolerance to be a number >= 0, but got {tolerance!r}.")
    return replace(settings, confidence=float(level), replicates=int(draws), paper_tolerance=tolerance)
