import importlib
import inspect
import subprocess
import sys

import pytest

import sparsescope.datasets as datasets


@pytest.mark.parametrize("scheme", datasets.SOURCES)
def test_every_entry_can_be_opened_and_is_documented(scheme):
    entry = datasets.SOURCES[scheme]
    module, _, function = entry.opener.partition(":")

    opener = getattr(importlib.import_module(module), function)

    assert list(inspect.signature(opener).parameters) == ["argument", "resizing"]
    assert entry.form.partition(":")[0] == scheme
    assert f"`{entry.form}`" in datasets.__doc__
    assert f"`{module.rpartition('.')[2]}.py`" in datasets.__doc__


def test_reading_the_catalogue_imports_nothing_heavy():
    code = (
        "import sys, sparsescope.datasets as d; d.SOURCES; "
        "heavy = {'torch', 'torchvision', 'numpy', 'sklearn', 'PIL', 'matplotlib'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_unknown_names():
    with pytest.raises(AttributeError, match="no attribute 'open_everything'"):
        _ = datasets.open_everything
