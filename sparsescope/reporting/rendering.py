"""Templates to texts: what users wrote is escaped, in HTML as in Markdown."""

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sparsescope.printable import printable

__all__ = ["html_environment", "markdown"]


def html_environment() -> Environment:
    """Return the templates of HTML pages."""
    return _environment(autoescape=True, finalize=_shown)


def markdown(template: str, context: Mapping[str, Any]) -> str:
    """Return a Markdown text, without rows of empty lines."""
    text = _environment(autoescape=False, finalize=_escaped).get_template(template).render(context)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _environment(**options: Any) -> Environment:
    return Environment(
        loader=PackageLoader("sparsescope.reporting"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        **options,
    )


def _shown(value: Any) -> Any:
    """Return a text without control characters, which is escaped after that; markup as it is."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _escaped(value: Any) -> str:
    """Return a text as Markdown shows it literally: names may hold anything, also in tables."""
    text = printable(" ".join(str(value).split()))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*\[\]|#~])", r"\\\1", text)
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)
