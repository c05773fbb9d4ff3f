"""`sparsescope evaluate` from files to files, and the gate."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from report_files import FILES
from torch import nn

from sparsescope.checkpoints import save_checkpoint
from sparsescope.classifier import Classifier
from sparsescope.cli.group import sparsescope
from sparsescope.pruning import prune


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Dense and sparse checkpoints, a state dict, a mask file, data sets and the file of the architecture."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARSESCOPE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\ndef build():\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),"
        " nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3))\n"
    )
    torch.manual_seed(0)
    dense = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 8), nn.ReLU(),
        nn.Linear(8, 3),
    )  # fmt: skip
    sparse = copy.deepcopy(dense)
    mask = prune("omp", sparse, sparsity=0.5)
    mask.apply(sparse)
    for name, module in (("dense", dense), ("sparse", sparse)):
        torch.save({"state_dict": module.state_dict()}, tmp_path / f"{name}.pt")
    mask.save(tmp_path / "mask.safetensors")
    save_checkpoint(
        tmp_path / "own.pt", Classifier(dense), architecture="net.py:build", task={"data": f"npz:{tmp_path}/test.npz"}
    )
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 12, 12, 3), dtype=np.uint8)
    np.savez(tmp_path / "test.npz", images=images, labels=rng.integers(0, 3, 30))
    np.savez(tmp_path / "far.npz", images=255 - images[:20])
    return tmp_path


def run(*arguments: str) -> Result:
    few = ["--metric", "accuracy", "--metric", "ece", "--metric", "ood_auroc", "--arch", "net.py:build"]
    normal = ["--mean", "0.5,0.5,0.5", "--std", "0.2,0.2,0.2", "--data", "npz:test.npz", "--device", "cpu"]
    return CliRunner().invoke(sparsescope, ["evaluate", "dense.pt", *arguments, *few, *normal])


def test_files_to_files(folder: Path) -> None:
    result = run("sparse.pt", "--ood", "npz:far.npz", "--out", "out")
    assert result.exit_code == 0, result.output
    assert {path.name for path in (folder / "out").iterdir()} == set(FILES)
    content = json.loads((folder / "out" / "evaluation.json").read_text())
    assert [model["name"] for model in content["models"]] == ["dense", "sparse"]
    assert content["models"][1]["sparsity"]["prunable"] == pytest.approx(0.5, abs=0.01)
    assert content["benchmark"]["sets"]["ood"]["n"] == 20
    assert content["verdicts"]["sparse"]["partial"] is True
    assert content["metrics"][0]["values"]["dense"]["n"] == 30
    last = result.stdout.rstrip().splitlines()[-1]
    assert last == content["verdicts"]["sparse"]["statement"]
    assert "Written: out/evaluation.json" in result.stderr


def test_a_probe_set_is_named(folder: Path) -> None:
    for out, more, source in (("own", (), "shapes"), ("probed", ("--probe", "probes.py:few"), "few shapes")):
        (folder / "probes.py").write_text(
            "from sparsescope.datasets.probes.shapes import Shapes\n\n\ndef few(shape):\n"
            "    probe = Shapes(shape, images=7)\n    probe.source = 'few shapes'\n    return probe\n"
        )
        result = run("sparse.pt", *more, "--out", out)
        assert result.exit_code == 0, result.output
        entry = json.loads((folder / out / "evaluation.json").read_text())["benchmark"]["sets"]["probe"]
        assert (entry["source"], entry["shape"], entry["n"]) == (source, [3, 12, 12], 7 if more else 400)
        assert source in (folder / out / "report.md").read_text()


def test_a_mask_file_is_applied_to_dense(folder: Path) -> None:
    result = run("sparse.pt", "mask.safetensors", "--out", "out")
    assert result.exit_code == 0, result.output
    content = json.loads((folder / "out" / "evaluation.json").read_text())
    assert [model["name"] for model in content["models"]] == ["dense", "sparse", "mask"]
    accuracy = content["metrics"][0]["values"]
    assert accuracy["mask"]["value"] == accuracy["sparse"]["value"]
    assert content["radar"]["normalisation"] == "minmax"


@pytest.mark.parametrize(
    ("gate", "margin", "code"),
    [("none", 0, 0), ("fail", 1, 0), ("inconclusive", 1, 0), ("inconclusive", 0, 1), ("fail", 0, 0)],
)
def test_the_gate(folder: Path, gate: str, margin: float, code: int) -> None:
    """A margin of 1 always passes; without one, 30 images leave it open."""
    result = CliRunner().invoke(
        sparsescope,
        [
            *("evaluate", "dense.pt", "sparse.pt", "--arch", "net.py:build", "--data", "npz:test.npz"),
            *("--metric", "nll", "--set", f"nll.margin={margin}", "--gate", gate, "--out", "out"),
        ],
    )
    outcome = json.loads((folder / "out" / "evaluation.json").read_text())["verdicts"]["sparse"]["outcome"]
    assert outcome == ("pass" if margin else "inconclusive")
    assert result.exit_code == code


def test_the_gate_is_missed_by_a_fail(folder: Path) -> None:
    broken = torch.load(folder / "dense.pt", weights_only=True)["state_dict"]
    labels = np.load(folder / "test.npz")["labels"]
    broken = {name: torch.zeros_like(tensor) for name, tensor in broken.items()}
    broken["6.bias"][int(np.bincount(labels).argmin())] = 1.0  # always the rarest class
    torch.save(broken, folder / "broken.pt")
    np.savez(folder / "easy.npz", images=np.load(folder / "test.npz")["images"], labels=_dense_answers(folder))
    arguments = ["evaluate", "dense.pt", "broken.pt", "--arch", "net.py:build", "--data", "npz:easy.npz"]
    result = CliRunner().invoke(sparsescope, [*arguments, "--metric", "accuracy", "--gate", "fail", "--out", "out"])
    assert result.exit_code == 1, result.output


def _dense_answers(folder: Path) -> Any:
    from sparsescope.checkpoints import load_classifier

    dense = load_classifier(folder / "dense.pt", arch="net.py:build")
    images = torch.from_numpy(np.load(folder / "test.npz")["images"]).permute(0, 3, 1, 2).float() / 255
    with dense.prepared():
        return dense(images).argmax(1).numpy()


def test_the_data_of_the_checkpoint_is_the_default(folder: Path) -> None:
    arguments = ["evaluate", "own.pt", "sparse.pt", "--arch", "net.py:build", "--metric", "accuracy", "--out", "out"]
    result = CliRunner().invoke(sparsescope, arguments)
    assert result.exit_code == 0, result.output
    arguments[1] = "dense.pt"
    result = CliRunner().invoke(sparsescope, arguments)
    assert result.exit_code == 2
    assert "Expected --data SPEC" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["absent.pt"], "absent.pt"),
        (["net.py"], "net.py"),
        (["sparse.pt", "--ood", "npz:absent.npz"], "absent.npz"),
        (["sparse.pt", "--probe", "brodn:x"], "Did you mean broden:DIR?"),
        (["sparse.pt", "--set", "ece.n_bin=3"], "n_bin"),
        (["sparse.pt", "--metric", "acuracy"], "accuracy"),
        (["sparse.pt", "--config", "absent.toml"], "absent.toml"),
    ],
)
def test_unusable_input_is_two_and_writes_nothing(folder: Path, arguments: list[str], text: str) -> None:
    result = run(*arguments, "--out", "out")
    assert result.exit_code == 2, result.output
    assert text in result.stderr
    assert "Traceback" not in result.stderr
    assert not list((folder / "out").iterdir()) if (folder / "out").exists() else True


def test_layer_of_the_compositional_neurons(folder: Path) -> None:
    small = ["--metric", "composition", "--set", "composition.fraction=0.05", "--set", "composition.length=1"]
    result = run("sparse.pt", *small, "--layer", "0", "--out", "out")
    assert result.exit_code == 0, result.output
    metrics = {metric["name"]: metric for metric in json.loads(Path("out/evaluation.json").read_text())["metrics"]}
    assert metrics["composition"]["options"]["layer"] == "0"
    assert metrics["composition"]["details"]["dense"]["layer"] == "0"
    assert metrics["composition"]["values"]["sparse"]["status"] == "measured"


@pytest.mark.parametrize("gate", ["fail", "inconclusive"])
def test_a_gate_without_a_metric_in_the_verdict_is_wrong_usage(folder: Path, gate: str) -> None:
    arguments = ["evaluate", "own.pt", "sparse.pt", "--arch", "net.py:build", "--metric", "weight_top_eigenvalue"]
    result = CliRunner().invoke(sparsescope, [*arguments, "--gate", gate, "--out", "out"])
    assert result.exit_code == 2, result.output
    assert f"--gate {gate} needs a metric that counts in the verdict" in result.stderr
    assert not (folder / "out").exists()


def test_the_same_file_twice_gets_a_word(folder: Path) -> None:
    (folder / "copy.pt").write_bytes((folder / "dense.pt").read_bytes())
    result = run("copy.pt", "--out", "out")
    assert result.exit_code == 0, result.output
    assert "Warning: copy: is the same file as dense. Was another model meant?" in result.stderr


def test_options_of_metrics_that_are_not_measured_get_a_word(folder: Path) -> None:
    result = run("sparse.pt", "--set", "fidelity.samples=9", "--set", "ece.n_bins=10", "--layer", "0", "--out", "out")
    assert result.exit_code == 0, result.output
    said = [line for line in result.stderr.splitlines() if "no effect" in line]
    assert said == [
        "Warning: composition is not measured: its options (layer) have no effect.",
        "Warning: fidelity is not measured: its options (samples) have no effect.",
    ]


@pytest.mark.parametrize(
    ("arguments", "unread"),
    [
        (("--ood", "npz:far.npz"), []),
        (("--train", "npz:test.npz", "--probe", "shapes"), ["--train", "--probe"]),
        (("--train", "npz:test.npz", "--metric", "generalization_gap"), []),
        (("--skip", "ood_auroc", "--ood", "npz:far.npz"), ["--ood"]),
        ((), []),
    ],
)
def test_image_sets_that_no_metric_reads_get_a_word(
    folder: Path, arguments: tuple[str, ...], unread: list[str]
) -> None:
    result = run("sparse.pt", *arguments, "--out", "out")
    assert result.exit_code == 0, result.output
    said = [line for line in result.stderr.splitlines() if "no effect" in line]
    assert said == [f"Warning: {name} has no effect: none of the metrics measured reads it." for name in unread]
