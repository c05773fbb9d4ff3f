"""Metrics: weighted reductions of measurements, one file each.

`CATALOGUE` lists the built-in ones in the order of the report; a new metric is one file and one line there. Other
packages add theirs by an entry point of the group `sparsescope.metrics`, `NAME = "package.module:Class"`, where the
class is a `sparsescope.metrics.base.Metric` of that name. Metrics are imported when they are first asked for.
"""

from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sparsescope.errors import OptionError
from sparsescope.values import is_whole

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from pydantic import ValidationError

    from sparsescope.metrics.base import Metric

__all__ = ["CATALOGUE", "create", "metric_class", "names"]

CATALOGUE: dict[str, str] = {
    "accuracy": "sparsescope.metrics.accuracy:Accuracy",
    "generalization_gap": "sparsescope.metrics.generalization_gap:GeneralizationGap",
    "corruption_error": "sparsescope.metrics.corruption_error:CorruptionError",
    "fgsm_accuracy": "sparsescope.metrics.fgsm_accuracy:FgsmAccuracy",
    "pgd_accuracy": "sparsescope.metrics.pgd_accuracy:PgdAccuracy",
    "autoattack_accuracy": "sparsescope.metrics.autoattack_accuracy:AutoattackAccuracy",
    "ood_auroc": "sparsescope.metrics.ood_auroc:OodAuroc",
    "ece": "sparsescope.metrics.ece:ECE",
    "sce": "sparsescope.metrics.sce:SCE",
    "nll": "sparsescope.metrics.nll:NLL",
    "fidelity": "sparsescope.metrics.fidelity:Fidelity",
    "stability": "sparsescope.metrics.stability:Stability",
    "composition": "sparsescope.metrics.composition:Composition",
    "weight_trace": "sparsescope.metrics.weight_trace:WeightTrace",
    "input_trace": "sparsescope.metrics.input_trace:InputTrace",
    "weight_top_eigenvalue": "sparsescope.metrics.weight_top_eigenvalue:WeightTopEigenvalue",
    "input_top_eigenvalue": "sparsescope.metrics.input_top_eigenvalue:InputTopEigenvalue",
}
"""Name -> where the class is, in the order of the report."""

_MOST = 10**9  # of a whole number that an option has
ENTRY_POINTS = "sparsescope.metrics"


def names() -> list[str]:
    """Return the names of all metrics: the built-in ones in the catalogue's order, then other packages' by name."""
    return [*CATALOGUE, *sorted(set(_entry_points()) - set(CATALOGUE))]


def metric_class(name: str) -> "type[Metric]":
    """Return the class of a metric; a built-in one goes before another package's of the same name.

    Raises:
        OptionError: there is no metric of this name (the text has the close ones, and all), or an entry point does not
            lead to a `Metric` of its name.
    """
    if name in CATALOGUE:
        module, attribute = CATALOGUE[name].split(":")
        built_in: type[Metric] = getattr(import_module(module), attribute)
        return built_in
    points = _entry_points()
    if name in points:
        return _loaded(points[name])
    close = get_close_matches(name, names(), n=3)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    raise OptionError(f"There is no metric {name!r}.{hint} Metrics: {', '.join(names())}.")


def create(name: str, /, **options: Any) -> "Metric":
    """Return a metric with these options; the others keep the defaults of the preset `standard`.

    Raises:
        OptionError: unknown metric or option, or a value that does not fit; the text names metric, option, what was
            expected and what came, and lists the metric's options.
    """
    from pydantic import ValidationError

    cls = metric_class(name)
    for option, value in options.items():
        if option.startswith("_"):
            raise OptionError(f"Metric {name}: It has no option {option!r}.")
        if is_whole(value) and abs(value) > _MOST:
            raise OptionError(f"Metric {name}: Expected {option} to be at most {_MOST:,}, but got a larger number.")
    try:
        return cls(**options)
    except ValidationError as error:
        raise OptionError(_explain(name, cls, error)) from error


def _entry_points() -> "dict[str, EntryPoint]":
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def _loaded(point: "EntryPoint") -> "type[Metric]":
    from sparsescope.metrics.base import Metric

    loaded = point.load()
    if not (isinstance(loaded, type) and issubclass(loaded, Metric) and loaded.name == point.name):
        raise OptionError(
            f"Expected the entry point {point.name} = {point.value!r} of group {ENTRY_POINTS!r} to be a subclass of "
            f"sparsescope.metrics.base.Metric with name = {point.name!r}, but got {loaded!r}."
        )
    return loaded


def _explain(name: str, cls: "type[Metric]", error: "ValidationError") -> str:
    from dataclasses import MISSING, fields

    defaults = {field.name: field.default for field in fields(cls)}  # type: ignore[arg-type]
    lines = []
    for problem in error.errors():
        if not problem["loc"]:  # a rule over several options
            lines.append(problem["msg"].removeprefix("Value error, "))
            continue
        option = str(problem["loc"][0])
        if option not in defaults:
            close = get_close_matches(option, defaults, n=1)
            lines.append(f"It has no option {option!r}." + (f" Did you mean {close[0]}?" if close else ""))
            continue
        place = option + "".join(f"[{part}]" for part in problem["loc"][1:])
        message = problem["msg"].removeprefix("Value error, ")
        expected = message.removeprefix("Input should ")
        said = f"{place}: {message}" if expected == message else f"Expected {place} to {expected}"
        lines.append(f"{said}, but got {problem['input']!r}.")
    shown = [option if value is MISSING else f"{option}={value!r}" for option, value in defaults.items()]
    options = f"Options and defaults: {', '.join(shown)}." if shown else "It has no options."
    return f"Metric {name}: {' '.join(lines)} {options}"
