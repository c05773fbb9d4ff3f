"""Exit codes have an order: 2, then 1, then 3, then 0."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from fake_evaluation import make_light_evaluation, make_metric

from sparsescope.cli.group import sparsescope
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.ece import ECE
from sparsescope.reporting.formats import FORMATS
from sparsescope.results import Evaluation, Pairs
from sparsescope.results.metric import BROKE
from sparsescope.results.radar import normalise
from sparsescope.verdict import decide

MODELS = ("dense", "sparse")
BROKEN, MISSING = f"{BROKE}RuntimeError: boom (net.py, line 3)", "no probe set"


def run(out: Path, *arguments: str) -> Result:
    return CliRunner().invoke(
        sparsescope, ["evaluate", "a.pt", "b.pt", "--data", "digits", "--out", str(out), *arguments]
    )


def evaluation(outcome: str, reason: str | None = None, *, everywhere: bool = False) -> Evaluation:
    """Return one whose accuracy has an outcome, and whose other metric, or all of them, was not evaluated."""
    drop = {"pass": 0.0, "fail": 0.5}[outcome]
    metrics = [make_metric("accuracy", (0.9, 0.9 - drop), models=MODELS), make_metric("ece", (0.1, 0.1), models=MODELS)]
    if reason is not None:
        for place in range(len(metrics)) if everywhere else (1,):
            missing = {name: {"status": "not evaluated", "reason": reason} for name in MODELS}
            values = {**metrics[place].model_dump(), "values": missing, "details": {}}
            values["differences"] = {"sparse": {}}
            metrics[place] = type(metrics[place]).model_validate(values)
    pair = Pairs.of_one_dense(MODELS).of("sparse")
    verdicts = {"sparse": decide(metrics, pair, confidence=0.95, complete=False)}
    radar = normalise(metrics, Pairs.of_one_dense(MODELS))
    return make_light_evaluation(MODELS, metrics=tuple(metrics), verdicts=verdicts, radar=radar)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Any:
    def given(found: Evaluation) -> None:
        monkeypatch.setattr("sparsescope.evaluation.open_task", lambda *models, **options: None)
        monkeypatch.setattr("sparsescope.evaluation.evaluate_task", lambda *steps: found)

    return given


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize(
    ("outcome", "reason", "everywhere", "codes"),
    [
        ("pass", None, False, (0, 0, 0)),
        ("fail", None, False, (0, 1, 1)),
        ("fail", BROKEN, False, (3, 1, 1)),
        ("pass", BROKEN, False, (3, 3, 1)),
        ("pass", BROKEN, True, (3, 1, 1)),
        ("pass", MISSING, False, (0, 0, 1)),
        ("pass", MISSING, True, (0, 1, 1)),
    ],
)
def test_the_order(
    measured: Any,
    outcome: str,
    reason: str | None,
    everywhere: bool,
    codes: tuple[int, int, int],
    written: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = evaluation(outcome, reason, everywhere=everywhere)
    measured(found)
    monkeypatch.setattr("sparsescope.reporting.writer.FORMATS", {"evaluation.json": FORMATS["evaluation.json"]})
    if not written:
        codes = tuple(code or 3 for code in codes)  # type: ignore[assignment]
        monkeypatch.setattr("sparsescope.reporting.writer.write_atomically", full_disk)
    for gate, code in zip(("none", "fail", "inconclusive"), codes, strict=True):
        result = run(tmp_path, "--gate", gate)
        assert result.exit_code == code, result.output
        assert found.verdict("sparse").statement in " ".join(result.stdout.split())
        assert ("no metric of its verdict was evaluated" in result.stderr) == (everywhere and gate != "none")
        assert ("Error: " in result.stderr) == (not written or reason == BROKEN)


def full_disk(path: Path, content: bytes) -> None:
    raise OSError(28, "No space left on device", str(path))


def test_a_format_that_fails_costs_neither_table_nor_files(
    measured: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(evaluation("pass"))
    monkeypatch.setattr("sparsescope.reporting.junit.junit", lambda evaluations: 1 // 0)
    result = run(tmp_path)
    assert result.exit_code == 3 and "ZeroDivisionError" in result.stderr
    assert "Error: junit.xml failed: ZeroDivisionError: integer division or modulo by zero (" in result.stderr
    assert "sparse: PASS" in result.stdout and (tmp_path / "report.html").exists()


def test_wrong_usage_goes_first_and_a_command_that_fails_is_named(
    measured: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(evaluation("fail", BROKEN))
    assert run(tmp_path, "--gate", "fail", "--preset", "quik").exit_code == 2
    assert run(tmp_path, "--gate", "fail", "--metric", "weight_top_eigenvalue").exit_code == 2
    assert CliRunner().invoke(sparsescope, ["inspect", "\0"]).exit_code == 2
    monkeypatch.setattr("sparsescope.checkpoints.describe", lambda *_, **__: int("many"))
    result = CliRunner().invoke(sparsescope, ["inspect", "a.pt"])
    assert result.exit_code == 3 and result.stderr.startswith("Error: inspect failed: ValueError: invalid literal for")


@pytest.mark.filterwarnings("ignore:.* cannot be measured")
@pytest.mark.parametrize("where", ["measure", "units"])
def test_a_metric_that_breaks_costs_itself_alone(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(
        "from torch import nn\n\n\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(16, 3))\n"
    )
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 4, 4), dtype=np.uint8)
    np.savez("test.npz", images=images, labels=rng.integers(0, 3, 30))
    import torch
    from torch import nn

    for name in ("a", "b"):
        torch.save(nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).state_dict(), f"{name}.pt")

    def boom(*_: Any, **__: Any) -> None:
        raise ValueError("boom\nand more")

    monkeypatch.setattr(*((Predictions, "measure") if where == "measure" else (ECE, "units")), boom)
    arguments = [
        "evaluate",
        "a.pt",
        "b.pt",
        "--arch",
        "net.py:net",
        "--data",
        "npz:test.npz",
        "--no-cache",
        "--out",
        "o",
    ]
    chosen = [part for name in ("ece", "nll", "weight_trace") for part in ("--metric", name)]
    result = CliRunner().invoke(sparsescope, [*arguments, *chosen, "--set", "weight_trace.margin=1e9"])
    assert result.exit_code == 3 and Path("o/evaluation.json").exists(), result.output
    found = Evaluation.load("o/evaluation.json")
    broken = {metric.name: metric.values["b"].broke for metric in found.metrics}
    assert broken == {"ece": True, "nll": where == "measure", "weight_trace": False}
    assert (
        found["ece"].values["b"].reason
        == f"{BROKE}ValueError: boom (test_ending.py, line {boom.__code__.co_firstlineno + 1})"
    )
    gated = CliRunner().invoke(sparsescope, [*arguments, "--metric", "ece", "--gate", "fail"])
    assert gated.exit_code == 1 and "--gate fail is not met by b" in gated.stderr
