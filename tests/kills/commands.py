"""What is killed: each command with its task, what it must have written whole, and its numbers."""

import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "references"))

import torch
from safetensors.torch import load_file
from tiny_task import write_task

from sparsescope.checkpoints import load_classifier
from sparsescope.evaluation.parts import find_parts
from sparsescope.results import Evaluation, Sweep

_ARCHITECTURE = "digits_cnn_small"
_RECIPE = """
name = "tiny"
data = "npz:test.npz"
train = "npz:train.npz"
architecture = "digits_cnn_small"
methods = ["omp"]
sparsities = [0.5]
seeds = [0]

[training]
recipe = "digits"
epochs = 2
rewind_epoch = 1
batch_size = 16

[evaluation]
preset = "quick"
only = ["accuracy", "ece"]
replicates = 100
"""


class Command(ABC):
    """A command: what it is called with, and what can be told of its folder."""

    workers: tuple[int, ...] = (1, 2)

    def prepare(self, folder: Path) -> None:
        """Write what the command reads."""
        write_task(folder, images=20)

    @abstractmethod
    def arguments(self, workers: int) -> list[str]:
        """Return the command line."""

    @abstractmethod
    def numbers(self, folder: Path) -> Any:
        """Return what it gives, to be compared; raises where a file is missing or half written."""

    @abstractmethod
    def check(self, folder: Path) -> None:
        """Raise where something is half written, however early the command was killed."""

    def resumed(self, folder: Path, before: int) -> bool:
        """Return whether the command that was started again took what `kept` counted before."""
        return True

    def kept(self, folder: Path) -> int:
        """Return how many finished parts of the work there are, without facts about models: those are of one unit."""
        return sum(not part.units.startswith("0-1-") for part in find_parts(folder / "cache"))


def _check_cache(folder: Path) -> None:
    for part in find_parts(folder / "cache"):
        assert part.is_sound(), f"{part.path} is damaged"


class Evaluate(Command):
    """`sparsescope evaluate` with metrics of several measurements."""

    def arguments(self, workers: int) -> list[str]:
        metrics = ("accuracy", "ece", "ood_auroc", "fgsm_accuracy", "corruption_error", "weight_trace")
        chosen = [part for name in metrics for part in ("--metric", name)]
        small = ["--set", "corruption_error.cells_per_image=5", "--train", "npz:train.npz", "--device", "cpu"]
        return [
            "evaluate", "dense.pt", "sparse.pt", "--data", "npz:test.npz", "--arch", _ARCHITECTURE, "--preset", "quick",
            "--workers", str(workers), "--out", "out", *small, *chosen,
        ]  # fmt: skip

    def numbers(self, folder: Path) -> Any:
        found = Evaluation.load(folder / "out" / "evaluation.json")
        for name in ("report.html", "report.md", "junit.xml", "radar.svg", "radar.png"):
            assert (folder / "out" / name).stat().st_size > 100, f"{name} is missing"
        return [metric.model_dump() for metric in found.metrics], {
            name: v.outcome for name, v in found.verdicts.items()
        }

    def check(self, folder: Path) -> None:
        _check_cache(folder)
        if (file := folder / "out" / "evaluation.json").exists():
            Evaluation.load(file)
        if (file := folder / "out" / "report.html").exists():
            assert file.read_text().rstrip().endswith("</html>")

    def resumed(self, folder: Path, before: int) -> bool:
        return Evaluation.load(folder / "out" / "evaluation.json").cost.cached >= before


class SweepCommand(Command):
    """`sparsescope sweep`: a dense network and a ticket, trained and evaluated."""

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        (folder / "tiny.toml").write_text(_RECIPE)

    def arguments(self, workers: int) -> list[str]:
        return ["sweep", "tiny.toml", "--out", "out", "--device", "cpu", "--workers", str(workers)]

    def numbers(self, folder: Path) -> Any:
        assert (folder / "out" / "index.html").read_text().rstrip().endswith("</html>")
        found = Sweep.load(folder / "out").evaluations(folder / "out")
        return {name: [metric.model_dump() for metric in each.metrics] for name, each in found.items()}

    def check(self, folder: Path) -> None:
        _check_cache(folder)
        if (folder / "out" / "sweep.json").exists():
            Sweep.load(folder / "out").evaluations(folder / "out")
        _check_checkpoints(folder / "out")


class Prune(Command):
    """`sparsescope prune`: a dense network and a ticket, trained. Its workers are threads."""

    workers = (1,)

    def arguments(self, workers: int) -> list[str]:
        return [
            "prune", "omp", "--data", "npz:test.npz", "--train", "npz:train.npz", "--arch", _ARCHITECTURE,
            "--recipe", "digits", "--epochs", "8", "--rewind-epoch", "1", "--sparsity", "0.5",
            "--out", "ticket.pt", "--mask-out", "mask.safetensors", "--device", "cpu",
        ]  # fmt: skip

    def numbers(self, folder: Path) -> Any:
        _check_checkpoints(folder)
        ticket = load_classifier(folder / "ticket.pt").module.state_dict()
        mask = load_file(folder / "mask.safetensors")
        return {name: value.tolist() for name, value in ticket.items()}, {
            name: value.tolist() for name, value in mask.items()
        }

    def check(self, folder: Path) -> None:
        _check_checkpoints(folder)


def _check_checkpoints(folder: Path) -> None:
    for path in folder.rglob("*.pt"):
        torch.load(path, map_location="cpu", weights_only=False)


COMMANDS: dict[str, Command] = {"evaluate": Evaluate(), "sweep": SweepCommand(), "prune": Prune()}
