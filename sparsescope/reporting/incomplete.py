"""Parts of a page that could not be made: each costs itself, and the page says so."""

import contextlib
from collections.abc import Iterator, Mapping

from sparsescope.reporting.formats import Content
from sparsescope.unexpected import in_one_line

__all__ = ["Failures", "Incomplete"]


class Failures(dict[str, Exception]):
    """What could not be made -> why."""

    @contextlib.contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Let what is raised in the block cost this part alone."""
        try:
            yield
        except Exception as error:
            self[part] = error

    def notes(self) -> list[str]:
        """Return a sentence on each, for readers of the page."""
        return [f"{part} could not be made: {in_one_line(error)}." for part, error in self.items()]


class Incomplete(Exception):
    """Raised by a format in place of returning: what there is of it, and why the rest could not be made."""

    def __init__(self, content: Content, failures: Mapping[str, Exception]) -> None:
        super().__init__("; ".join(Failures(failures).notes()))
        self.content, self.failures = content, failures
