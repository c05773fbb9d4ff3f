"""Catalogues of SPECs: from `scheme:argument` to the function that opens it, with near misses in the error."""

import difflib
import importlib
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sparsescope.errors import OptionError
from sparsescope.userfiles import is_object_spec

__all__ = ["USER_FORMS", "Entry", "find_opener"]

USER_FORMS = ("FILE.py:function", "package.module:function")


class Entry(NamedTuple):
    """A source in a catalogue: the form of its SPEC, and `module:function` that opens it (imported when needed)."""

    form: str
    opener: str


def find_opener(
    spec: str, catalogue: Mapping[str, Entry], what: str, hint: Callable[[str], str]
) -> tuple[Callable[..., Any] | None, str]:
    """Return the function that opens `spec` and its argument; None and `spec` where it names the user's own code.

    Args:
        spec: as the user wrote it.
        catalogue: scheme -> entry.
        what: how messages call what is opened, such as `data`.
        hint: returns `Did you mean …? ` for a path without a scheme, or the empty string.

    Raises:
        OptionError: an unknown form, or a scheme without the argument it needs; the text lists the forms.
    """
    scheme, _, argument = spec.partition(":")
    if scheme in catalogue:
        form, opener = catalogue[scheme]
        if (":" in form) != bool(argument):
            raise OptionError(f"Expected {form}, but got {spec!r}.")
        module, _, function = opener.partition(":")
        return getattr(importlib.import_module(module), function), argument
    if is_object_spec(spec) and not _is_misspelt(scheme, catalogue):
        return None, spec
    forms = [*(entry.form for entry in catalogue.values()), *USER_FORMS]
    suggestion = hint(spec) or _suggestion(spec, catalogue)
    raise OptionError(f"Unknown {what} {spec!r}. {suggestion}Expected one of: {', '.join(forms)}.")


def _is_misspelt(scheme: str, catalogue: Mapping[str, Entry]) -> bool:
    """Return whether a name before a colon looks like a scheme and there is no module of that name."""
    return scheme.isidentifier() and bool(_close(scheme, catalogue)) and importlib.util.find_spec(scheme) is None


def _close(scheme: str, catalogue: Mapping[str, Entry]) -> list[str]:
    return difflib.get_close_matches(scheme.lower(), catalogue, n=3)


def _suggestion(spec: str, catalogue: Mapping[str, Entry]) -> str:
    if spec.endswith(".py"):
        return f"Did you mean {spec}:function, with the function's name? "
    close = _close(spec.partition(":")[0], catalogue)
    return f"Did you mean {' or '.join(catalogue[name].form for name in close)}? " if close else ""
