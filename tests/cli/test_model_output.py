"""`--model-output`, `--resize` and `--crop`: every command that opens models and data takes them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from sparsescope.architectures.digits_cnn import digits_cnn
from sparsescope.checkpoints import load_classifier, save_checkpoint
from sparsescope.classifier import Classifier
from sparsescope.cli.group import sparsescope
from sparsescope.errors import ArtefactError

TWO_HEADS = """
from torch import nn
class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.map = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Linear(4 * 12 * 12, 3)
    def forward(self, x):
        x = self.map(x).relu()
        return x.mean((2, 3)), self.head(x.flatten(1))
"""
COMMANDS = {
    "evaluate": ["net.pt", "net.pt", "--metric", "accuracy", "--no-cache", "--out", "report"],
    "explain": ["net.pt", "--image", "0", "--samples", "8", "--superpixels", "grid", "--out", "new/pictures.png"],
    "crosscheck": ["net.pt", "--images", "4"],
    "dissect": ["net.pt", "--length", "1", "--out", "dissection"],
}
SIZE = ["--resize", "14", "--crop", "12"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (12, 20, 20, 3), dtype=np.uint8)
    np.savez("data.npz", images=images, labels=np.arange(12) % 3)
    (tmp_path / "heads.py").write_text(TWO_HEADS)
    torch.manual_seed(0)
    names: dict[str, type[nn.Module]] = {}
    exec(TWO_HEADS, names)
    torch.save(names["TwoHeads"]().state_dict(), "net.pt")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_the_logits_are_chosen(folder: Path, command: str) -> None:
    data = ["--size", "12", "--probe", "shapes"] if command == "dissect" else ["--data", "npz:data.npz", *SIZE]
    common = [command, *COMMANDS[command], "--arch", "heads.py:TwoHeads", *data]
    refused = CliRunner().invoke(sparsescope, common)
    assert refused.exit_code == 2 and "returns a tuple of 2. Choose the logits with --model-output" in refused.stderr
    done = CliRunner().invoke(sparsescope, [*common, "--model-output", "1"])
    assert done.exit_code in ((0, 1) if command == "crosscheck" else (0,)), done.output


def test_prune_reads_the_logits_that_are_chosen_and_its_ticket_says_which(folder: Path) -> None:
    common = ["prune", "snip", "--dense", "net.pt", "--arch", "heads.py:TwoHeads", "--sparsity", "0.5", "--no-train"]
    common += ["--data", "npz:data.npz", "--train", "npz:data.npz", *SIZE, "--out", "ticket.pt"]
    refused = CliRunner().invoke(sparsescope, common)
    assert refused.exit_code == 2 and "--model-output" in refused.stderr and not Path("ticket.pt").exists()
    done = CliRunner().invoke(sparsescope, [*common, "--model-output", "1"])
    assert done.exit_code == 0, done.output
    assert load_classifier("ticket.pt", arch="heads.py:TwoHeads").output == 1
    shown = CliRunner().invoke(sparsescope, ["inspect", "ticket.pt", *common[4:6], "--json"])
    assert json.loads(shown.stdout)[0]["output"] == 1
    measured = ["evaluate", "ticket.pt", "ticket.pt", *common[4:6], *COMMANDS["evaluate"][2:]]
    assert CliRunner().invoke(sparsescope, measured).exit_code == 0


@pytest.mark.parametrize("output", ["probabilities", 0, "heads.0:squeezed"])
def test_checkpoints_say_how_logits_are_read(tmp_path: Path, output: str | int) -> None:
    save_checkpoint(tmp_path / "net.pt", Classifier(digits_cnn(), output=output), architecture="digits_cnn")
    own = load_classifier(tmp_path / "net.pt")
    assert own.output == output
    assert load_classifier(tmp_path / "net.pt", output="logits").output == "logits"
    assert load_classifier(tmp_path / "net.pt", dense=Classifier(digits_cnn(), output="sigmoids")).output == output
    document = torch.load(tmp_path / "net.pt", weights_only=True)
    torch.save({**document, "output": [1]}, tmp_path / "net.pt")
    with pytest.raises(ArtefactError, match="expected 'output' to be a form"):
        load_classifier(tmp_path / "net.pt")
