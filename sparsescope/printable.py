"""Texts as a terminal, a page or a table may show them, whoever wrote them."""

import re

__all__ = ["cell", "printable"]

# Control characters but tab and line feed, marks that reverse the direction of a line, and halves of surrogate pairs.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_FORMULA = ("=", "+", "-", "@", "\t")


def printable(text: str) -> str:
    r"""Return a text whose control characters are spelled out: file names and layers cannot command a terminal.

    Example:
        >>> from sparsescope.printable import printable
        >>> print(printable("conv\x1b[2J"))
        conv\x1b[2J
    """
    return _HIDDEN.sub(_spelled, text)


def cell(value: object) -> object:
    """Return a cell of a CSV table that no spreadsheet takes for a formula; numbers stay as they are."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _spelled(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
