"""How every page is rendered."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

__all__ = ["environment"]


def environment(**options: Any) -> Environment:
    """Return the templates' environment: a name that is not there is an error.

    Args:
        options: of `jinja2.Environment`, such as `autoescape`.
    """
    return Environment(
        loader=PackageLoader("sparsescope.reporting"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        **options,
    )
