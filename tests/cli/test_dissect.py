"""`sparsescope dissect` from files to files, and what it says of input that cannot be used."""

import copy
import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from html_page import Page
from PIL import Image
from torch import nn

from sparsescope.cli.group import sparsescope
from sparsescope.pruning import prune


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two networks, and a plain probe folder of ten images."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\ndef build():\n    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), "
        "nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))\n"
    )
    torch.manual_seed(0)
    dense = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))
    sparse = copy.deepcopy(dense)
    prune("omp", sparse, sparsity=0.5).apply(sparse)
    for name, module in (("dense", dense), ("sparse", sparse)):
        torch.save(module.state_dict(), f"{name}.pt")
    rng = np.random.default_rng(0)
    for part in ("images", "labels"):
        (tmp_path / "set" / part).mkdir(parents=True)
    for number in range(10):
        Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(f"set/images/{number}.png")
        Image.fromarray(rng.integers(0, 3, (12, 12)).astype(np.uint8)).save(f"set/labels/{number}.png")
    (tmp_path / "set" / "labels.json").write_text(json.dumps({"1": "sky", "2": "sea"}))
    return tmp_path


def run(*arguments: str, size: str = "12") -> Result:
    common = ["--arch", "net.py:build", "--size", size, "--fraction", "0.05", "--device", "cpu"]
    return CliRunner().invoke(sparsescope, ["dissect", "dense.pt", *common, *arguments])


def test_one_model_on_the_embedded_scenes(folder: Path) -> None:
    result = run("--length", "1", "--top", "1", size="8")
    assert result.exit_code == 0, result.output
    assert {path.name for path in Path("sparsescope-dissection").iterdir()} == {"units.csv", "dissection.html"}
    with Path("sparsescope-dissection/units.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["unit"] for row in rows] == list("01234")
    assert {row["length"] for row in rows} <= {"0", "1"}
    assert "dense: layer 1, 5 live units, 0 dead, mean IoU 0." in result.stdout
    assert "Written: sparsescope-dissection/units.csv, sparsescope-dissection/dissection.html" in result.stdout
    assert "shapes: 400 images of 3 × 8 × 8" in Path("sparsescope-dissection/dissection.html").read_text()


def test_two_models_side_by_side_on_a_folder(folder: Path) -> None:
    result = run("sparse.pt", "--probe", "probe:set", "--layer", "0", "--out", "out", "--quiet")
    assert result.exit_code == 0, result.output
    assert {path.name for path in Path("out").iterdir()} == {"units-dense.csv", "units-sparse.csv", "dissection.html"}
    assert "dense: layer 0" in result.stdout and "sparse: layer 0" in result.stdout


def damage(kind: str) -> None:
    label, image = Path("set/labels/7.png"), Path("set/images/7.png")
    if kind == "truncated map":
        label.write_bytes(label.read_bytes()[:60])
    elif kind == "unknown number":
        Image.fromarray(np.full((12, 12), 9, np.uint8)).save(label)
    elif kind == "missing map":
        label.unlink()
    else:
        image.write_bytes(image.read_bytes()[:90])


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("truncated map", "set/labels/7.png cannot be read"),
        ("unknown number", "it also holds 9"),
        ("missing map", "7.png"),
        ("truncated image", "set/images/7.png cannot be read"),
    ],
)
def test_a_damaged_probe_set_names_the_file_and_leaves_nothing(folder: Path, kind: str, text: str) -> None:
    damage(kind)
    result = run("--probe", "probe:set", "--out", "out")
    assert result.exit_code == 2
    assert text in result.stderr and "7.png" in result.stderr
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--layer", "7"], "dense has no layer '7'"),
        (["--probe", "probe:nowhere"], "nowhere"),
        (["--data", "npz:a.npz"], "Expected --data or --size, but got both"),
        (["--fraction", "1"], "1.0 is not in the range"),
        (["--top", "51"], "51 is not in the range"),
    ],
)
def test_wrong_usage(folder: Path, arguments: list[str], text: str) -> None:
    result = run("--probe", "probe:set", "--out", "out", *arguments)
    assert result.exit_code == 2
    assert text in result.stderr
    assert not Path("out").exists()


