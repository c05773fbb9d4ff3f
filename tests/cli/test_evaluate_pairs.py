"""`sparsescope evaluate --pair`: several trainings to a verdict on their method, and the gate that follows it."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from sparsescope.cli.group import sparsescope
from sparsescope.results import Evaluation


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three trainings, seed-0 to seed-2: dense.pt, near.pt next to it, and off.pt, which is far less sure."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARSESCOPE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\ndef build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4))\n"
    )
    rng = np.random.default_rng(0)
    labels = np.arange(600) % 4
    images = rng.integers(0, 120, (600, 8, 8, 1), dtype=np.uint8)
    for row, label in enumerate(labels):
        images[row, 2 * label : 2 * label + 2] += 60
    np.savez(tmp_path / "test.npz", images=images, labels=labels)
    bars = torch.zeros(4, 8, 8)
    for label in range(4):
        bars[label, 2 * label : 2 * label + 2] = 1.0
    for seed in range(3):
        (tmp_path / f"seed-{seed}").mkdir()
        noise = torch.from_numpy(np.random.default_rng(seed).normal(size=(4, 64))).float()
        weight = 0.2 * (bars.reshape(4, 64) + 0.1 * noise)
        for name, own in (("dense", weight), ("near", weight * 1.000001), ("off", weight * 0.3)):
            torch.save({"1.weight": own, "1.bias": torch.zeros(4)}, tmp_path / f"seed-{seed}" / f"{name}.pt")
    return tmp_path


def run(*arguments: str) -> Result:
    fixed = ["--arch", "net.py:build", "--data", "npz:test.npz", "--metric", "nll", "--mean", "0.3", "--std", "0.2"]
    return CliRunner().invoke(sparsescope, ["evaluate", *arguments, *fixed, "--device", "cpu", "--out", "out"])


def pairs(*candidates: str) -> list[str]:
    return [
        text
        for seed, name in enumerate(candidates)
        for text in ("--pair", f"seed-{seed}/dense.pt", f"seed-{seed}/{name}.pt")
    ]


def test_a_method_that_changes_next_to_nothing_meets_the_gate(folder: Path) -> None:
    result = run(*pairs("near", "near", "near"), "--name", "tiny", "--gate", "inconclusive")
    assert result.exit_code == 0, result.output
    lines = result.stdout.strip().splitlines()
    assert lines[-1].startswith("tiny: PASS (partial verdict: not every metric was asked for)")
    assert "on average over 3 trainings" in lines[-1]
    assert "near-3 against dense-3" in lines and "tiny, mean of 3 pairs" in lines
    evaluation = Evaluation.load("out/evaluation.json")
    assert json.loads(Path("out/evaluation.json").read_text())["methods"]["tiny"]["outcome"] == "pass"
    assert [(pair.dense, pair.candidate) for pair in evaluation.pairs][1] == ("dense-2", "near-2")
    page, text = (Path("out", name).read_text() for name in ("report.html", "report.md"))
    for shown in (page, text):
        assert "tiny matches its dense models in every metric that was asked for" in shown
        assert "Variance due to trainings" in shown
    again = CliRunner().invoke(sparsescope, ["report", "out/evaluation.json", "--out", "again"])
    assert again.exit_code == 0, again.output
    for name in ("report.html", "report.md", "junit.xml"):
        assert Path("again", name).read_bytes() == Path("out", name).read_bytes()


def test_the_gate_and_junit_follow_the_method(folder: Path) -> None:
    """One pair fails by far; the mean of three is left open, as trainings differ so much."""
    arguments = pairs("near", "near", "off")
    result = run(*arguments, "--gate", "fail")
    assert result.exit_code == 0, result.output
    evaluation = Evaluation.load("out/evaluation.json")
    assert (evaluation.verdict("off").outcome, evaluation.verdict("method").outcome) == ("fail", "inconclusive")
    assert run(*arguments, "--gate", "inconclusive").exit_code == 1
    suites = ElementTree.parse("out/junit.xml").getroot()
    assert [suite.get("name") for suite in suites] == ["method"]
    assert run(*pairs("off", "off", "off"), "--gate", "fail").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "Expected DENSE and at least one SPARSE, or --pair DENSE SPARSE"),
        (["seed-0/dense.pt"], "Expected DENSE and at least one SPARSE, or --pair DENSE SPARSE"),
        (["seed-0/dense.pt", "seed-0/near.pt", *pairs("near")], "Expected DENSE and at least one SPARSE, or --pair"),
        (["seed-0/dense.pt", "seed-0/near.pt", "--name", "tiny"], "--name names the method of --pair"),
        ([*pairs("near", "near"), "--gate", "fail"], "needs 3 pairs of different trainings, but got 2"),
        ([*pairs("near"), *pairs("near")], "pair 2 is pair 1 once more"),
        ([*pairs("near", "near", "near"), "--name", "near"], "Expected a name for the method that no model has"),
    ],
)
def test_wrong_usage(arguments: list[str], text: str, folder: Path) -> None:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert text in " ".join(result.stderr.replace("│", " ").split())
