"""Folders of weights: which file in them is meant, and which parts a set of weights was split into."""

from collections.abc import Sequence
from pathlib import Path

from sparsescope.errors import ArtefactError
from sparsescope.files import read_json

__all__ = ["INDEX", "PUBLISHED", "parts_of", "weight_file"]

INDEX = ".index.json"
"""How the name of a file ends that says which part has which tensor, after the format: `.safetensors.index.json`."""

PUBLISHED = ("model.safetensors", f"model.safetensors{INDEX}", "pytorch_model.bin", f"pytorch_model.bin{INDEX}")
"""What published weights are called in the folder of a hub, of which the first counts where there are several."""

_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".th", ".ckpt", ".tar", ".npz")


def weight_file(folder: Path, names: Sequence[str] = ()) -> Path:
    """Return the file of weights in a folder: the first of `names` that is there, else the only one.

    The parts of an index count as one, by the index.

    Raises:
        ArtefactError: there is none, or there are several; the text lists them.
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
    files = sorted(file for file in folder.iterdir() if file.is_file())
    indices = [file for file in files if file.name.endswith(tuple(f"{suffix}{INDEX}" for suffix in _SUFFIXES))]
    parts = {part for index in indices for part in parts_of(index)}
    found = [*indices, *(file for file in files if file.suffix in _SUFFIXES and file not in parts)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(file.name for file in found)
    if found:
        raise ArtefactError(f"{folder} holds several files of weights: {listed}. Give the one that is meant.")
    there = ", ".join(file.name for file in files[:8])
    raise ArtefactError(
        f"Expected {folder} to hold one file of weights ({', '.join(_SUFFIXES)}) or a distributed checkpoint of torch "
        f"(.metadata), but it holds {there or 'no files'}."
    )


def parts_of(index: Path) -> dict[Path, list[str]]:
    """Return the files that an index names, all of them there, each with the names of its tensors.

    Raises:
        ArtefactError: the index is damaged, names files elsewhere, or some of them are missing.
    """
    try:
        document = read_json(index)
    except ValueError as error:
        raise ArtefactError(f"{index} is no index of weights: {error}. Copy it again.") from error
    places = document.get("weight_map") if isinstance(document, dict) else None
    names = list(places.values()) if isinstance(places, dict) else []
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise ArtefactError(f"{index} is no index of weights: expected weight_map, from tensors to files beside it.")
    assert isinstance(places, dict)
    missing = sorted({name for name in names if not (index.parent / name).is_file()})
    if missing:
        raise ArtefactError(f"{index} names {', '.join(missing)}, which is not there. Copy the whole folder again.")
    found: dict[Path, list[str]] = {}
    for tensor, name in places.items():
        found.setdefault(index.parent / name, []).append(tensor)
    return found
