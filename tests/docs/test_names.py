"""Names that docstrings mention exist: `room.name`, `Class.name`, see `name`, and the rows of catalogues."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import sparsescope

FILES = re.compile(r"\.(?:py|json|csv|html|md|npy|pt|png|svg|toml|xml)$")


@cache
def modules() -> dict[str, ModuleType]:
    """Return every module of the package by its full name."""
    names = [name for _, name, _ in pkgutil.walk_packages(sparsescope.__path__, "sparsescope.")]
    return {name: importlib.import_module(name) for name in ["sparsescope", *names] if not name.endswith("__main__")}


@cache
def homes() -> dict[str, list[object]]:
    """Return what a dotted name may begin with: the package, a module's last name, a class, its name in lower case."""
    found: dict[str, list[object]] = {"sparsescope": [sparsescope]}
    for full, module in modules().items():
        found.setdefault(full.rpartition(".")[2], []).append(module)
        for name, value in vars(module).items():
            if inspect.isclass(value) and value.__module__ == full:
                found.setdefault(name, []).append(value)
                found.setdefault(name.lower(), []).append(value)  # as texts call an instance
    return found


@cache
def defined() -> frozenset[str]:
    """Return all names of functions, methods, classes and modules."""
    nodes = (node for module in modules().values() for node in ast.walk(tree(module)))
    return frozenset(homes()) | {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def tree(module: ModuleType) -> ast.Module:
    """Return the syntax of a module."""
    return ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))


def docstrings(module: ast.Module) -> Iterator[str]:
    """Yield the docstrings of a module, those below its constants and attributes too."""
    for node in ast.walk(module):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


@cache
def groups() -> frozenset[str]:
    """Return the names that stand in the code as a string, as those of entry points do."""
    nodes = (node for module in modules().values() for node in ast.walk(tree(module)))
    return frozenset(
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("sparsescope.")
    )


def has(thing: object, name: str) -> bool:
    """Whether a module or class has a name, or a class a field of it."""
    return hasattr(thing, name) or name in getattr(thing, "__annotations__", {})


def exists(dotted: str) -> bool:
    """Whether a dotted name leads somewhere from one of the places that it may begin with."""
    first, *rest = dotted.split(".")
    found = homes()[first]
    for name in rest:
        found = [getattr(thing, name, None) for thing in found if has(thing, name)]
    return bool(found)


def unknown(docstring: str, variables: frozenset[str] = frozenset()) -> list[str]:
    """Return the names in backticks that look like ours and do not exist; `variables` may be anything."""
    dotted = re.findall(r"`([A-Za-z_]\w*(?:\.\w+)+)(?:\(\))?`", docstring)
    ours = [name for name in dotted if name.partition(".")[0] in homes() and not FILES.search(name)]
    seen = re.findall(r"\b[Ss]ee(?: also)?\s+`(\w+)`", docstring)
    fixed = [name for name in ours if name.partition(".")[0] not in variables and name not in groups()]
    return [name for name in fixed if not exists(name)] + [name for name in seen if name not in defined()]


@pytest.mark.parametrize("name", sorted(modules()))
def test_names_in_docstrings_exist(name: str) -> None:
    syntax = tree(modules()[name])
    variables = frozenset(node.arg for node in ast.walk(syntax) if isinstance(node, ast.arg))
    assert not [missing for text in docstrings(syntax) for missing in unknown(text, variables)]


@pytest.mark.parametrize(
    "text",
    [
        "`pruning.gone` does it",
        "`Benchmark.gone`",
        "`sparsescope.metrics.gone`",
        "See `gone_function`.",
        "`Mask.gone()`",
    ],
)
def test_a_name_that_does_not_exist_is_found(text: str) -> None:
    assert unknown(text)


@pytest.mark.parametrize(
    "text",
    [
        "`Benchmark.test`",
        "`randomness.generator`",
        "`torch.fx`",
        "`curves.py`",
        "see `make_mask`",
        "`Mask.apply`",
        "`x.y`",
    ],
)
def test_names_that_exist_or_are_not_ours_are_left_alone(text: str) -> None:
    assert not unknown(text)


@pytest.mark.parametrize("name", [name for name, module in modules().items() if hasattr(module, "__path__")])
def test_a_catalogue_of_modules_lists_modules_that_exist(name: str) -> None:
    package = modules()[name]
    there = {entry.name for entry in pkgutil.iter_modules(package.__path__)}
    rows = re.findall(r"^ *(\w+)/?  +\S", package.__doc__ or "", flags=re.MULTILINE)
    strangers = [row for row in rows if row not in there]
    assert len(strangers) > len(rows) / 5 or not strangers  # others list names
