"""What presets, configuration files and `METRIC.OPTION=VALUE` texts hold, read and checked."""

from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from sparsescope.errors import OptionError
from sparsescope.files import parse_toml, read_toml
from sparsescope.presets import preset_names

__all__ = ["Document", "parse_assignments", "parse_document", "read_config", "read_preset"]


class Document(BaseModel):
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

    @field_validator("metrics", mode="before")
    @classmethod
    def _tables(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(
                "expected a table of options for each metric, such as [metrics.ece]. Which metrics are measured is "
                "said by --metric (in the recipe of a sweep: only)"
            )
        return value


def read_config(path: str | Path) -> dict[str, Any]:
    """Return the settings in a TOML file, or in `[tool.sparsescope]` of a pyproject.toml; OptionError if unreadable."""
    path = Path(path)
    try:
        content = read_toml(path)
    except OSError as error:
        raise OptionError(f"Cannot read the configuration {path}: {error.strerror}.") from error
    except ValueError as error:
        raise OptionError(f"The configuration {path} is not TOML: {error}.") from error
    if path.name != "pyproject.toml":
        return content
    tool = content.get("tool")
    section = tool.get("sparsescope") if isinstance(tool, dict) else None
    if not isinstance(section, dict):
        raise OptionError(f"Expected [tool.sparsescope] in {path}, but there is no such table.")
    return section


def parse_assignments(assignments: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Turn `METRIC.OPTION=VALUE` texts into {metric: {option: value}}; values are TOML, bare words are strings."""
    options: dict[str, dict[str, Any]] = {}
    for text in assignments:
        target, equals, value = text.partition("=")
        metric, dot, option = target.strip().partition(".")
        if not (equals and dot and metric and option):
            raise OptionError(f"Expected METRIC.OPTION=VALUE, such as fidelity.samples=250, but got {text!r}.")
        options.setdefault(metric, {})[option] = _parsed(value.strip())
    return options


def _parsed(value: str) -> Any:
    """Return a TOML value, or the text itself where it is none, or more than one."""
    try:
        content = parse_toml(f"value = {value}")
    except ValueError:
        return value
    return content["value"] if len(content) == 1 else value


def read_preset(name: str) -> Document:
    """Return a preset by name; raises OptionError, which lists them, if there is none."""
    if name not in preset_names():
        raise OptionError(f"Expected a preset of {', '.join(preset_names())}, but got {name!r}.")
    text = (resources.files("sparsescope") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
    return parse_document(parse_toml(text), name)


def parse_document(content: Mapping[str, Any], where: str) -> Document:
    """Return the content of a configuration, checked; raises OptionError, which names the place."""
    try:
        return Document.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"{part}: " for part in [".".join(map(str, first["loc"]))] if part)
        problem = first["msg"].removeprefix("Value error, ")
        raise OptionError(
            f"In {where}: {place}{problem}. Expected preset, verdict, margins, metrics, confidence, replicates "
            "and paper_tolerance."
        ) from error
