"""Lines that commands print: file and layer names in them cannot command the terminal."""

import rich_click as click

from sparsescope.printable import printable

__all__ = ["echo"]


def echo(text: str, *, err: bool = False) -> None:
    """Print a line, to stderr if `err`; control characters in it are spelled out."""
    click.echo(printable(text), err=err)
