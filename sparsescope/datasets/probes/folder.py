"""`probe:DIR`: a plain folder of images and PNG label maps, for the user's own segmentation data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparsescope.benchmark import Concept
from sparsescope.datasets.decoding import LARGEST_LABEL, opened
from sparsescope.datasets.image_folder import EXTENSIONS
from sparsescope.datasets.probes.on_disk import DiskProbeSet, Record, listed, unique_concepts
from sparsescope.datasets.source import Shape
from sparsescope.errors import DataError
from sparsescope.files import read_json
from sparsescope.values import is_whole

__all__ = ["open_labelled_folder"]

_CATEGORY = "object"


def open_labelled_folder(argument: str, shape: Shape) -> DiskProbeSet:
    """Return the images of a folder with their label maps, in the model's input shape; sorted names are the order.

    - `images/`: image files, at any depth.
    - `labels/`: one PNG per image, of the same path and stem: one channel of 8 or 16 bits (or a palette), or red + 256
      green; 0 means no label. More layers are in `labels_ANYTHING/`: a concept is where any layer has its number.
    - `labels.json`: {"1": "sky", "2": {"name": "wheel", "category": "part"}}; the category is `object` where none is
      named; null is a number to be ignored, such as 255 for "void".
    - `image_labels.json`, optional: {"beach.jpg": [7, 8]}, label numbers that hold for the whole image.

    Label maps that all have one size are used in it, others are brought to the model's input size by their nearest
    pixels. A map shows the whole frame of its image.

    Args:
        argument: the folder.
        shape: (C, H, W) of the model's input.

    Raises:
        DataError: files are missing, have no partner, or cannot be used; the text lists everything that is wrong. The
            pixels of images and maps are checked as they are read.
    """
    source, folder = f"probe:{argument}", Path(argument).expanduser()
    if not folder.is_dir():
        raise DataError(f"{source}: expected a folder with images/, labels/ and labels.json, but {folder} is none.")
    problems: list[str] = []
    concepts = _concepts(folder / "labels.json", problems)
    records = _records(folder, concepts, problems)
    sizes = {_size(folder / name, problems) for record in records for name in record.maps}
    if problems:
        raise DataError(f"{source}: expected images/, labels/ and labels.json, but:{listed(problems)}")
    label_shape = next(iter(sizes)) if len(sizes) == 1 else shape[1:]
    return DiskProbeSet(source, folder, shape, label_shape, concepts, records, any_size=len(sizes) > 1)


def _concepts(file: Path, problems: list[str]) -> dict[int, Concept | None]:
    """Return label number -> concept, in the order of the numbers; None for a number to be ignored."""
    found: dict[int, Concept] = {}
    ignored: dict[int, None] = {}
    for key, entry in _read_json(file, problems).items():
        number = int(key) if key.isascii() and key.isdecimal() and len(key) < 10 else 0
        names = entry if isinstance(entry, dict) else {"name": entry}
        name, category = names.get("name"), names.get("category", _CATEGORY)
        if not 1 <= number <= LARGEST_LABEL:
            problems.append(
                f"{file}: expected numbers from 1 to {LARGEST_LABEL}, since 0 means no label, but got {key!r}"
            )
        elif entry is None:
            ignored[number] = None
        elif not (isinstance(name, str) and name and isinstance(category, str) and category):
            problems.append(f'{file}: expected a name or {{"name": …, "category": …}} for {key}, but got {entry!r}')
        else:
            found[number] = Concept(name, category)
    if not found and not problems:
        problems.append(f"{file} names no labels")
    return {**unique_concepts(dict(sorted(found.items()))), **ignored}


def _records(folder: Path, concepts: Mapping[int, Concept | None], problems: list[str]) -> list[Record]:
    images = _files(folder / "images", EXTENSIONS)
    layers = sorted(place for place in (folder / "labels", *folder.glob("labels_*")) if place.is_dir())
    maps: dict[str, list[str]] = {}
    for layer in layers:
        for stem, names in _files(layer, (".png",)).items():
            maps.setdefault(stem, []).extend(f"{layer.name}/{name}" for name in names)
    whole = _image_labels(folder / "image_labels.json", concepts, problems)
    if not images:
        problems.append(f"{folder / 'images'} has no images ({' '.join(EXTENSIONS)})")
    for stem in sorted(set(maps) - set(images)) if images else ():
        problems.append(f"{folder / maps[stem][0]} has no image")
    records = []
    for stem, names in sorted(images.items()):
        name = names[0]
        if len(names) > 1:
            problems.append(f"{folder / 'images'}: {' and '.join(names)} would share one label map; rename one")
        if stem not in maps and name not in whole:
            problems.append(f"{folder / 'images' / name} has no label map {folder / 'labels' / stem}.png")
        records.append(Record(f"images/{name}", tuple(maps.get(stem, ())), whole.pop(name, ())))
    problems += [f"{folder / 'image_labels.json'}: there is no image {name}" for name in whole]
    return records


def _files(folder: Path, extensions: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the path without its ending -> the files of that path, all relative to `folder`."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in extensions and not path.name.startswith("."):
            name = path.relative_to(folder)
            found.setdefault(name.with_suffix("").as_posix(), []).append(name.as_posix())
    return found


def _image_labels(
    file: Path, concepts: Mapping[int, Concept | None], problems: list[str]
) -> dict[str, tuple[int, ...]]:
    if not file.exists():
        return {}
    found = {}
    for name, numbers in _read_json(file, problems).items():
        numbers = numbers if isinstance(numbers, list) else [numbers]
        if all(is_whole(number) and number in concepts for number in numbers):
            found[name] = tuple(numbers)
        else:
            problems.append(f"{file}: expected numbers of labels.json for {name}, but got {numbers}")
    return found


def _read_json(file: Path, problems: list[str]) -> dict[str, Any]:
    """Return the object in a JSON file; where that fails, say so in `problems` and return an empty one."""
    try:
        content = read_json(file)
    except FileNotFoundError:
        problems.append(f"{file} does not exist")
        return {}
    except (OSError, ValueError) as error:
        problems.append(f"{file} cannot be read: {error}")
        return {}
    if not isinstance(content, dict):
        problems.append(f"{file}: expected an object {{…}}, but got a {type(content).__name__}")
        return {}
    return content


def _size(file: Path, problems: list[str]) -> tuple[int, int]:
    """Return (height, width) from the header of a label map; where that fails, say so in `problems`."""
    try:
        with opened(file) as image:
            return image.height, image.width
    except Exception as error:  # decoders raise what they like
        problems.append(f"{file} cannot be read ({error})")
        return 0, 0
