"""A scoring function of one's own as a `Method`: its signature says how it is called, its attributes the rest."""

import hashlib
import inspect
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_type_hints

from sparsescope.errors import InputError, OptionError
from sparsescope.pruning.method import Method

__all__ = ["described", "source_digest", "takes_subject"]

_DEFAULTS: dict[str, Any] = {"start": "trained", "looks_at": "images", "scope": "global", "steps": 1}
"""Attributes that a function may have, with what holds where it has none: what most scoring functions need."""


def described(function: object, name: str | None = None) -> Method:
    """Return the record of a scoring function.

    Its attributes `start`, `looks_at`, `scope` and `steps` are those of `Method`, such as `score.start = "initial"`.
    Without them it scores the trained weights once, all weights compete, and it is shown images.

    Args:
        function: takes a `Subject`, or the module and batches; its keyword-only arguments are its options.
        name: what to call it; default: as it calls itself.

    Raises:
        OptionError: it is no function, takes other arguments, or has an attribute that is not known or out of range.
    """
    if not callable(function):
        raise OptionError(f"Expected a scoring function, but got {function!r:.60}, a {type(function).__name__}.")
    called = str(name or getattr(function, "__name__", type(function).__name__))
    takes_subject(function)
    if inspect.isfunction(function):
        _check_attributes(called, vars(function))
    facts = {fact: getattr(function, fact, default) for fact, default in _DEFAULTS.items()}
    kinds = get_type_hints(Method)
    for fact in ("start", "looks_at"):
        if facts[fact] not in get_args(kinds[fact]):
            expected = " or ".join(map(repr, get_args(kinds[fact])))
            raise OptionError(f"Expected {called}.{fact} to be {expected}, but it is {facts[fact]!r}.")
    summary = (inspect.getdoc(function) or "").partition("\n")[0]
    return Method(called, function, summary, **facts)


def takes_subject(function: Callable[..., Any]) -> bool:
    """Return whether a scoring function takes a `Subject`, its one positional argument; else it takes two.

    Raises:
        OptionError: it takes neither (subject) nor (module, batches).
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # functions written in C may not say
        signature = None
    arguments = [] if signature is None else list(signature.parameters.values())
    by_place = [each for each in arguments if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    any_number = any(each.kind is each.VAR_POSITIONAL for each in arguments)
    # A second argument with a value is an option that is not behind *, unless it is `batches=None`.
    as_expected = len(by_place) == 1 or (len(by_place) == 2 and by_place[1].default in (inspect.Parameter.empty, None))
    if any_number or not as_expected:
        name = getattr(function, "__name__", type(function).__name__)
        raise OptionError(
            "Expected a scoring function that takes one argument, a Subject, or two, the module and batches, and its "
            f"options by keyword, as in score(subject, *, power=1.0). But got {name}{signature or ''}."
        )
    return len(by_place) == 1


def source_digest(spec: str, function: Callable[..., Any]) -> str:
    """Return the SHA-256 of the file that `spec` names and of the one that defines the function, wherever they are.

    Raises:
        InputError: there is no such file, so that nobody could tell whether the function has changed.
    """
    place, _, _ = spec.rpartition(":")
    modules = [sys.modules.get(name) for name in (place, getattr(inspect.unwrap(function), "__module__", None) or "")]
    paths = [getattr(module, "__file__", None) for module in modules] + [place if place.endswith(".py") else None]
    files = {Path(path).expanduser().resolve() for path in paths if path is not None}
    if not files:
        raise InputError(
            f"Expected {spec} to come from a file, which says whether it has changed. Wrap it in a file of your own."
        )
    digests = sorted(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _check_attributes(name: str, attributes: dict[str, Any]) -> None:
    for attribute in attributes:
        if attribute not in _DEFAULTS and not attribute.startswith("_"):
            close = get_close_matches(attribute, _DEFAULTS, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise OptionError(
                f"The scoring function {name} has an attribute {attribute!r}, which means nothing.{hint} Known are "
                f"{', '.join(_DEFAULTS)}."
            )
