"""The console that tables and progress are drawn on. It imports rich: import it where something is drawn."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from typing_extensions import override

from sparsescope.printable import printable

__all__ = ["SafeConsole"]


class SafeConsole(Console):
    """A console that spells out control characters in what it is given; its own colors stay."""

    @override
    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)
