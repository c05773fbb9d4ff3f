"""Catalogues of SPECs: what users name by `scheme:argument`, with every fact that others need, and near misses.

Help texts, messages and checks ask the catalogue, so that a new member is one line in it.
"""

import difflib
import importlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sparsescope.errors import OptionError
from sparsescope.userfiles import is_object_spec

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["USER_FORMS", "Catalogue", "Entry", "listed", "load"]

FILE_FORM, MODULE_FORM = "FILE.py:function", "package.module:function"
USER_FORMS = (FILE_FORM, MODULE_FORM)
"""How users name code of their own: members of a catalogue like any other, under their form instead of a scheme."""


@dataclass(frozen=True)
class Entry:
    """A member of a catalogue.

    Args:
        form: how users write it: a scheme alone, or `scheme:WHAT`, where WHAT says what follows (DIR, FILE, NAME …).
        opener: `module:function`, imported when it is first used. The function is given what follows the scheme (of a
            user form the whole SPEC), and what else its catalogue says.
        help: what it is, in one sentence.
        runs_user_code: whether opening it runs code that the SPEC itself names. A file may not name such a SPEC.
        looks_like: whether a path without a scheme is likely meant for it, for a hint in the error.
    """

    form: str
    opener: str
    help: str
    runs_user_code: bool = False
    looks_like: Callable[[Path], bool] | None = None

    def open(self, *arguments: Any) -> Any:
        """Call the opener."""
        return load(self.opener)(*arguments)


E = TypeVar("E", bound=Entry)


class Catalogue(dict[str, E], Generic[E]):
    """Scheme (or user form) -> entry, in the order in which help texts list them.

    Args:
        what: how messages call what is opened, such as `data`.
        entries: the members.
        group: group of the entry points by which other packages add members: `SCHEME = "package.module:ENTRY"`, an
            `Entry` of that scheme. None where they cannot.
    """

    def __init__(self, what: str, entries: Mapping[str, E], group: str | None = None) -> None:
        super().__init__(entries)
        self.what, self.group = what, group

    def forms(self, wanted: Callable[[E], bool] = lambda entry: True) -> list[str]:
        """Return how the members are written; other packages' by their schemes, as showing a help loads no code."""
        return [*(entry.form for entry in self.values() if wanted(entry)), *sorted(set(self._points()) - set(self))]

    def find(self, spec: str) -> tuple[E, str]:
        """Return the entry of a SPEC and what its opener is given.

        Raises:
            OptionError: an unknown form (the text has what is close, and lists all), a scheme without the argument it
                needs, or an entry point that leads elsewhere.
        """
        if not isinstance(spec, str):
            raise OptionError(f"Expected {self.what} as a text, one of: {', '.join(self.forms())}; but got {spec!r}.")
        scheme, _, argument = spec.partition(":")
        entry = self.get(scheme) or self._of_another_package(scheme)
        if entry is not None:
            if (":" in entry.form) != bool(argument):
                raise OptionError(f"Expected {entry.form}, but got {spec!r}.")
            return entry, argument
        form = _user_form(spec)
        if form in self and not self._is_misspelt(scheme):
            return self[form], spec
        hint = self._hint(spec)
        raise OptionError(f"Unknown {self.what} {spec!r}. {hint}Expected one of: {', '.join(self.forms())}.")

    def _points(self) -> "dict[str, EntryPoint]":
        from importlib.metadata import entry_points

        return {point.name: point for point in entry_points(group=self.group)} if self.group else {}

    def _of_another_package(self, scheme: str) -> E | None:
        point = self._points().get(scheme)
        if point is None:
            return None
        loaded, kind = point.load(), type(next(iter(self.values())))
        if not isinstance(loaded, kind) or loaded.form.partition(":")[0] != scheme:
            raise OptionError(
                f"Expected the entry point {point.name} = {point.value!r} of group {self.group!r} to be a "
                f"{kind.__module__}.{kind.__name__} whose form begins with {scheme!r}, but got {loaded!r}."
            )
        return loaded

    def _is_misspelt(self, scheme: str) -> bool:
        """Return whether a name before a colon looks like a scheme and there is no module of that name."""
        return scheme.isidentifier() and bool(self._close(scheme)) and importlib.util.find_spec(scheme) is None

    def _close(self, scheme: str) -> list[str]:
        return difflib.get_close_matches(scheme.lower(), [name for name in self if name not in USER_FORMS], n=3)

    def _hint(self, spec: str) -> str:
        path = Path(spec).expanduser()
        for scheme, entry in self.items():
            if spec and ":" not in spec and entry.looks_like is not None and entry.looks_like(path):
                return f"Did you mean {scheme}:{spec}? "
        if spec.endswith(".py"):
            return f"Did you mean {spec}:function, with the function's name? "
        close = self._close(spec.partition(":")[0])
        return f"Did you mean {' or '.join(self[name].form for name in close)}? " if close else ""


def load(place: str) -> Any:
    """Return what `module:name` names, importing the module."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def listed(names: Iterable[str], word: str = "or") -> str:
    """Return names as a sentence has them: `a, b or c`."""
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last


def _user_form(spec: str) -> str:
    if not is_object_spec(spec):
        return ""
    return FILE_FORM if spec.rpartition(":")[0].endswith(".py") else MODULE_FORM
