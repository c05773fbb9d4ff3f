"""Identity: a SHA-256 of values and of the code behind them, which says when two results must be the same."""

import argparse
import enum
import functools
import hashlib
import weakref
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType, SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from sparsescope.namesread import functions_in, is_users_module, values_read
from sparsescope.sources import is_fixed, known_as
from sparsescope.usercode import Code

__all__ = ["Fingerprint", "Identity"]

_PLAIN = (
    *(type(None), bool, int, float, complex, str, bytes, slice, range, PurePath, np.generic),
    *(torch.dtype, torch.device, torch.Size, torch.memory_format, torch.layout),
)


@dataclass(frozen=True)
class Identity:
    """What something is, in a text.

    Args:
        digest: SHA-256; equal for equal things.
        unread: what of it could not be read, a phrase each. Where there is any, different things may have one digest,
            so it must not be the key of anything that is kept.
    """

    digest: str
    unread: tuple[str, ...] = ()


class Fingerprint:
    """Takes up values one after the other.

    Objects count by class and attributes, functions by code, closure and the values of the names that they read.
    """

    def __init__(self) -> None:
        self._digest, self._code = hashlib.sha256(), Code()
        self._unread: list[str] = []
        self._within: list[int] = []  # ids of the objects that are being taken up, for those that hold themselves
        self._read: dict[int, object] = {}  # functions and classes whose names have been looked up

    @property
    def identity(self) -> Identity:
        """The identity of everything added so far."""
        digest = hashlib.sha256(f"{self._digest.hexdigest()}{self._code.digest}".encode()).hexdigest()
        return Identity(digest, tuple(dict.fromkeys([*self._code.unread, *self._unread])))

    def add(self, *values: object) -> None:
        """Add values of any kind, in this order."""
        for value in values:
            self._digest.update(f"<{type(value).__qualname__}>".encode())
            self._add(value)
            self._digest.update(b";")

    def _add(self, value: object) -> None:
        if isinstance(value, _PLAIN):
            self._digest.update(repr(value).encode())
        elif isinstance(value, Tensor):
            values = value.detach().cpu().contiguous()
            self._digest.update(f"{values.dtype}|{tuple(values.shape)}|".encode())
            self._digest.update(values.reshape(-1).view(torch.uint8).numpy().tobytes() if values.numel() else b"")
        elif isinstance(value, np.ndarray):
            self._digest.update(f"{value.dtype}|{value.shape}|".encode() + np.ascontiguousarray(value).tobytes())
        elif id(value) in self._within:
            self._digest.update(str(self._within.index(id(value))).encode())
        else:
            self._within.append(id(value))
            self._add_composed(value)
            self._within.pop()

    def _add_composed(self, value: object) -> None:
        if isinstance(value, type):
            self._add_class(value)
        elif isinstance(value, FunctionType):
            self._add_function(value)
        elif isinstance(value, MethodType):
            self.add(value.__func__, value.__self__)
        elif isinstance(value, BuiltinFunctionType):
            self._digest.update(f"{value.__module__}.{value.__qualname__}".encode())
        elif isinstance(value, ModuleType):
            self._digest.update(value.__name__.encode())
            self._code.add_module(value.__name__)
        elif isinstance(value, enum.Enum):
            self.add(type(value), value.name)
        elif isinstance(value, functools.partial):
            self.add(value.func, value.args, value.keywords)
        elif isinstance(value, weakref.ReferenceType):
            self.add(value())
        elif isinstance(value, Mapping):
            self.add(*(item for pair in value.items() for item in pair))
        elif isinstance(value, Set):
            self.add(*sorted(value, key=repr))
        elif isinstance(value, list | tuple):
            self.add(*value)
        elif hasattr(value, "__dict__"):
            self.add(type(value), dict(sorted(vars(value).items())))
        else:
            self._unread.append(f"the content of a {type(value).__name__} cannot be read")

    def _add_class(self, kind: type) -> None:
        """Add a class: its code, and what its functions and plain attributes were given where it was made."""
        self._code.add_class(kind)
        self._digest.update(f"{known_as(kind.__module__)}.{kind.__qualname__}".encode())
        for base in kind.__mro__:
            for name, member in sorted(vars(base).items()) if is_users_module(base.__module__) else ():
                for function in functions_in(member):
                    self._add_given(function)
                    self._add_read(function)
                if not name.startswith("__") and _is_value(member):
                    self.add(name, member)

    def _add_function(self, function: FunctionType) -> None:
        self._code.add_function(function)
        self._digest.update(f"{known_as(str(function.__module__))}.{function.__qualname__}".encode())
        self._add_given(function)
        self._add_read(function)

    def _add_given(self, function: FunctionType) -> None:
        """Add what a function was given when it was made: the values that it closes over, and its defaults.

        Of Python's and torch's own functions, such as decorators, only the functions that they wrap count.
        """
        cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
        if is_fixed(str(function.__globals__.get("__name__"))):
            cells = [value for value in cells if isinstance(value, FunctionType | MethodType)]
        if (given := (cells, function.__defaults__, function.__kwdefaults__)) != ([], None, None):
            self.add(*given)

    def _add_read(self, function: FunctionType) -> None:
        """Add the values of the names that a user's function reads, and what functions and classes among them read."""
        if id(function) in self._read or not is_users_module(str(function.__globals__.get("__name__"))):
            return
        self._read[id(function)] = function
        for name, value in values_read(function):
            if isinstance(value, type | FunctionType):
                if id(value) not in self._read and is_users_module(str(value.__module__)):
                    if isinstance(value, type):
                        self._read[id(value)] = value
                    self.add(name, value)
            elif _is_value(value):
                self.add(name, value)


def _is_value(value: object, depth: int = 8) -> bool:
    """Return whether numbers can depend on a named object: data, networks, and objects of the user's own classes.

    Of others, such as loggers and locks, nothing can be said.
    """
    if isinstance(value, (*_PLAIN, Tensor, np.ndarray, torch.nn.Module, enum.Enum)):
        return True
    if isinstance(value, argparse.Namespace | SimpleNamespace):
        value = vars(value)
    if isinstance(value, Mapping):
        value = [item for pair in value.items() for item in pair]
    if isinstance(value, list | tuple | Set):
        return depth > 0 and all(_is_value(item, depth - 1) for item in value)
    return not callable(value) and is_users_module(type(value).__module__)


def _is_filled(cell: object) -> bool:
    try:
        return (cell.cell_contents, True)[1]  # type: ignore[attr-defined]
    except ValueError:
        return False
