"""Files that are complete or not there, and texts that are read whatever is in them.

No half-written file stays, and no older one is lost. JSON without nan; JSON and TOML of bounded size and depth, so that
a damaged or hostile file is an error and never a crash.
"""

import contextlib
import csv
import hashlib
import io
import json
import math
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from sparsescope.errors import InputError
from sparsescope.printable import cell

__all__ = [
    "csv_table",
    "digest_of",
    "is_inside",
    "parse_toml",
    "read_json",
    "read_toml",
    "replacing",
    "write_atomically",
]

LARGEST_JSON = 32 * 2**20
LARGEST_TOML = 256 * 2**10
"""Bytes; a parsed text needs up to 25 times its size in memory, and TOML is slow to read."""
DEEPEST = 100
"""Levels of nesting."""
MOST_PARTS = 1_000_000
"""Lists and tables; each that does not fit makes an error of its own before one is shown."""

_PART = r"""(?:"[^"\n]*"|'[^'\n]*'|[\w-]++)"""
_LONG_KEY = re.compile(rf"(?<![\w-])(?:{_PART}[ \t]*\.[ \t]*){{{DEEPEST}}}")


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which takes its place at the end of the block, or vanishes on any error.

    Raises:
        InputError: the file cannot be written: no such folder, no permission, disk full.
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise InputError(f"Cannot write {path}: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a whole file; see `replacing`."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def csv_table(header: Sequence[str], rows: Iterable[Iterable[object]]) -> bytes:
    """Return a CSV table; texts that a spreadsheet would take for formulas begin with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def is_inside(name: str) -> bool:
    """Return whether a path that a file names stays in the folder that it is relative to, links aside."""
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts


def digest_of(*paths: Path) -> str:
    """Return the SHA-256 of a file, or of the names and contents of several."""
    digests = []
    for path in sorted(paths):
        with path.open("rb") as file:
            digests.append((path.name, hashlib.file_digest(file, "sha256").hexdigest()))
    return digests[0][1] if len(digests) == 1 else hashlib.sha256(repr(digests).encode()).hexdigest()


def read_json(path: str | Path) -> Any:
    """Return the content of a JSON file as RFC 8259 has it; Python's own reader lets NaN and Infinity pass.

    Raises:
        ValueError: the text is not JSON, too large or too deep, or holds a number that is not finite; the text names
            it.
        OSError: the file cannot be read.
    """
    content = _read(Path(path), LARGEST_JSON)
    try:
        return _shallow(json.loads(content, parse_constant=_refuse, parse_float=_finite))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the content of a TOML file; raises as `read_json`."""
    return parse_toml(_read(Path(path), LARGEST_TOML).decode("utf-8-sig"))


def parse_toml(text: str) -> dict[str, Any]:
    """Return the content of a TOML text; raises ValueError if it is none, too long or too deep."""
    if len(text) > LARGEST_TOML:
        raise ValueError(f"it is longer than {LARGEST_TOML // 2**10} kB")
    if _LONG_KEY.search(text):
        raise ValueError(f"it has a key of more than {DEEPEST} parts")
    try:
        content: dict[str, Any] = _shallow(tomllib.loads(text))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return content


def _read(path: Path, largest: int) -> bytes:
    with path.open("rb") as file:  # never more than that, also of a pipe or a device
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"it is larger than {largest // 2**10:,} kB")
    return content


def _shallow(content: Any) -> Any:
    """Return a content of at most `DEEPEST` levels and `MOST_PARTS` lists and tables; raises ValueError otherwise."""
    level, parts = [content], 0
    for _ in range(DEEPEST):
        holders = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        parts += len(holders)
        if parts > MOST_PARTS:
            raise ValueError(f"it has more than {MOST_PARTS:,} lists and tables")
        if not holders:
            return content
        level = [item for holder in holders for item in holder]
    raise ValueError("it is nested too deeply")


def _refuse(number: str) -> NoReturn:
    raise ValueError(f"it holds {number}, where JSON has null for what was not measured")


def _finite(number: str) -> float:
    return value if math.isfinite(value := float(number)) else _refuse(number)
