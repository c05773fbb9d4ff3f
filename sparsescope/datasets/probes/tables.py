"""CSV tables with a header, read by column name; what is wrong is collected, so that one error can say all of it."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["Row", "read_rows"]

Row = dict[str, str]


def read_rows(file: Path, columns: Sequence[str], problems: list[str]) -> Iterator[tuple[int, Row]]:
    """Yield (line number, column -> cell) of a CSV file; the header may have other columns, in any order.

    A file that is missing, unreadable, without a column or without rows, and rows of another length than the header,
    are appended to `problems` and left out.
    """
    rows = 0
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text)
            header = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = header
            lacking = [name for name in columns if name not in header]
            if lacking:
                problems.append(f"{file}: no column {', '.join(lacking)}; its header is: {','.join(header) or 'empty'}")
                return
            for row in reader:
                rows += 1
                if None in row or None in row.values():
                    problems.append(f"{file}, line {reader.line_num}: expected {len(header)} cells, as in the header")
                else:
                    yield reader.line_num, {name: cell.strip() for name, cell in row.items()}
    except FileNotFoundError:
        problems.append(f"{file} does not exist")
        return
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problems.append(f"{file} cannot be read: {error}")
        return
    if not rows:
        problems.append(f"{file} has no rows")
