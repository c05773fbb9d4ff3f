"""From an architecture's specification to a network."""

import sys
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from sparsescope.architectures.architecture import Architecture
from sparsescope.architectures.catalogue import BUILT_IN, LIBRARIES
from sparsescope.architectures.libraries import torchvision_names
from sparsescope.errors import OptionError
from sparsescope.preprocessing import Preprocessing
from sparsescope.specs import load
from sparsescope.userfiles import load_object

__all__ = ["is_known_code", "open_user", "resolve"]


def resolve(spec: str) -> Architecture:
    """Return the architecture that a specification names.

    Args:
        spec: a name of `BUILT_IN`, or a form of `LIBRARIES`, such as `torchvision:NAME`; the entry says whether it runs
            the user's own code.

    Raises:
        OptionError: nothing has that name (the text lists close matches), or its package is not installed.

    Example:
        >>> from sparsescope.architectures import resolve
        >>> network = resolve("resnet20s").build(num_classes=10)
        >>> sum(parameter.numel() for parameter in network.parameters())
        269722
    """
    if spec in BUILT_IN:
        return _of_function(spec, load(BUILT_IN[spec].opener))
    if ":" not in spec:
        raise OptionError(_unknown(spec))
    entry, name = LIBRARIES.find(spec)
    try:
        architecture: Architecture = entry.open(name)
    except ImportError as error:
        if not entry.extra:
            raise
        raise OptionError(
            f"{spec} needs {error.name}, which is not installed: pip install 'sparsescope[{entry.extra}]'."
        ) from error
    return architecture


def open_user(spec: str) -> Architecture:
    """Return the architecture that a function of the user's own code builds."""
    function = load_object(spec)
    if not callable(function):
        raise OptionError(f"Expected {spec} to be a function that returns a network, but got {function!r}.")
    return _of_function(spec, function)


def is_known_code(spec: str) -> bool:
    """Return whether a specification names an installed package's network, and not a user's own code."""
    library, colon, _ = spec.partition(":")
    return not colon or (library in LIBRARIES and not LIBRARIES[library].runs_user_code)


def _of_function(spec: str, function: Callable[..., Any]) -> Architecture:
    """Return the architecture of a function, normalized as the constant `PREPROCESSING` beside it says, if any."""
    home = sys.modules.get(getattr(function, "__module__", ""))
    stated = getattr(home, "PREPROCESSING", None)
    return Architecture(spec, function, stated if isinstance(stated, Preprocessing) else None)


def _unknown(spec: str) -> str:
    if spec.endswith(".py"):
        return f"Expected FILE.py:function, but got {spec!r}: name the function that returns the network."
    known = [*BUILT_IN, *(f"torchvision:{name}" for name in torchvision_names())]
    near = get_close_matches(spec, known, n=3, cutoff=0.6)
    if f"torchvision:{spec}" in known:
        near.insert(0, f"torchvision:{spec}")
    hint = f" Did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
    return (
        f"There is no architecture {spec!r}.{hint} Built in: {', '.join(BUILT_IN)}. "
        f"Besides: {', '.join(LIBRARIES.forms())}."
    )
