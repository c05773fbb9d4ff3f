"""Choices and help texts come from the catalogues: what is registered at run time is accepted and shown."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rich_click as click
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result
from fake_evaluation import make_light_evaluation

from sparsescope.architectures import BUILT_IN, LIBRARIES
from sparsescope.cli.choices import OneOf, sweep_recipes
from sparsescope.cli.group import sparsescope
from sparsescope.corruptions import STORED_SETS
from sparsescope.datasets import SOURCES
from sparsescope.datasets.probes import PROBES
from sparsescope.devices import DEVICES, device_names, pick_device
from sparsescope.errors import OptionError
from sparsescope.lime import SUPERPIXELS, LimeSettings, segment
from sparsescope.presets import preset_names
from sparsescope.reporting.formats import FORMATS
from sparsescope.sweeps import sweep_names
from sparsescope.verdict import GATES


def run(*arguments: str) -> Result:
    return CliRunner().invoke(sparsescope, arguments, env={"COLUMNS": "400"})


def test_help_lists_every_member() -> None:
    found = run("evaluate", "--help").output
    lists = (
        *(
            entry.form
            for catalogue in (SOURCES, PROBES, STORED_SETS, BUILT_IN, LIBRARIES)
            for entry in catalogue.values()
        ),
        *FORMATS,
        "|".join(preset_names()),
        "|".join(device_names()),
        "|".join(GATES),
        "Exit with 1 for FAIL (fail), or for FAIL and INCONCLUSIVE (inconclusive).",
        "else noise:uniform, noise:gaussian and textures",
    )
    assert [member for member in lists if member not in found] == []
    assert "|".join(("auto", *SUPERPIXELS)) in run("explain", "--help").output


@pytest.mark.parametrize("command", ["evaluate", "explain", "dissect", "crosscheck", "report", "corrupt", "inspect"])
def test_help_imports_no_torch(command: str) -> None:
    code = (
        "import sys\nfrom sparsescope.cli import sparsescope\n"
        f"sparsescope([{command!r}, '--help'], standalone_mode=False)\n"
        "sys.exit(', '.join({'torch', 'matplotlib', 'skimage'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ("evaluate", "a", "b", "--preset", "standrad"),
            "'--preset': expected lthpass, paper, quick or standard, but got 'standrad'. Did you mean standard?",
        ),
        (("evaluate", "a", "b", "--gate", "maybe"), "'--gate': expected none, fail or inconclusive, but got 'maybe'."),
        (("evaluate", "a", "b", "--device", "gpu"), "'--device': expected auto, cuda, mps or cpu, but got 'gpu'."),
        (("explain", "a", "--superpixels", "sclic"), "but got 'sclic'. Did you mean slic?"),
        (
            ("explain", "a", "--target", "lable"),
            "'--target': expected dense, own or label, but got 'lable'. Did you mean",
        ),
        (("prune", "omp", "--precision", "float61"), "but got 'float61'. Did you mean float16"),
    ],
)
def test_near_misses(arguments: tuple[str, ...], text: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert text in " ".join(result.stderr.replace("│", "").split())


def test_numbers_follow_only_where_they_may() -> None:
    assert OneOf(device_names, numbered=True).convert("cuda:1", None, None) == "cuda:1"
    with pytest.raises(click.BadParameter, match="but got 'quick:1'"):
        OneOf(preset_names).convert("quick:1", None, None)


def test_completion() -> None:
    option = click.Option(["--preset"], type=OneOf(preset_names))
    items = option.type.shell_complete(click.Context(click.Command("x")), option, "qu")
    assert [item.value for item in items] == ["quick"]


@pytest.mark.parametrize(
    ("line", "word", "found"),
    [
        ("evaluate a b --metric", "ood", ["ood_auroc"]),
        ("evaluate a b --skip", "input_t", ["input_top_eigenvalue", "input_trace"]),
        ("corrupt --corruption", "gau", ["gaussian_blur", "gaussian_noise"]),
        ("sweep", "digits", ["digits-mini"]),
        ("sweep", "own.t", ["own.t"]),
        ("sweep digits-mini --method", "ran", ["random"]),
        ("prune", "syn", ["synflow"]),
    ],
)
def test_completion_in_the_shell(line: str, word: str, found: list[str]) -> None:
    items = ShellComplete(sparsescope, {}, "sparsescope", "_C").get_completions(line.split(), word)
    assert sorted(item.value for item in items) == found


def test_recipes_are_completed_as_they_are_loaded() -> None:
    assert sweep_recipes() == sweep_names()


def test_a_new_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation = make_light_evaluation()
    (outcome,) = {verdict.outcome for verdict in evaluation.verdicts.values()}
    monkeypatch.setattr("sparsescope.evaluation.open_task", lambda *models, **options: None)
    monkeypatch.setattr("sparsescope.evaluation.evaluate_task", lambda *steps: evaluation)
    arguments = ("evaluate", "a.pt", "b.pt", "--data", "digits", "--out", str(tmp_path), "--gate", "mine")
    assert run(*arguments).exit_code == 2
    for missed, code in ((frozenset({outcome}), 1), (frozenset(), 0)):
        monkeypatch.setitem(GATES, "mine", missed)
        result = run(*arguments)
        assert result.exit_code == code, result.output
    assert "none|fail|inconclusive|mine" in run("evaluate", "--help").output


def test_new_superpixels(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match=r"Expected superpixels to be one of auto, .*, but got 'halves'"):
        LimeSettings(superpixels="halves")
    monkeypatch.setitem(SUPERPIXELS, "halves", lambda pixels: np.indices(pixels.shape[:2])[1] * 2 // pixels.shape[1])
    assert LimeSettings(superpixels="halves").superpixels == "halves"
    np.testing.assert_array_equal(segment(np.zeros((1, 2, 4), np.float32), "halves"), [[0, 0, 1, 1]] * 2)
    assert "grid|halves" in run("explain", "--help").output


def test_a_new_device(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match=r"Expected a device of .*cpu \(or auto\), but got 'npu:1'"):
        pick_device("npu:1")
    monkeypatch.setitem(DEVICES, "npu", lambda: True)
    assert pick_device("npu:1") == "npu:1"
    assert pick_device("auto") != "npu"  # the first that is there, in the order of the table
    assert "cpu|npu" in run("dissect", "--help").output
