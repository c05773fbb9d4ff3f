"""User code by spec: `FILE.py:name` or `package.module:name` -> the object of that name.

Loading a file runs it: that is the user's choice. A file is imported once under a name that depends on its path alone,
and that name is entered in `sys.modules`: so objects of its classes can be pickled, and another process can read them
after it has imported the same files (`imported_files`, `import_file`). It runs again when it or one of the user's
modules that it imports has changed.
"""

import difflib
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Collection
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

from sparsescope.errors import InputError, OptionError
from sparsescope.sources import BY_PATH, imported_by
from sparsescope.usercode import LOADED

__all__ = [
    "file_digests",
    "import_file",
    "imported_files",
    "is_object_spec",
    "load_object",
    "object_name",
    "without_place",
]

_IMPORTED: dict[str, str] = {}  # absolute path -> SHA-256 of the sources that were run: its own, and its neighbours'
_OURS: set[str] = set()  # paths of those neighbours that nobody else had loaded before
_APART: set[str] = set()  # absolute paths that were imported for code that is no part of a network


def is_object_spec(spec: str) -> bool:
    """Return whether `spec` has the form `FILE.py:name` or `package.module:name`."""
    place, _, name = spec.rpartition(":")
    return name.isidentifier() and (place.endswith(".py") or all(part.isidentifier() for part in place.split(".")))


def object_name(spec: str) -> str:
    """Return the name in `FILE.py:name` or `package.module:name`; anything else as it is."""
    return spec.rpartition(":")[2] if is_object_spec(spec) else spec


def without_place(spec: str) -> str:
    """Return `FILE.py:name` without the file's place and name, which decide nothing; anything else as it is.

    Example:
        >>> from sparsescope.userfiles import without_place
        >>> without_place("networks/mine.py:net"), without_place("torchvision:resnet18")
        ('.py:net', 'torchvision:resnet18')
    """
    place, _, name = spec.rpartition(":")
    return f".py:{name}" if place.endswith(".py") and is_object_spec(spec) else spec


def load_object(spec: str, *, of_network: bool = True) -> object:
    """Return the object that `FILE.py:name` or `package.module:name` names.

    Args:
        spec: such a text.
        of_network: whether the code may be part of a network, so that fingerprints of networks hold its file.

    Raises:
        OptionError: `spec` has another form.
        InputError: the file or module cannot be imported, or has no such name; the text gives the cause.

    Example:
        >>> from pathlib import Path
        >>> from sparsescope.userfiles import load_object
        >>> _ = Path("mine.py").write_text("answer = 42")
        >>> load_object("mine.py:answer")
        42
    """
    if not is_object_spec(spec):
        raise OptionError(f"Expected FILE.py:name or package.module:name, but got {spec!r}.")
    place, _, name = spec.rpartition(":")
    module = import_file(place, of_network=of_network) if place.endswith(".py") else _import_module(place)
    try:
        return getattr(module, name)
    except AttributeError:
        raise InputError(f"{place} has no {name!r}. {_public_names(module, name)}") from None


def import_file(path: str | Path, *, of_network: bool = True) -> ModuleType:
    """Import a Python file and return its module; it runs again only if it, or a module it imports, has changed.

    The file's folder is appended to `sys.path`, so that it can import its neighbours.

    Raises:
        InputError: there is no such file, or running it raised; the text names file, line and cause.
    """
    file = Path(path).expanduser().resolve()
    try:
        source = file.read_bytes()
    except OSError as error:
        raise InputError(f"Expected a Python file at {path}, but it cannot be read: {error.strerror}.") from error
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))  # last: a neighbour must not hide an installed module
    name, sources = _module_name(file), _digests(file, source)
    digest = _combined(list(sources.values()))
    if name not in sys.modules or _IMPORTED.get(str(file)) != digest:
        _run_anew(file, name, source, sources)
        if not of_network and str(file) not in _IMPORTED:
            _APART.add(str(file))
        _IMPORTED[str(file)] = digest
    if of_network:
        _APART.discard(str(file))
    return sys.modules[name]


