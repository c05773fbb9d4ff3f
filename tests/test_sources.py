"""Whose code a file holds, and what a user's file reaches by its import statements."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sparsescope
from sparsescope.sources import imported_by, is_fixed, owner
from sparsescope.usercode import Code


def test_owners() -> None:
    assert owner(str(Path(sparsescope.__file__))) == "sparsescope"
    assert owner(subprocess.__file__) == "python"
    assert owner(np.__file__) == owner(pytest.__file__) == "installed"
    assert owner(__file__) == "user"
    assert is_fixed("torch.nn.modules.conv") and is_fixed("sys") and is_fixed("json.decoder")
    assert not is_fixed("torchvision.models") and not is_fixed("__main__") and not is_fixed(__name__)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {
        "start.py": "import numpy, json\nfrom proj_pack.inner import thing\ndef f():\n    import proj_late as late\n",
        "proj_late.py": "raise RuntimeError('never run')\nfrom proj_ring import x",
        "proj_ring.py": "import proj_late, no_such_module_at_all",
        "proj_pack/__init__.py": "from . import sibling",
        "proj_pack/inner.py": "from .deep.leaf import leaf\nfrom ..beyond import nothing",
        "proj_pack/sibling.py": "x = (",
        "proj_pack/deep/leaf.py": "leaf = 1",
        "proj_pack/unused.py": "x = 1",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    return tmp_path


def test_everything_that_is_imported_in_turn_is_found_without_running_it(project: Path) -> None:
    before = set(sys.modules)
    found = {str(Path(path).relative_to(project)) for path in imported_by(str(project / "start.py"), "start")}
    assert found == {
        *("start.py", "proj_late.py", "proj_ring.py", "proj_pack/__init__.py", "proj_pack/inner.py"),
        *("proj_pack/sibling.py", "proj_pack/deep/leaf.py"),
    }
    assert set(sys.modules) == before


def test_where_files_lie_does_not_matter_and_what_they_say_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = []
    for folder, text in (("a", "x = 1"), ("b", "x = 1"), ("c", "x = 2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "proj_constant.py").write_text(text)
        monkeypatch.setattr(sys, "path", [str(tmp_path / folder), *sys.path])
        sys.modules.pop("proj_constant", None)
        __import__("proj_constant")
        code = Code()
        code.add_module("proj_constant")
        digests.append(code.digest)
    sys.modules.pop("proj_constant")
    assert digests[0] == digests[1] != digests[2]
    assert code.unread == [f"{tmp_path}/c/proj_constant.py was changed after this process began"]
