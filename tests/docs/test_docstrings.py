"""The examples in docstrings run as they stand, and every public name has one."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest
import torch

import sparsescope

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
MODULES = [
    name for _, name, _ in pkgutil.walk_packages(sparsescope.__path__, "sparsescope.") if not name.endswith("__main__")
]


def examples(thing: object, name: str) -> list[doctest.DocTest]:
    """Return what a module's or object's docstrings show, each to be run with no names but those it imports."""
    found = doctest.DocTestFinder().find(thing, name, globs={})
    return [test for test in found if test.examples]


def run(test: doctest.DocTest) -> str:
    """Return what went wrong in a docstring's examples; nothing where all is well."""
    told: list[str] = []
    doctest.DocTestRunner(verbose=False, optionflags=FLAGS).run(test, out=told.append)
    return "".join(told)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for test in examples(importlib.import_module(name), name):
            assert not run(test)


@pytest.mark.parametrize("name", sorted(sparsescope.__all__))
def test_every_public_name_has_an_example(name: str) -> None:
    thing = getattr(sparsescope, name)
    if callable(thing):
        assert examples(thing, name), f"{name} has no Example in its docstring"


@pytest.mark.parametrize(
    "source",
    [">>> 1 + 1\n3\n", ">>> np.zeros(2)\narray([0., 0.])\n", ">>> import sparsescope\n>>> sparsescope.nothing\n"],
)
def test_an_example_that_is_wrong_or_needs_a_name_is_found(source: str) -> None:
    test = doctest.DocTestParser().get_doctest(source, {}, "wrong", None, None)
    assert "Failed example" in run(test)