def _digests(file: Path, source: bytes) -> dict[str, str]:
    """Return path -> SHA-256 of the file's source and of those of all the user's modules that it imports."""
    importlib.invalidate_caches()  # a neighbour may be new
    found = imported_by(str(file), _module_name(file), loaded=False)
    neighbours = [path for path in found if path != str(file)]
    sources = {str(file): source} | {path: Path(path).read_bytes() for path in neighbours}
    return {path: hashlib.sha256(content).hexdigest() for path, content in sources.items()}


def _combined(digests: list[str]) -> str:
    return digests[0] if len(digests) == 1 else hashlib.sha256(repr(sorted(digests)).encode()).hexdigest()


def _run_anew(file: Path, name: str, source: bytes, sources: dict[str, str]) -> None:
    """Run the file, and those of its neighbours that have changed whenever it imports them.

    Neighbours that somebody else has loaded are left alone.
    """
    changed = {path for path in sources if LOADED.get(path, sources[path]) != sources[path]}
    others = set()
    for module, path in _loaded_from(sources).items():
        if path not in _OURS:
            others.add(path)
        elif changed.intersection(imported_by(path, module, loaded=False)):
            del sys.modules[module]
    _run(file, name, source)
    ours = {path: digest for path, digest in sources.items() if path not in others or path == str(file)}
    _OURS.update(ours)
    LOADED.update(ours)


def _loaded_from(paths: Collection[str]) -> dict[str, str]:
    """Return module -> path of the loaded modules that lie at some paths."""
    names, found = {Path(path).name for path in paths}, {}
    for name, module in list(sys.modules.items()):
        file = Path(str(getattr(module, "__file__", None)))
        if file.name in names and not name.startswith(BY_PATH) and (path := str(file.resolve())) in paths:
            found[name] = path
    return found


def imported_files() -> tuple[str, ...]:
    """Return the absolute paths imported so far, in order: what a worker process imports before it unpickles."""
    return tuple(_IMPORTED)


def file_digests() -> tuple[str, ...]:
    """Return a SHA-256 of every file imported so far that networks may depend on, with its neighbours.

    A file that was imported from several places, as it was moved or copied, counts once.
    """
    return tuple(sorted({digest for path, digest in _IMPORTED.items() if path not in _APART}))


def _module_name(file: Path) -> str:
    return f"{BY_PATH}{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:12]}"


def _run(file: Path, name: str, source: bytes) -> None:
    loader = SourceFileLoader(name, str(file))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    before, write_nothing = sys.modules.get(name), sys.dont_write_bytecode
    sys.modules[name] = module
    sys.dont_write_bytecode = True  # a .pyc knows its source by second and size alone: it may be of an older one
    try:
        # Compiled from the bytes that were hashed: no .pyc beside the user's file, and never a stale one.
        exec(loader.source_to_code(source, str(file)), module.__dict__)
    except (Exception, SystemExit) as error:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise InputError(f"{file} could not be imported: {_cause(error, str(file))}") from error
    finally:
        sys.dont_write_bytecode = write_nothing


def _import_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        hint = " Is it installed, or on PYTHONPATH?" if isinstance(error, ModuleNotFoundError) else ""
        raise InputError(f"The module {name} could not be imported: {_cause(error)}{hint}") from error


def _cause(error: BaseException, file: str | None = None) -> str:
    if isinstance(error, SystemExit):
        return "it ends the program. Put what only a script should do under `if __name__ == '__main__':`."
    line = error.lineno if isinstance(error, SyntaxError) else None
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == file:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}" + (f" (line {line})." if file and line else ".")


def _public_names(module: ModuleType, wanted: str) -> str:
    names = [name for name in vars(module) if not name.startswith("_")]
    close = difflib.get_close_matches(wanted, names, n=3)
    if close:
        return f"Did you mean {' or '.join(repr(name) for name in close)}?"
    own = [name for name in names if getattr(getattr(module, name), "__module__", None) == module.__name__]
    return f"It defines {', '.join(own)}." if own else "It defines no functions or classes."
