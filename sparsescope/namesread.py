"""What code reads by name while it runs: names of its module, and of the user's modules that it names.

A number may depend on them as on the code itself: on `args.scale` of a script, on a constant that was read from a file
or set from outside.
"""

import sys
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

from sparsescope.sources import is_fixed, owner

__all__ = ["functions_in", "is_users_module", "replaced_in", "values_read"]


def is_users_module(name: str) -> bool:
    """Return whether a module is the user's: not of Python, torch, sparsescope or an installed package."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return not is_fixed(name) and (file is None or owner(file) == "user")


def functions_in(member: object) -> Iterator[FunctionType]:
    """Yield the functions in a class's attribute: methods, properties, static and class methods."""
    for name in ("", "__func__", "fget", "fset", "func"):
        function = getattr(member, name, None) if name else member
        if isinstance(function, FunctionType):
            yield function


def replaced_in(kind: type) -> list[FunctionType]:
    """Return the user's functions in a class that is not the user's: what stands in the place of its own methods."""
    members = [member for base in kind.__mro__ for _, member in sorted(vars(base).items())]
    functions = [function for member in members for function in functions_in(member)]
    return [function for function in functions if is_users_module(str(function.__globals__.get("__name__")))]


def values_read(function: FunctionType) -> Iterator[tuple[str, object]]:
    """Yield name and value of everything that a function names in its module, or in a user's module that it names.

    Modules themselves are left out. What is written as `module.name` counts where both are named in the function, so a
    name too many may come. What a function imports itself does not come, as it may not be loaded yet; nor does a name
    that is put together at run time (`getattr(module, text)`).
    """
    names = sorted(_names(function.__code__))
    waiting: list[Mapping[str, Any]] = [function.__globals__]
    seen: set[int] = set()
    while waiting:
        space = waiting.pop()
        if id(space) in seen:
            continue
        seen.add(id(space))
        for name in names:
            value = space.get(name)
            if isinstance(value, ModuleType):
                waiting += [vars(value)] if is_users_module(value.__name__) else []
            elif name in space:
                yield name, value


def _names(code: CodeType) -> set[str]:
    """Return the names of globals and attributes in code and in the functions inside of it."""
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*inner)
