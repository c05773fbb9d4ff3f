"""`sparsescope sweep`: its plan, its end, its exit codes."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from sparsescope.cli.group import sparsescope
from sparsescope.results import Sweep

RECIPE = """
data = "npz:test.npz"
train = "npz:train.npz"
architecture = "digits_cnn_small"
methods = ["omp", "random"]
rounds = [1, 3]
[training]
recipe = "digits"
epochs = 2
[evaluation]
preset = "quick"
only = ["accuracy"]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARSESCOPE_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for name in ("test", "train"):
        np.savez(f"{name}.npz", images=rng.integers(0, 256, (24, 12, 12), dtype=np.uint8), labels=np.arange(24) % 3)
    Path("own.toml").write_text(RECIPE)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(sparsescope, list(arguments))


def test_a_dry_run_prints_the_plan_and_writes_nothing(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    result = run("sweep", "own.toml", "--dry-run", "--out", "out")
    assert result.exit_code == 0, result.output
    assert sorted(folder.rglob("*")) == before
    for line in (
        "24 training and 24 test images",
        "sparsities 20.0%, 48.8%",
        "5 runs, 10 epochs; a whole run has 2, rewinding goes back to 0",
        "240 images forward and backward",
        "evaluations 4, about 120 passes",
        "on cpu, an estimate from a moment's probe here",
        "Nothing was trained or written. Without --dry-run it goes to out.",
    ):
        assert line in " ".join(result.stdout.split())


@pytest.mark.parametrize("columns", [80, 100])
def test_a_long_plan_fits_the_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    Path("own.toml").write_text(RECIPE.replace("[1, 3]", str(list(range(1, 22)))))
    lines = run("sweep", "own.toml", "--dry-run", "--out", "out").stdout.splitlines()
    assert max(map(len, lines)) <= columns
    first = next(row for row, line in enumerate(lines) if line.startswith("  sparsities"))
    assert lines[first].startswith("  sparsities      20.0%, 36.0%, ")
    assert lines[first + 1].startswith(18 * " ") and lines[first + 1].strip()[0].isdigit()
    assert " ".join(lines[first:]).count("%,") == 20


def test_a_sweep_and_its_second_start(folder: Path) -> None:
    result = run("sweep", "own.toml", "--out", "out", "--method", "omp", "--seed", "3", "--quiet")
    assert result.exit_code == 0, result.output
    page = folder / "out" / "index.html"
    written = page.relative_to(folder)
    assert result.stdout == (
        f"own: 2 networks evaluated against their dense parents. Written: {written}, with its figures and tables\n"
    )
    assert "omp" in page.read_text()
    again = run("sweep", "own.toml", "--out", "out", "--method", "omp", "--seed", "3", "--sparsity", "0.2")
    assert again.exit_code == 0 and "own: 2 networks evaluated" in again.stdout
    assert [(point.seed, point.target) for point in Sweep.load("out").points] == [(3, 0.2), (3, 0.488)]


def test_what_failed_is_said_and_the_exit_code_is_three(folder: Path) -> None:
    Path("own.toml").write_text(RECIPE.replace("epochs = 2", "epochs = 2\nlearning_rate = 1e30"))
    result = run("sweep", "own.toml", "--out", "out", "--quiet")
    assert result.exit_code == 3
    assert "Failed: dense, seed 0: Training diverged" in result.stderr
    assert "own: 0 networks evaluated against their dense parents, 1 failed (failures.json)" in result.stdout


def test_bad_recipes_and_data(folder: Path) -> None:
    assert "Expected a recipe of cifar10-resnet18, " in run("sweep", "digit-mini").stderr
    result = run("sweep", "own.toml", "--data", "npz:none.npz", "--out", "out")
    assert result.exit_code == 2 and "none.npz" in result.stderr and not (folder / "out").exists()
    assert "In the recipe own.toml: methods: " in run("sweep", "own.toml", "--method", "obd").stderr


def test_data_that_moved_are_given_on_the_command_line(folder: Path) -> None:
    start = ("sweep", "own.toml", "--out", "out", "--quiet", "--method", "omp", "--sparsity", "0.2")
    assert run(*start).exit_code == 0
    (folder / "new").mkdir()
    for name in ("test.npz", "train.npz"):
        (folder / name).rename(folder / "new" / name)
    assert "train.npz" in run(*start, "--data", "npz:new/test.npz").stderr
    again = run(*start, "--data", "npz:new/test.npz", "--train", f"npz:{folder}/new/train.npz")
    assert (again.exit_code, again.stderr) == (0, "")
    swapped = run(*start, "--data", "npz:new/train.npz", "--train", "npz:new/test.npz")
    assert swapped.exit_code == 2 and "another content: test images, training images changed" in swapped.stderr


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("[options.rigl]\nevery = 5\n", "Warning: options.rigl has no effect: rigl is not among the methods.\n"),
        (
            "[training.methods.snip]\nepochs = 1\n",
            "Warning: training.methods.snip has no effect: snip is not among the methods.\n",
        ),
        ('rewind = "weights"\n', "Warning: rewind has no effect: no method rewinds a trained network.\n"),
        ("score_images = 5\n", "Warning: score_images has no effect: no method looks at images.\n"),
        ("", ""),
    ],
)
def test_what_no_method_reads_is_said(folder: Path, lines: str, said: str) -> None:
    recipe = RECIPE.replace('"omp", "random"', '"random"')
    Path("own.toml").write_text(recipe + lines if lines.startswith("[") else lines + recipe)
    assert run("sweep", "own.toml", "--dry-run").stderr == said
    assert run("sweep", "own.toml", "--dry-run", "--method", "random").stderr == ""


def test_an_architecture_typo_is_wrong_usage(folder: Path) -> None:
    Path("own.toml").write_text(RECIPE.replace("digits_cnn_small", "digits_cnn_smal"))
    result = run("sweep", "own.toml", "--out", "out", "--quiet")
    assert result.exit_code == 2 and "Did you mean digits_cnn_small" in result.stderr and not Path("out").exists()


def test_the_plan_and_the_page_say_which_recipe_trains_which_method(folder: Path) -> None:
    own = '[training.methods.random]\nrecipe = "cifar-rigl"\nepochs = 3\n[training.methods.rigl]\nepochs = 1\n'
    Path("own.toml").write_text(RECIPE.replace("[evaluation]", own + "[evaluation]").replace("[1, 3]", "[1]"))
    plan = " ".join(run("sweep", "own.toml", "--dry-run", "--out", "out").stdout.split())
    assert "3 runs, 7 epochs; a whole run has 2" in plan
    assert "trained by digits, 2 epochs: dense, omp; cifar-rigl, 3 epochs: random; not used, as they are not" in plan
    assert "among the methods: the recipes of rigl" in plan
    result = run("sweep", "own.toml", "--out", "out", "--quiet")
    assert result.exit_code == 0, result.output
    page = Path("out/sweep.md").read_text()
    assert "| random | cifar-rigl | 3 |" in page and "| omp | digits | 2 |" in page


def test_image_sets_that_no_metric_reads_get_a_word(folder: Path) -> None:
    start = ("sweep", "own.toml", "--out", "out", "--quiet", "--method", "omp", "--sparsity", "0.2")
    assert "Warning: evaluation.ood has no effect" in run(*start, "--ood", "textures").stderr
