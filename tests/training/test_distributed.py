"""Three processes under torchrun do what one does: the same images, the same gradient, one writer."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from ddp_worker import RECIPE, Headed, run

from sparsescope.training.distributed import Ranks, join


def test_alone_nothing_is_joined() -> None:
    assert join(torch.device("cpu")) == (Ranks(0, 1), torch.device("cpu"))
    module = torch.nn.Linear(2, 2)
    assert Ranks().parallel(module) is module and Ranks().sum(torch.tensor([1.5, 2.0])) == [1.5, 2.0]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("three")
    worker = str(Path(__file__).parent / "ddp_worker.py")
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "3",
        worker,
        str(folder),
    ]
    finished = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=240, check=False
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    return folder


def stored(path: Path) -> Any:
    return torch.load(path, weights_only=True)


def test_without_batchnorm_the_weights_are_those_of_one_process(place: Path, tmp_path: Path) -> None:
    run(tmp_path / "one", normalised=False)
    one, three = stored(tmp_path / "one" / "checkpoint.pt"), stored(place / "plain" / "checkpoint.pt")
    assert list(one["state_dict"]) == list(three["state_dict"])
    for name, tensor in one["state_dict"].items():
        torch.testing.assert_close(three["state_dict"][name], tensor, rtol=1e-5, atol=1e-6)
    assert not three["state_dict"]["0.weight"][~three["mask"]["0.weight"]].any()
    for mine, theirs in zip(one["history"], three["history"], strict=True):
        for key in ("loss", "accuracy", "test_loss", "test_accuracy"):
            assert mine[key] == pytest.approx(theirs[key], rel=1e-5)


def test_a_head_that_nobody_reads_changes_nothing(place: Path, tmp_path: Path) -> None:
    run(tmp_path / "one", normalised=False, kind=Headed)
    one, three = stored(tmp_path / "one" / "checkpoint.pt"), stored(place / "headed-plain" / "checkpoint.pt")
    for name, tensor in one["state_dict"].items():
        torch.testing.assert_close(three["state_dict"][name], tensor, rtol=1e-5, atol=1e-6)
    begun = stored(place / "headed-plain" / "epoch-0.pt")["state_dict"]
    assert torch.equal(three["state_dict"]["unread.weight"], begun["unread.weight"])
    assert int(stored(place / "headed" / "checkpoint.pt")["state_dict"]["1.num_batches_tracked"]) == 12


def test_with_batchnorm_every_process_ends_with_the_statistics_of_the_first(place: Path) -> None:
    state = stored(place / "normalised" / "checkpoint.pt")["state_dict"]
    assert int(state["1.num_batches_tracked"]) == 12 and torch.isfinite(state["1.running_var"]).all()


def test_only_the_first_process_tells_and_writes(place: Path) -> None:
    first, *others = (stored(place / f"told-{rank}.pt") for rank in range(3))
    assert others == [[], []] and first[-1] == f"epoch {RECIPE.epochs}" and first[0].startswith("epoch 1/2, loss ")
    names = sorted(item.name for item in (place / "plain").iterdir())
    assert names == ["checkpoint.pt", "epoch-0.pt", "epoch-1.pt"]
