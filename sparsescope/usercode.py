"""The code behind classes and functions, read for cache keys.

Of the user's files everything counts that they import in turn, wherever the import statement stands; installed packages
are taken as fixed. Modules that are found by name at run time alone (`importlib.import_module` inside of a function)
are not seen.
"""

import hashlib
import os
import sys
import time
from functools import cache
from importlib import metadata
from pathlib import Path
from types import FunctionType

from sparsescope.namesread import functions_in
from sparsescope.sources import imported_by, is_fixed, known_as, owner, read_source

__all__ = ["LOADED", "Code"]

LOADED: dict[str, str] = {}
"""Path -> SHA-256 of the source that was run, of files whose loading was seen (`userfiles.import_file`)."""


class Code:
    """The code behind classes and functions: add them, then read `digest` and `unread`.

    Attributes:
        unread: what could not be read, a phrase each; where there is any, the digest does not tell versions apart.
    """

    def __init__(self) -> None:
        self.unread: list[str] = []
        self._names: set[str] = set()
        self._files: dict[str, str] = {}  # path -> digest
        self._seen: set[int] = set()

    @property
    def digest(self) -> str:
        """SHA-256 over the names and sources of everything added; where the files lie does not matter."""
        return hashlib.sha256(repr((sorted(self._names), sorted(self._files.values()))).encode()).hexdigest()

    def add_class(self, kind: type) -> None:
        """Add a class, its bases, and the functions in them, wherever they were defined."""
        for base in kind.__mro__:
            if id(base) in self._seen:
                continue
            self._seen.add(id(base))
            self._names.add(f"{known_as(base.__module__)}.{base.__qualname__}")
            if is_fixed(base.__module__):
                continue
            self.add_module(base.__module__, base.__qualname__)
            for member in vars(base).values():
                for function in functions_in(member):
                    self.add_function(function)

    def add_function(self, function: FunctionType) -> None:
        """Add a function and what it wraps."""
        if id(function) in self._seen:
            return
        self._seen.add(id(function))
        name = str(function.__globals__.get("__name__"))
        self._names.add(f"{known_as(name)}.{function.__qualname__}")
        if isinstance(wrapped := getattr(function, "__wrapped__", None), FunctionType):
            self.add_function(wrapped)
        generated = function.__code__.co_filename.startswith("<") and function.__name__.startswith("__")
        if is_fixed(name) or generated:  # as the methods of dataclasses are
            return
        module = sys.modules.get(name)
        file = getattr(module, "__file__", None)
        if not file or not _same(file, function.__code__.co_filename):
            self.unread.append(f"{function.__qualname__} is not defined in a file that can be read")
        elif vars(module) is not function.__globals__:
            self.unread.append(f"{Path(file).name} was loaded again after {function.__qualname__} had been defined")
        else:
            self.add_module(name, function.__qualname__)

    def add_module(self, module: str, what: str = "") -> None:
        """Add a module, by its name; `what` of it is named where it cannot be read."""
        if is_fixed(module):
            return
        file = getattr(sys.modules.get(module), "__file__", None)
        source = read_source(file)
        if file is None or source is None:
            self.unread.append(f"{what or module} is not defined in a file that can be read")
        elif owner(file) == "user":
            for path in imported_by(file, module):
                self._add_file(path)
        else:
            self._files[file] = hashlib.sha256(source).hexdigest()
            self._names.add(_version(module.partition(".")[0]))

    def _add_file(self, path: str) -> None:
        if path in self._files:
            return
        source = read_source(path)
        if source is None or not path.endswith(".py"):
            self._files[path] = ""
            self.unread.append(f"{path} is not Python source that can be read")
            return
        self._files[path] = hashlib.sha256(source).hexdigest()
        if _in_memory(path) and not _is_what_was_loaded(path, self._files[path]):
            self.unread.append(f"{path} was changed after this process began")


@cache
def _version(package: str) -> str:
    """Return an installed package's name and version: what stands for the other files of the package."""
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package} {getattr(sys.modules.get(package), '__version__', '')}"


def _same(one: str, two: str) -> bool:
    return one == two or Path(one).resolve() == Path(two).resolve()


def _in_memory(path: str) -> bool:
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    name = Path(path).name
    return path in LOADED or any(file and file.endswith(name) and _same(file, path) for file in files)


def _is_what_was_loaded(path: str, digest: str) -> bool:
    """Python forgets which source it ran: a file that changed while this process ran may be another one by now."""
    if path in LOADED:
        return LOADED[path] == digest
    status = Path(path).stat()
    return max(status.st_mtime, status.st_ctime) < _STARTED


def _process_start() -> float:
    """Return when this process began, in seconds since the epoch; where that is not known, the time now."""
    try:
        ticks = int(Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError, IndexError):
        return time.time()
    return time.time() - age + 0.01  # one tick, for what is rounded off; no module is read as early as that


_STARTED = _process_start()  # on import: a forked process has the modules of its parent
