"""The catalogue of pruning methods in help texts, read when help is asked for."""

import copy
import inspect
from typing import Any

import rich_click as click
from typing_extensions import override

from sparsescope.cli.choices import complete
from sparsescope.pruning import help_lines, names

__all__ = ["WithMethods", "complete_method"]


class WithMethods(click.RichCommand):
    """A command in whose help `{methods}` stands for a line on every method, and `{names}` for their names."""

    @override
    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help of a copy of this command, so that its own texts stay as they are."""
        shown = copy.copy(self)
        shown.help = _filled(self.help)
        shown.params = [copy.copy(parameter) for parameter in self.params]
        for parameter in shown.params:
            if isinstance(parameter, click.Option):
                parameter.help = _filled(parameter.help)
        click.RichCommand.format_help(shown, ctx, formatter)


complete_method = complete(names)


def _filled(text: str | None) -> str | None:
    if text is None or "{" not in text:
        return text
    lines = "\n".join(f"{name:<10}{sentence}" for name, sentence in help_lines().items())
    return inspect.cleandoc(text).replace("{methods}", "\b\n" + lines).replace("{names}", ", ".join(names()))
