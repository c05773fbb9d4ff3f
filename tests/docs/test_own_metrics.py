"""The code of the how-to pages on metrics and measurements does what the pages say, everywhere that metrics show."""

import copy
import importlib
import json
import re
import sys
import time
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.special import softmax
from torch import nn

import sparsescope as ss
from sparsescope import metrics, usercode
from sparsescope.architectures import resolve
from sparsescope.checkpoints import save_checkpoint
from sparsescope.classifier import Classifier
from sparsescope.cli.group import sparsescope
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.base import Metric
from sparsescope.reporting import write_sweep_report
from sparsescope.results import Evaluation, json_schema
from sparsescope.sweeps import SweepRecipe, run_sweep

FOLDER = Path(__file__).parents[2] / "docs" / "how-to"
SENTENCE = "Mean squared distance of the predicted probabilities from the right class."


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (FOLDER / page).read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.fixture(scope="module")
def models() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    dense = resolve("digits_cnn").build(num_classes=10, in_channels=1)
    sparse = copy.deepcopy(dense)
    with torch.no_grad():
        sparse.features[0].weight[:, :, 0] = 0
    return dense, sparse


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Any]:
    """Write a page's first block as the file it names, and import it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("SPARSESCOPE_CACHE", str(tmp_path / "cache"))

    def to_file(page: str, name: str) -> Any:
        code = blocks(page)[0]
        assert code.startswith(f"# {name}.py\n")
        (tmp_path / f"{name}.py").write_text(code)
        monkeypatch.setattr(usercode, "_STARTED", time.time() + 60)  # as if Python had begun after that
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return to_file


@pytest.fixture
def brier(write: Callable[[str, str], Any], monkeypatch: pytest.MonkeyPatch) -> type[Metric]:
    """The metric of the page, built in: its file and one line in the catalogue."""
    module = write("add-a-metric.md", "brier_metric")
    monkeypatch.setitem(metrics.CATALOGUE, "brier", "brier_metric:Brier")
    found: type[Metric] = module.Brier
    return found


def test_as_an_object(write: Callable[[str, str], Any], models: tuple[nn.Module, nn.Module]) -> None:
    write("add-a-metric.md", "brier_metric")
    names: dict[str, Any] = {"dense": models[0], "sparse": models[1]}
    exec(compile(blocks("add-a-metric.md")[1], "add-a-metric.md", "exec"), names)
    evaluation = names["evaluation"]
    assert evaluation["brier"].sentence == SENTENCE and "brier" not in evaluation.verdict("sparse").metrics
    assert SENTENCE in Path("out/report.html").read_text() and SENTENCE in Path("out/report.md").read_text()
    loaded = Evaluation.load("out/evaluation.json")
    assert loaded == evaluation
    jsonschema.validate(json.loads(Path("out/evaluation.json").read_text()), json_schema())


def test_its_value_is_the_formulas(brier: type[Metric]) -> None:
    logits = np.array([[2.0, 0.0, 0.0], [0.0, 1.0, -1.0]], dtype=np.float32)
    measured = {Predictions("test"): {"logits": logits, "label": np.array([0, 0])}}
    p = softmax(logits.astype(float), axis=1)
    expected = [(1 - p[0, 0]) ** 2 + p[0, 1] ** 2 + p[0, 2] ** 2, (1 - p[1, 0]) ** 2 + p[1, 1] ** 2 + p[1, 2] ** 2]
    metric, top = metrics.create("brier"), metrics.create("brier", top_label=True)
    units = metric.units(measured, measured, None)  # type: ignore[arg-type]
    assert metric.value(units) == pytest.approx(np.mean(expected))
    assert metric.reduce(units, np.array([[2.0, 0.0], [0.0, 1.0]])) == pytest.approx(expected)
    units = top.units(measured, measured, None)  # type: ignore[arg-type]
    assert top.value(units) == pytest.approx(((1 - p[0, 0]) ** 2 + p[1, 1] ** 2) / 2)


def test_by_entry_point(
    write: Callable[[str, str], Any], models: tuple[nn.Module, nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("add-a-metric.md", "brier_metric")
    (line,) = re.findall(r"^brier = \"(.*)\"$", (FOLDER / "add-a-metric.md").read_text(), flags=re.MULTILINE)
    point = EntryPoint("brier", line, "sparsescope.metrics")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point] * (group == point.group))
    assert metrics.names()[-1] == "brier"
    evaluation = ss.evaluate(*models, "digits", metrics=["brier"], replicates=100)
    assert evaluation["brier"].label == "Brier score"


def test_built_in_on_the_command_line(brier: type[Metric], models: tuple[nn.Module, nn.Module]) -> None:
    for name, module in zip(("dense", "sparse"), models, strict=True):
        save_checkpoint(Path(f"{name}.pt"), Classifier(module), architecture="digits_cnn")

    def value(*more: str) -> float:
        arguments = ["evaluate", "dense.pt", "sparse.pt", "--data", "digits", "--metric", "brier", "--device", "cpu"]
        result = CliRunner().invoke(sparsescope, [*arguments, *more, "--out", "out"])
        assert result.exit_code == 0, result.output
        assert "Brier score" in result.output
        metric = Evaluation.load("out/evaluation.json")["brier"]
        assert metric.options == {"top_label": bool(more)}
        assert metric.margin == (0.03 if more else 0.02)
        return metric.value("dense").value

    whole = value()
    assert 0 < value("--set", "brier.top_label=true", "--set", "brier.margin=0.03") < whole < 2
    assert SENTENCE in Path("out/report.html").read_text()
    result = CliRunner().invoke(sparsescope, ["report", "out/evaluation.json", "--out", "again"])
    assert result.exit_code == 0, result.output
    assert SENTENCE in Path("again/report.md").read_text()


def test_built_in_in_a_sweep(brier: type[Metric], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, n in (("train", 40), ("test", 30)):
        images = rng.integers(0, 256, (n, 12, 12), dtype=np.uint8)
        np.savez(tmp_path / f"{name}.npz", images=images, labels=np.arange(n) % 3)
    recipe = SweepRecipe.model_validate(
        {
            "name": "tiny", "data": "npz:test.npz", "train": "npz:train.npz", "architecture": "digits_cnn_small",
            "methods": ["omp"], "sparsities": [0.5],
            "training": {"recipe": "digits", "epochs": 2, "rewind_epoch": 1, "batch_size": 16},
            "evaluation": {"preset": "quick", "only": ["accuracy", "brier"], "replicates": 100},
        }
    )  # fmt: skip
    run_sweep(recipe, Path("sweep"))
    write_sweep_report(Path("sweep"))
    assert "omp,brier,calibration,squared probability,false,0.5," in Path("sweep/curves.csv").read_text()
    assert SENTENCE in Path("sweep/index.html").read_text() and SENTENCE in Path("sweep/sweep.md").read_text()


def test_a_measurement_of_ones_own(write: Callable[[str, str], Any], models: tuple[nn.Module, nn.Module]) -> None:
    write("add-a-measurement.md", "mirror_metric")
    names: dict[str, Any] = {"dense": models[0], "sparse": models[1]}
    exec(compile(blocks("add-a-measurement.md")[1], "add-a-measurement.md", "exec"), names)
    value = names["evaluation"]["mirror_agreement"].value("sparse")
    assert value.n == 200 and 0 <= value.value <= 1
    expected = ss.evaluate(*models, "digits", metrics=[names["MirrorAgreement"](images=200)], cache=False, batch_size=7)
    assert expected["mirror_agreement"].value("sparse").value == value.value
