import importlib
import inspect
import subprocess
import sys
import types
from importlib.metadata import EntryPoint

import pytest

import sparsescope.datasets as datasets
from sparsescope.datasets import SOURCES, DataEntry, open_images, runs_user_code, usual_recipe
from sparsescope.datasets.probes import PROBES
from sparsescope.errors import OptionError
from sparsescope.specs import USER_FORMS
from sparsescope.training import load_recipe


@pytest.mark.parametrize("catalogue", [SOURCES, PROBES], ids=["data", "probes"])
def test_every_entry_can_be_opened(catalogue):
    for scheme, entry in catalogue.items():
        module, _, function = entry.opener.partition(":")
        parameters = inspect.signature(getattr(importlib.import_module(module), function)).parameters
        assert list(parameters)[-1] == ("resizing" if catalogue is SOURCES else "shape") and len(parameters) == 2
        assert scheme == (entry.form if entry.runs_user_code else entry.form.partition(":")[0])
        assert entry.help and not entry.help.endswith(".")


def test_only_the_users_own_forms_run_code_that_a_spec_names():
    assert SOURCES.forms(lambda entry: entry.runs_user_code) == list(USER_FORMS)
    assert not any(map(runs_user_code, ("digits", "imagenet:data", "imagenet-o:x", "noise:uniform", "folder:a.b:c")))
    assert runs_user_code("mine.py:data") and runs_user_code("package.module:data") and runs_user_code("os:getcwd")
    with pytest.raises(OptionError, match=r"Unknown data 'cifra10:x'\. Did you mean cifar10:DIR"):
        runs_user_code("cifra10:x")


def test_the_usual_recipes_are_there():
    named = {scheme: entry.recipe for scheme, entry in SOURCES.items() if entry.recipe is not None}
    relied_on = {"digits": "digits", "cifar10": "cifar", "cifar100": "cifar", "imagenet": "imagenet"}
    assert named | relied_on == named
    assert all(load_recipe(name).epochs for name in named.values())
    assert usual_recipe("cifar100:data") == "cifar" and usual_recipe("npz:a.npz") is usual_recipe("a.py:f") is None


def test_reading_the_catalogue_imports_nothing_heavy():
    code = (
        "import sys, sparsescope.datasets as d; d.SOURCES.forms(); d.usual_recipe('digits'); "
        "heavy = {'torch', 'torchvision', 'numpy', 'sklearn', 'PIL', 'matplotlib'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_unknown_names():
    with pytest.raises(AttributeError, match="no attribute 'open_everything'"):
        _ = datasets.open_everything


@pytest.fixture
def entry_point(monkeypatch):
    """Make `value` the entry point `theirs` of a package that offers a source of data and a number."""
    package = types.ModuleType("their_package")
    package.SOURCE = DataEntry("theirs:N", "sparsescope.datasets.noise:open_noise", "noise under another name")
    package.number = 3
    monkeypatch.setitem(sys.modules, "their_package", package)

    def offer(value, name="theirs"):
        point = EntryPoint(name, value, "sparsescope.datasets")
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point] * (group == point.group))

    return offer


def test_other_packages_bring_sources_by_entry_point(entry_point):
    entry_point("their_package:SOURCE")
    assert len(open_images("theirs:uniform")) == 300
    assert not runs_user_code("theirs:uniform")
    assert SOURCES.forms()[-1] == "theirs" and "theirs" not in PROBES.forms()
    with pytest.raises(OptionError, match=r"^Expected theirs:N, but got 'theirs'\.$"):
        open_images("theirs")


@pytest.mark.parametrize("attribute", ["number", "SOURCE"])
def test_an_entry_point_that_leads_elsewhere(entry_point, attribute):
    entry_point(f"their_package:{attribute}", "other")
    with pytest.raises(OptionError) as error:
        open_images("other:x")
    assert str(error.value).startswith(
        f"Expected the entry point other = 'their_package:{attribute}' of group 'sparsescope.datasets' to be a "
        "sparsescope.datasets.DataEntry whose form begins with 'other', but got "
    )