def test_a_failed_run_keeps_what_was_there(folder: Path) -> None:
    assert run("--probe", "probe:set", "--out", "out", "--quiet").exit_code == 0
    before = {path: path.read_bytes() for path in Path("out").iterdir()}
    damage("truncated map")
    assert run("--probe", "probe:set", "--out", "out").exit_code == 2
    assert {path: path.read_bytes() for path in Path("out").iterdir()} == before


def units_of(folder: str) -> list[dict[str, str]]:
    with Path(folder, "units.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_search_is_exact_unless_a_beam_is_asked_for(folder: Path) -> None:
    for number, options in enumerate([[], ["--search", "exact"], ["--search", "beam"], ["--beam", "5"]]):
        assert run("--probe", "probe:set", "--out", f"{number}", "--quiet", *options).exit_code == 0
    exact, also_exact, beam, also_beam = (units_of(f"{number}") for number in range(4))
    assert exact == also_exact and beam == also_beam
    assert {row["gap"] for row in exact} == {"0.0"} and {row["gap"] for row in beam} == {""}
    assert all(float(row["iou"]) >= float(other["iou"]) for row, other in zip(exact, beam, strict=True))
    assert "proven to be the best 5 of 5" in Page(Path("0/dissection.html").read_text()).text
    assert "proven to be the best" not in Path("2/dissection.html").read_text()


def test_few_nodes_are_told_of(folder: Path) -> None:
    result = run("--out", "out", "--nodes", "1", size="8")
    gaps = [float(row["gap"]) for row in units_of("out") if float(row["gap"]) > 0]
    assert result.exit_code == 0 and gaps
    assert f"{len(gaps)} not proven to be the best, by up to {max(gaps):.4f}, on held-out" in result.stdout
    text = Page(Path("out/dissection.html").read_text()).text
    assert f"{5 - len(gaps)} of 5 the IoU of others up to {max(gaps):.4f} larger" in text
    assert f"(of the best formula up to {gaps[0]:.4f} larger)" in text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--search", "exact", "--beam", "3"], "Expected no --beam with --search exact"),
        (["--beam", "3", "--nodes", "3"], "Expected no --nodes with --search beam"),
        (["--length", "5"], "Choose a beam search"),
        (["--search", "best"], "'best' is not one of"),
    ],
)
def test_options_of_the_other_search(folder: Path, options: list[str], text: str) -> None:
    result = run("--out", "out", *options)
    assert result.exit_code == 2 and text in result.stderr and not Path("out").exists()


@pytest.mark.parametrize(
    ("broken", "part"),
    [
        ("sparsescope.plots.iou_distribution", "The figure of neurons"),
        ("sparsescope.workflows.dissect.portraits", "The pictures of dense"),
        ("sparsescope.reporting.dissection.neuron_facts", "The page"),
    ],
)
def test_what_cannot_be_drawn_costs_itself_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, broken: str, part: str
) -> None:
    assert run("--probe", "probe:set", "--out", "out", "--quiet").exit_code == 0
    tables = Path("out/units.csv").read_bytes()
    Path("out/units.csv").unlink()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no font")

    monkeypatch.setattr(broken, fail)
    result = run("--probe", "probe:set", "--out", "out", "--quiet")
    assert result.exit_code == 3
    assert f"Error: {part} failed: RuntimeError: no font" in result.stderr
    assert "dense: layer 1" in result.stdout and "Written: out/units.csv" in result.stdout
    assert Path("out/units.csv").read_bytes() == tables
    page = Path("out/dissection.html")
    if part == "The page":
        assert not page.exists()
    else:
        assert f"{part} could not be made: RuntimeError: no font" in Page(page.read_text()).text
