"""Options whose choices and help are read from catalogues when they are used or shown: a new member needs no line here.

Nothing heavy is imported before an option's value is checked or its help is shown, and torch not even then.
"""

import difflib
import re
from collections.abc import Callable, Iterable
from importlib import resources
from typing import TYPE_CHECKING, Any

import rich_click as click
from click.shell_completion import CompletionItem
from typing_extensions import override

from sparsescope.specs import listed

__all__ = [
    "OneOf",
    "complete",
    "corruption_names",
    "derived_option",
    "metric_names",
    "spec_option",
    "sweep_recipes",
]

if TYPE_CHECKING:
    _Type = click.ParamType[str]
else:
    _Type = click.ParamType  # generic only from click 8.4 on


class OneOf(_Type):
    """One name of a catalogue, which is read when a value is converted or help is shown.

    Args:
        names: returns the names in the order in which help lists them.
        numbered: whether a number may follow a name, as in `cuda:1`.
    """

    name = "choice"

    def __init__(self, names: Callable[[], Iterable[str]], *, numbered: bool = False) -> None:
        self.names, self.numbered = names, numbered

    @override
    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        names = list(self.names())
        if (value.partition(":")[0] if self.numbered else value) not in names:
            close = difflib.get_close_matches(value, names, n=3)
            hint = f" Did you mean {listed(close)}?" if close else ""
            self.fail(f"expected {listed(names)}, but got {value!r}.{hint}", param, ctx)
        return value

    @override
    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"[{'|'.join(self.names())}]"

    @override
    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in self.names() if name.startswith(incomplete)]


Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def complete(names: Callable[[], Iterable[str]], *, or_file: bool = False) -> Complete:
    """Return what completes names in the shell, and files where none begins as what was typed does, if these go too."""

    def completed(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found = [CompletionItem(name) for name in names() if name.startswith(incomplete)]
        return found or ([CompletionItem(incomplete, type="file")] if or_file else [])

    return completed


def metric_names() -> list[str]:
    """Return the names of the metrics, those of other packages too."""
    from sparsescope.metrics import names

    return names()


def corruption_names() -> tuple[str, ...]:
    """Return the names of the corruptions."""
    from sparsescope.corruptions.tables import EXTRA, STANDARD

    return (*STANDARD, *EXTRA)


def sweep_recipes() -> list[str]:
    """Return the names of the sweeps that come with the package, without importing torch."""
    folder = resources.files("sparsescope") / "sweeps" / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def _data() -> str:
    from sparsescope.datasets import SOURCES

    return listed(SOURCES.forms(lambda entry: entry.labeled))


def _ood() -> str:
    from sparsescope.datasets import SOURCES

    return listed(SOURCES.forms())


def _far() -> str:
    from sparsescope.datasets import FAR

    return listed(FAR, "and")


def _probe() -> str:
    from sparsescope.datasets.probes import PROBES

    return listed(PROBES.forms())


def _corrupted() -> str:
    from sparsescope.corruptions import STORED_SETS

    return listed(STORED_SETS.forms())


def _arch() -> str:
    from sparsescope.architectures import BUILT_IN, LIBRARIES

    return listed([*BUILT_IN, *LIBRARIES.forms()])


def _forms() -> str:
    from sparsescope.outputs import FORMS

    return listed(FORMS)


def _gates() -> str:
    from sparsescope.verdict import GATES

    missing = {gate: listed(map(str.upper, sorted(missed)), "and") for gate, missed in GATES.items() if missed}
    return ", or for ".join(f"{outcomes} ({gate})" for gate, outcomes in missing.items())


def _files() -> str:
    from sparsescope.reporting.formats import FORMATS

    return listed(FORMATS, "and")


_LISTS = {
    "data": _data,
    "ood": _ood,
    "far": _far,
    "probe": _probe,
    "corrupted": _corrupted,
    "arch": _arch,
    "forms": _forms,
    "gates": _gates,
    "files": _files,
}
"""What stands for the members of a catalogue in a help text, such as `{data}`."""


class _DerivedOption(click.Option):
    """An option whose help text lists what catalogues hold when it is shown."""

    def __init__(self, *arguments: Any, help: str, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.template = help

    def _written(self) -> str:
        return re.sub(r"{(\w+)}", lambda place: _LISTS[place[1]](), self.template)

    def _kept(self, text: str | None) -> None:
        """Click sets the help that it was given: here the template stays."""

    help = property(_written, _kept)


def derived_option(*names: str, help: str, **settings: Any) -> Callable[[Any], Any]:
    """Return an option whose help has lists in it.

    Args:
        names: as for `click.option`.
        help: the text; a name of `_LISTS` in braces stands for the members of that catalogue.
        settings: as for `click.option`.
    """
    return click.option(*names, cls=_DerivedOption, help=help, **settings)


def spec_option(*names: str, help: str, **settings: Any) -> Callable[[Any], Any]:
    """Return an option that takes a SPEC; see `derived_option`."""
    return derived_option(*names, help=help, metavar="SPEC", **settings)
