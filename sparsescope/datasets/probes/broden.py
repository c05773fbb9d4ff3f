"""`broden:DIR`: Broden, ADE20K and other sets as NetDissect's builder writes them (Bau et al. 2017)."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from sparsescope.benchmark import Concept
from sparsescope.datasets.decoding import LARGEST_LABEL, MOST_PIXELS
from sparsescope.datasets.probes.on_disk import DiskProbeSet, Record, listed, unique_concepts
from sparsescope.datasets.probes.tables import Row, read_rows
from sparsescope.datasets.source import Shape
from sparsescope.errors import DataError
from sparsescope.files import is_inside

__all__ = ["open_broden"]

_INDEX = "index.csv"
_CATEGORY = re.compile(r"([^()]+)(?:\(\d+\))?")


def open_broden(argument: str, shape: Shape) -> DiskProbeSet:
    """Return the images of a Broden folder, or of one of its index files, in the model's input shape.

    Read are the index (columns `image`, `sh`, `sw` and one per category), `label.csv` (`number`, `name`, `category`),
    `category.csv` (`name`) and, where they are there, `c_CATEGORY.csv` (`number`, `coverage`). Files are relative
    to `images/`, and below it. As in the original reader, every label of `label.csv` is a concept, in the order of
    the numbers, also if no image shows it; a label of several categories belongs to the one that it covers most of;
    images without any label are left out. Label 0 means none.

    Args:
        argument: the folder, or one of its index files.
        shape: (C, H, W) of the model's input.

    Raises:
        DataError: files are missing, or a table does not fit; the text lists everything that is wrong. What is in
            images and label maps is checked as they are read.
    """
    source, path = f"broden:{argument}", Path(argument).expanduser()
    index = path if path.suffix.lower() == ".csv" else path / _INDEX
    folder = index.parent
    if not folder.is_dir():
        raise DataError(f"{source}: expected a folder with {_INDEX}, but {folder} is none.")
    problems: list[str] = []
    categories = [row["name"] for _, row in read_rows(folder / "category.csv", ("name",), problems)]
    concepts = _concepts(folder, categories, problems)
    records, sizes = _records(index, categories, concepts, problems)
    if not problems:
        problems += _missing_files(folder / "images", records)
    if problems:
        raise DataError(
            f"{source}: expected a folder as Broden's builder writes it ({index.name}, label.csv, category.csv, "
            f"images/), but:{listed(problems)}"
        )
    return DiskProbeSet(source, folder / "images", shape, next(iter(sizes)), concepts, records)


def _concepts(folder: Path, categories: Sequence[str], problems: list[str]) -> dict[int, Concept]:
    """Return label number -> concept, in the order of the numbers."""
    file, found = folder / "label.csv", dict[int, Concept]()
    coverage = _coverage(folder, categories, problems)
    for line, row in read_rows(file, ("number", "name", "category"), problems):
        number = _whole_number(row["number"])
        if number is None or not 1 <= number <= LARGEST_LABEL:
            problems.append(
                f"{file}, line {line}: expected a number from 1 to {LARGEST_LABEL}, since 0 means no label, "
                f"but got {row['number']!r}"
            )
            continue
        if number in found:
            problems.append(f"{file}, line {line}: number {number} comes twice")
        listed_categories = [_CATEGORY.fullmatch(item.strip()) for item in row["category"].split(";")]
        names = [match[1] for match in listed_categories if match]
        if not names or not row["name"]:
            problems.append(
                f"{file}, line {line}: expected a name and a category such as material(36);object(3), but got "
                f"{row['name']!r} and {row['category']!r}"
            )
            continue
        found[number] = Concept(row["name"], _primary(number, names, coverage))
    return unique_concepts(dict(sorted(found.items())))


def _coverage(folder: Path, categories: Sequence[str], problems: list[str]) -> dict[str, dict[int, float]]:
    """Return category -> label number -> how much of the images it covers in that category, where that is stored."""
    found: dict[str, dict[int, float]] = {}
    for category in categories:
        file = folder / f"c_{category}.csv"
        if file.parent != folder or not _is_file(file):
            continue
        found[category] = {}
        for line, row in read_rows(file, ("number", "coverage"), problems):
            try:
                found[category][int(row["number"])] = float(row["coverage"])
            except ValueError:
                problems.append(f"{file}, line {line}: number or coverage is no number")
    return found


def _primary(number: int, names: Sequence[str], coverage: Mapping[str, Mapping[int, float]]) -> str:
    """Return the category that a label covers most of, the last in `category.csv` of equals; else its most frequent."""
    order = list(coverage)
    stored = [name for name in names if number in coverage.get(name, {})]
    return max(stored, key=lambda name: (coverage[name][number], order.index(name)), default=names[0])


def _records(
    index: Path, categories: Sequence[str], concepts: Mapping[int, Concept], problems: list[str]
) -> tuple[list[Record], dict[tuple[int, int], int]]:
    """Return the images that show anything, and the size of the label maps (one, if all is well) -> its first line.

    Builders write sh = sw = 1 for images that have labels of the whole image only, so sizes count where there are maps.
    """
    numbers = set(concepts) if not problems else None  # a broken label list is one problem, not one of every line
    records, sizes, without_maps = list[Record](), dict[tuple[int, int], int](), dict[tuple[int, int], int]()
    for line, row in read_rows(index, ("image", "sh", "sw", *categories), problems):
        record = _record(row, categories)
        unknown = [str(number) for number in record.whole if numbers is not None and number not in numbers]
        height, width = _whole_number(row["sh"]), _whole_number(row["sw"])
        if unknown:
            problems.append(f"{index}, line {line}: label {', '.join(unknown)} is not in label.csv")
        elif not record.image or not height or not width:
            problems.append(
                f"{index}, line {line}: expected an image file and sizes sh and sw of its label maps, but got "
                f"{row['image']!r}, {row['sh']!r} and {row['sw']!r}"
            )
        elif outside := [name for name in (record.image, *record.maps) if not is_inside(name)]:
            problems.append(f"{index}, line {line}: expected files below images/, but got {outside[0]!r}")
        elif height * width > MOST_PIXELS:
            problems.append(f"{index}, line {line}: label maps of {height} x {width}, more than {MOST_PIXELS:,} pixels")
        elif record.maps or record.whole:
            records.append(record)
            (sizes if record.maps else without_maps).setdefault((height, width), line)
    if len(sizes) > 1:
        (first, line), (second, other) = list(sizes.items())[:2]
        problems.append(
            f"{index}: expected label maps of one size sh x sw, but line {line} has {first[0]} x {first[1]} and line "
            f"{other} has {second[0]} x {second[1]}"
        )
    if not records and not problems:
        problems.append(f"{index}: no image has a label")
    return records, sizes or without_maps


def _record(row: Row, categories: Sequence[str]) -> Record:
    items = [item.strip() for category in categories for item in row[category].split(";")]
    numbers = [_whole_number(item) for item in items]
    return Record(
        image=row["image"],
        maps=tuple(item for item, number in zip(items, numbers, strict=True) if item and number is None),
        whole=tuple(number for number in numbers if number),
    )


def _missing_files(folder: Path, records: Sequence[Record]) -> list[str]:
    if not folder.is_dir():
        return [f"{folder} does not exist"]
    names = dict.fromkeys(name for record in records for name in (record.image, *record.maps))
    return [f"{folder / name} does not exist" for name in names if not _is_file(folder / name)]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file can have
        return False


def _whole_number(cell: str) -> int | None:
    return int(cell) if cell.isascii() and cell.isdecimal() and len(cell) < 10 else None
