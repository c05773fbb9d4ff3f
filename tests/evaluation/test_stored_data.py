"""What a checkpoint says of its data: followed, unless that would run code that the file names."""

from pathlib import Path

import pytest
from torch import nn

from sparsescope.checkpoints import save_checkpoint
from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError
from sparsescope.evaluation.task import stored_data


def checkpoint(folder: Path, data: str | None) -> Path:
    task = {} if data is None else {"data": data}
    save_checkpoint(folder / "net.pt", Classifier(nn.Linear(2, 2)), architecture="x.py:net", task=task)
    return folder / "net.pt"


@pytest.mark.parametrize("spec", [None, "digits", "imagenet:pictures", "imagenet-r:pictures", "npz:a.npz"])
def test_data_of_the_catalogue_is_followed(tmp_path: Path, spec: str | None) -> None:
    assert stored_data(checkpoint(tmp_path, spec)) == spec


@pytest.mark.parametrize("spec", ["{folder}/evil.py:data", "os:getcwd", "evil:data"])
def test_code_that_a_file_names_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'owned')!r}, 'w')\n")
    spec = spec.format(folder=tmp_path)
    with pytest.raises(ArtefactError, match=f"its data is {spec}, .* is not run unasked.* give --data {spec}"):
        stored_data(checkpoint(tmp_path, spec))
    assert not (tmp_path / "owned").exists()


def test_data_of_an_unknown_form(tmp_path: Path) -> None:
    with pytest.raises(
        ArtefactError, match=r"net\.pt says that its data is cifra10:x\. Unknown data .* Give --data SP"
    ):
        stored_data(checkpoint(tmp_path, "cifra10:x"))
