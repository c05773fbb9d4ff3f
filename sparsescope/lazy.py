"""Public names of a package that are imported on first use, so that importing the package imports nothing heavy."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazy"]


def lazy(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` (PEP 562) of a package.

    Args:
        package: its `__name__`.
        homes: public name -> module of the package that defines it; the module's own name for the module itself.

    Example:
        >>> from sparsescope.lazy import lazy
        >>> get, names = lazy("sparsescope", {"Mask": "mask", "plots": "plots"})
        >>> get("Mask").__name__, get("plots").__name__
        ('Mask', 'sparsescope.plots')
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(f"{package}.{homes[name]}")
        return module if homes[name] == name and not hasattr(module, name) else getattr(module, name)

    return get, lambda: sorted({*vars(sys.modules[package]), *homes})
