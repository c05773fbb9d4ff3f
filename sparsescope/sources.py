"""Source files: whose code they hold, and which others they import.

A file belongs to the user unless it is Python's, sparsescope's, or lies among the installed packages.
"""

import ast
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib.machinery import all_suffixes
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Literal

__all__ = ["BY_PATH", "imported_by", "is_fixed", "known_as", "owner", "read_source"]

BY_PATH = "sparsescope_user_"
"""How the names of modules begin that were imported by their files' paths, which the rest of the name is made of."""

Owner = Literal["python", "installed", "sparsescope", "user"]


@cache
def owner(file: str) -> Owner:
    """Return whose code a file holds."""
    path = Path(file).resolve()
    if path.is_relative_to(Path(__file__).resolve().parent):
        return "sparsescope"
    paths = sysconfig.get_paths()
    packages = [paths["purelib"], paths["platlib"], *site.getsitepackages(), site.getusersitepackages()]
    if {"site-packages", "dist-packages"} & set(path.parts) or any(path.is_relative_to(folder) for folder in packages):
        return "installed"
    standard = any(path.is_relative_to(Path(paths[name]).resolve()) for name in ("stdlib", "platstdlib"))
    return "python" if standard else "user"


def is_fixed(module: str) -> bool:
    """Return whether a module is Python's or torch's, which are taken as they are."""
    top, file = module.partition(".")[0], getattr(sys.modules.get(module), "__file__", None)
    return top == "torch" or (owner(file) == "python" if file else top in sys.stdlib_module_names)


def known_as(module: str) -> str:
    """Return a module's name in any process, and wherever the file lies that it was imported from by path.

    Where Python starts another process, the script has another name there.
    """
    return "__main__" if module == "__mp_main__" else BY_PATH if module.startswith(BY_PATH) else module


def imported_by(file: str, name: str, *, loaded: bool = True) -> tuple[str, ...]:
    """Return the paths of a user's module and of all the user's modules that it imports, directly or in turn.

    Args:
        file: the module's file.
        name: its name, from which relative imports are resolved.
        loaded: whether what loaded modules hold counts beside their import statements.
    """
    found: dict[str, None] = {}
    waiting = [(file, name)]
    while waiting:
        path, module = waiting.pop()
        path = str(Path(path).resolve())
        if path in found:
            continue
        found[path] = None
        package = getattr(sys.modules.get(module), "__package__", None)
        if package is None:
            package = module if Path(path).stem == "__init__" else module.rpartition(".")[0]
        held = _held_by(module) if loaded else ()
        for imported in sorted({*_import_statements(read_source(path) or b"", package), *held}):
            other = _file_of(imported)
            if other and owner(other) == "user":
                waiting.append((other, imported))
    return tuple(found)


@lru_cache(maxsize=4096)
def _import_statements(source: bytes, package: str) -> frozenset[str]:
    """Return the names of the modules that a source imports; of `from a import b` both `a` and `a.b`."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return frozenset()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return frozenset(prefix for name in names for prefix in _prefixes(name))


def _prefixes(name: str) -> Iterator[str]:
    """Importing `a.b.c` runs `a` and `a.b` as well."""
    parts = name.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def _held_by(module: str) -> Iterator[str]:
    """Yield the modules of what a module's names refer to, however they came there."""
    for value in list(vars(sys.modules[module]).values()) if module in sys.modules else ():
        if isinstance(value, ModuleType):
            yield value.__name__
        elif isinstance(value, type | FunctionType) and isinstance(value.__module__, str):
            yield value.__module__


def _file_of(name: str) -> str | None:
    """Return the file of a module, whether or not it is loaded, without running anything; None where it has none."""
    file: str | None = None
    places = sys.path
    for prefix in _prefixes(name):
        if file is not None and owner(file) != "user":
            return None
        if (module := sys.modules.get(prefix)) is not None:
            file, places = getattr(module, "__file__", None), list(getattr(module, "__path__", ()))
        elif (found := _find(prefix.rpartition(".")[2], places)) is not None:
            file, places = found
        else:
            return None
    return file


def _find(name: str, places: Iterable[str]) -> tuple[str | None, list[str]] | None:
    """Return the file of a module or package in the first of some folders that has it, and where its parts lie."""
    folders = [Path(place) / name for place in places]
    for folder in folders if name else ():
        for suffix in all_suffixes():
            if (init := folder / f"__init__{suffix}").is_file():
                return str(init), [str(folder)]
            if (file := folder.with_name(f"{name}{suffix}")).is_file():
                return str(file), []
    without_init = [str(folder) for folder in folders if name and folder.is_dir()]
    return (None, without_init) if without_init else None


def read_source(path: Any) -> bytes | None:
    """Return a file's content, or None if it cannot be read."""
    try:
        return Path(path).read_bytes()
    except (OSError, TypeError, ValueError):
        return None
