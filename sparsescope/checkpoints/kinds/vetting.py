"""Programs that are looked at before torch reads them: its own readers unpickle, evaluate texts, and load libraries."""

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from sparsescope.archives import check_archive
from sparsescope.errors import ArtefactError

__all__ = ["vetted_program", "vetted_script"]

_PLACES = re.compile(
    r"[^/]+/(archive_format|archive_version|byteorder|version|\.data/(serialization_id|version)|\.format_version"
    r"|\.storage_alignment|models/[^/]+\.json|data/weights/.*|data/constants/.*|data/sample_inputs/.*|extra/.*)"
)
_OBJECTS = re.compile(r"data/(constants|weights)/(custom_obj|opaque_obj)")
_OPERATORS = re.compile(
    r"torch\.ops\.(aten|prims|higher_order|quantized|quantized_decomposed|torchvision|torchao)\.\w+(\.\w+)?"
    r"|torch\.(sym_\w+|_C\._nn\.\w+)|_operator\.(?!call|attrgetter|methodcaller)\w+|math\.\w+"
)
_WORDS = frozenset(
    re.findall(
        r"\w+",
        """Symbol positive nonnegative integer negative nonzero real finite Integer Float Rational Mul Add Pow Max Min
        Eq Ne Lt Le Gt Ge And Or Not Mod PythonMod FloorDiv CleanDiv CeilDiv ModularIndexing Identity Where evaluate
        True False BooleanTrue BooleanFalse oo int_oo TruncToInt ToFloat IntTrueDiv""",
    )
)
_EXPRESSION = re.compile(r"[\w\s(),'\"+\-*/%=<>]*")
_NAMES = re.compile(r"[A-Za-z_]\w*")
_SYMBOL = re.compile(r"[a-z]+\d+")
_FILES = re.compile(r"\btorch\.(save|load|from_file)\b|\bops\.(?!(aten|prim|prims|quantized|torchvision)\.)\w+\.")


def vetted_program(path: Path) -> io.BytesIO:
    """Return the content of a `.pt2` file without anything that could run code.

    `torch.export.load` unpickles objects, evaluates the texts of shapes, runs checks of inputs that a file brings, and
    loads compiled libraries. Objects, libraries and foreign texts are refused; the checks are left out.

    Raises:
        ArtefactError: it is damaged, or holds something that would run.
    """
    try:
        check_archive(path, checksums=True)
    except ValueError as error:
        raise ArtefactError(
            f"{path} is a damaged or truncated .pt2 file ({error}). Export or copy it again."
        ) from error
    clean = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(clean, "w", zipfile.ZIP_STORED) as kept:
        documents = {name: archive.read(name) for name in archive.namelist() if name.endswith(".json")}
        pickles = {
            each["path_name"]
            for document in documents.values()
            for each in _tables(json.loads(document))
            if each.get("use_pickle") and "path_name" in each
        }
        for name in archive.namelist():
            content = documents.get(name) or archive.read(name)
            if not _PLACES.fullmatch(name) or _OBJECTS.search(name) or ".." in name.split("/"):
                raise ArtefactError(f"{path} holds {name}, which could run code, and was not loaded. {_EXPORT}")
            if name.endswith(".json"):
                content = _vetted_json(content, path)
            elif name.rpartition("/")[2] in pickles or "/data/sample_inputs/" in name:
                _check_pickle(content, f"{path}: {name}")
            kept.writestr(name, content)
    clean.seek(0)
    return clean


_EXPORT = "Export the network anew with torch.export alone, or give its weights."


def vetted_script(path: Path) -> None:
    """Raise ArtefactError for a TorchScript archive that is damaged, or whose code reads or writes files."""
    try:
        names = check_archive(path, checksums=True)
    except ValueError as error:
        raise ArtefactError(f"{path} is a damaged or truncated TorchScript file ({error}). Copy it again.") from error
    with zipfile.ZipFile(path) as archive:
        for name in names:
            if name.endswith(".py") and (found := _FILES.search(archive.read(name).decode(errors="replace"))):
                raise ArtefactError(
                    f"{path} calls {found[0]} in {name.partition('/')[2]}, which may read or write files or run an "
                    "extension's code, and was not loaded. Give the network's weights."
                )


def _vetted_json(content: bytes, path: Path) -> bytes:
    document = json.loads(content)
    if isinstance(document, dict) and "guards_code" in document:
        document["guards_code"] = []
    for key, value in (entry for table in _tables(document) for entry in table.items()):
        check = _CHECKS.get(key)
        if check is not None and isinstance(value, str) and not check(value):
            raise ArtefactError(f"{path} holds {key} {value[:60]!r}, which could run code: not loaded. {_EXPORT}")
    return json.dumps(document).encode()


def _tables(document: Any) -> Iterator[dict[str, Any]]:
    """Yield all tables of a document, at any depth."""
    pending = [document]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            yield each
            pending.extend(each.values())
        elif isinstance(each, list):
            pending.extend(each)


def _is_expression(text: str) -> bool:
    names = _NAMES.findall(text)
    return bool(_EXPRESSION.fullmatch(text)) and all(name in _WORDS or _SYMBOL.fullmatch(name) for name in names)


def _is_operator(text: str) -> bool:
    return bool(_OPERATORS.fullmatch(text)) and "__" not in text


def _is_tensor_file(text: str) -> bool:
    return not text.startswith(("custom_obj", "opaque_obj", "/")) and ".." not in text


_CHECKS: dict[str, Callable[[str], bool]] = {
    "expr_str": _is_expression,
    "target": _is_operator,
    "path_name": _is_tensor_file,
}


def _check_pickle(content: bytes, name: str) -> None:
    try:
        torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        raise ArtefactError(
            f"{name} holds Python objects, and was not loaded: unpickling them could run code."
        ) from error
