"""A catalogue is the only list of its kind: nowhere else are its members spelled out again."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import sparsescope
from sparsescope.architectures import BUILT_IN, LIBRARIES
from sparsescope.corruptions import STORED_SETS
from sparsescope.datasets import SOURCES
from sparsescope.datasets.probes import PROBES
from sparsescope.devices import DEVICES, Precision
from sparsescope.lime import SUPERPIXELS
from sparsescope.metrics import CATALOGUE as METRICS
from sparsescope.metrics.ood_auroc import SCORES
from sparsescope.presets import preset_names
from sparsescope.pruning import CATALOGUE as METHODS
from sparsescope.reporting.formats import FORMATS
from sparsescope.results import DIMENSIONS
from sparsescope.training import recipe_names
from sparsescope.verdict import GATES

PACKAGE = Path(sparsescope.__file__).parent

# What it lists -> its members, and the file that lists them.
CATALOGUES = {
    # What is measured under corruption has three of its quantities in common with the metrics.
    "metrics": (METRICS.keys() - {"ece", "sce", "nll"}, "metrics/__init__.py"),
    "dimensions": (DIMENSIONS, "results/records.py"),
    "pruning methods": (METHODS, "pruning/catalogue.py"),
    "training recipes": (recipe_names(), ""),
    "data sources": (SOURCES, "datasets/__init__.py"),
    "probe sets": (PROBES, "datasets/probes/__init__.py"),
    "stored corrupted sets": (STORED_SETS, "corruptions/__init__.py"),
    "built-in architectures": (BUILT_IN, "architectures/catalogue.py"),
    "other packages' architectures": (LIBRARIES, "architectures/catalogue.py"),
    "presets": (preset_names(), ""),
    "superpixels": (SUPERPIXELS, "lime/superpixels.py"),
    "devices": (DEVICES, "devices.py"),
    "precisions": (get_args(Precision), "devices.py"),
    "gates": (GATES, "verdict.py"),
    "scores": (SCORES, "metrics/ood_auroc.py"),
    "formats": (FORMATS, "reporting/formats.py"),
}
FORMS = {entry.form for catalogue in (SOURCES, PROBES, STORED_SETS, LIBRARIES) for entry in catalogue.values()}


def texts(nodes: list[ast.expr | None]) -> set[str]:
    return {str(node.value) for node in nodes if isinstance(node, ast.Constant)}


def collections(tree: ast.Module) -> Iterator[tuple[int, set[str]]]:
    """Yield line and texts of every list, tuple, set, key list of a dictionary and group of arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            yield node.lineno, texts(list(node.elts))
        elif isinstance(node, ast.Dict):
            yield node.lineno, texts(list(node.keys))
        elif isinstance(node, ast.Call):
            yield node.lineno, texts(list(node.args))


def copies(source: str, members: set[str]) -> list[int]:
    """Return the lines where a file lists three or more of the members, or all of fewer; `__all__` names its own."""
    many, tree = min(3, len(members)), ast.parse(source)
    tree.body = [node for node in tree.body if not ast.unparse(node).startswith("__all__ =")]
    return [line for line, found in collections(tree) if len(found & members) >= many]


def docstrings(tree: ast.Module) -> set[int]:
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


@pytest.mark.parametrize("name", CATALOGUES)
def test_nothing_lists_the_members_again(name: str) -> None:
    members, home = CATALOGUES[name]
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != PACKAGE / home
        for line in copies(path.read_text(encoding="utf-8"), set(members))
    ]
    assert not found, f"{name} are listed in {home or 'their folder'}: derive {', '.join(found)} from there"


def test_no_text_for_users_lists_forms_again() -> None:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        ignored = docstrings(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in ignored:
                named = {
                    form for form in FORMS if re.search(rf"{re.escape(form)}(?![\w/])", node.value) and ":" in form
                }
                found += [f"{path.relative_to(PACKAGE)}:{node.lineno}"] if len(named) >= 3 else []
    assert not found, f"forms are listed in {', '.join(found)}: derive the text from the catalogue"


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("x = ['digits', 'npz', 'folder']", [1]),
        ("x = 1\ny = Literal['digits', 'letters', 'cifar10']", [2]),
        ("x = {'digits': 1, 'cifar10': 2, 'imagenet': 3}", [1]),
        ("option('digits', 'npz', 'folder')", [1]),
        ("x = ('digits', 'npz', 'other')", []),
        ("__all__ = ['digits', 'npz', 'folder']", []),
    ],
)
def test_copies_are_found(code: str, lines: list[int]) -> None:
    assert copies(code, set(SOURCES)) == lines


def test_readme_names_formats_and_gates() -> None:
    readme = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
    assert [name for name in FORMATS if name not in readme] == []
    assert [gate for gate, missed in GATES.items() if missed and f"--gate {gate}" not in readme] == []
