"""Reading a JSON file into a record: everything that can be wrong with it is an InputError that names the file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sparsescope.errors import InputError
from sparsescope.files import read_json

__all__ = ["explained", "read_record"]

R = TypeVar("R", bound=BaseModel)


def read_record(kind: type[R], path: Path, *, schema: str, name: str, hint: str = "") -> R:
    """Return the record in a file.

    Args:
        kind: the record's class.
        path: the file.
        schema: what the file must state under `schema`.
        name: what such a file is called, such as `an evaluation.json`.
        hint: what to say besides where the file cannot be read.

    Raises:
        InputError: the file cannot be read, is not JSON, states another schema or does not follow it; the text names
            the file and the first place that is wrong.
    """
    try:
        content = read_json(path)
        json.dumps(content, ensure_ascii=False).encode()  # half a surrogate pair could be read, but not written again
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.{hint}") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}). Expected {name}; was it cut off or changed?") from error
    found = content.get("schema") if isinstance(content, dict) else None
    if found != schema:
        raise InputError(f'Expected {path} to have "schema": "{schema}", but got {found!r}.')
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path} does not follow {schema}: {explained(error.errors()[0])}.") from error


def explained(problem: Mapping[str, Any]) -> str:
    """Return one of pydantic's errors as `place: what is wrong there`."""
    place = ".".join(map(str, problem["loc"])) or "the file"
    return f"{place}: {problem['msg'].removeprefix('Value error, ')}"
