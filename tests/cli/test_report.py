import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from fake_evaluation import MODELS, make_light_evaluation
from fake_sweep import make_sweep
from report_files import FILES

from sparsescope.cli.report import report
from sparsescope.errors import InputError


def run(*arguments: object) -> str:
    result = CliRunner().invoke(report, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_ends_with_the_paths_written(tmp_path: Path) -> None:
    make_light_evaluation().save(tmp_path / "mine.json")
    lines = run(tmp_path / "mine.json", "--out", tmp_path / "out").splitlines()
    assert lines == ["Written:", *(f"  {tmp_path / 'out' / name}" for name in FILES)]
    assert all((tmp_path / "out" / name).stat().st_size > 0 for name in FILES)


def test_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_light_evaluation().save("mine.json")
    assert "  sparsescope-report/report.html" in run("mine.json").splitlines()


def test_rendering_a_report_again_in_its_own_folder(tmp_path: Path) -> None:
    run_in = tmp_path / "out"
    run_in.mkdir()
    make_light_evaluation().save(run_in / "evaluation.json")
    run(run_in / "evaluation.json", "--out", run_in)
    first = (run_in / "report.html").read_bytes()
    run(run_in / "evaluation.json", "--out", run_in)
    assert (run_in / "report.html").read_bytes() == first


def test_another_evaluation_is_not_overwritten(tmp_path: Path) -> None:
    make_light_evaluation().save(tmp_path / "evaluation.json")
    before = (tmp_path / "evaluation.json").read_bytes()
    make_light_evaluation(seed=1).save(tmp_path / "other.json")
    with pytest.raises(InputError, match=r"evaluation\.json is another evaluation .* Choose another folder with --out"):
        run(tmp_path / "other.json", "--out", tmp_path)
    assert (tmp_path / "evaluation.json").read_bytes() == before
    assert not (tmp_path / "report.html").exists()


def test_several_are_compared(tmp_path: Path) -> None:
    make_light_evaluation().save(tmp_path / "a.json")
    make_light_evaluation(MODELS).save(tmp_path / "b.json")
    output = run(tmp_path / "a.json", tmp_path / "b.json", "--out", tmp_path / "out")
    assert "radar-2.svg" in output
    assert not (tmp_path / "out" / "evaluation.json").exists()


def test_a_folder_stands_for_its_evaluation(tmp_path: Path) -> None:
    for name, evaluation in {"a": make_light_evaluation(), "b": make_light_evaluation(MODELS)}.items():
        (tmp_path / name).mkdir()
        evaluation.save(tmp_path / name / "evaluation.json")
    assert "radar-2.svg" in run(tmp_path / "a", tmp_path / "b" / "evaluation.json", "--out", tmp_path / "out")
    run(tmp_path / "a", "--out", tmp_path / "a")
    assert (tmp_path / "a" / "report.html").exists()


def test_unusable_input_is_an_input_error_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Cannot read .*absent\.json"):
        run(tmp_path / "absent.json", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert CliRunner().invoke(report, []).exit_code == 2


def small_sweep(folder: Path) -> None:
    make_sweep(folder, methods=("omp",), sparsities=(0.2, 0.36), seeds=(0,), small=False, metrics=("accuracy",))


def test_a_sweeps_folder_gets_its_page_again(tmp_path: Path) -> None:
    small_sweep(tmp_path)
    lines = run(tmp_path).splitlines()
    assert lines[:3] == ["Written:", f"  {tmp_path / 'index.html'}", f"  {tmp_path / 'sweep.md'}"]
    assert f"  {tmp_path / 'figures' / 'generalization-paper.svg'}" in lines
    assert not Path("sparsescope-report").exists()


def test_a_sweep_is_reported_alone_and_in_its_own_folder(tmp_path: Path) -> None:
    small_sweep(tmp_path / "sweep")
    make_light_evaluation().save(tmp_path / "a.json")
    with pytest.raises(InputError, match="or the folder of one sweep alone, but got a folder and more"):
        run(tmp_path / "sweep", tmp_path / "a.json")
    with pytest.raises(InputError, match=r"Expected no --out with a sweep: its report goes to its own folder"):
        run(tmp_path / "sweep", "--out", tmp_path / "out")
    with pytest.raises(InputError, match=r"Cannot read .*sweep\.json: No such file .* the folder of a sweep\?"):
        run(tmp_path)
    assert not (tmp_path / "sweep" / "index.html").exists()


def test_needs_no_torch(tmp_path: Path) -> None:
    make_light_evaluation().save(tmp_path / "mine.json")
    small_sweep(tmp_path / "sweep")
    program = (
        "import sys\n"
        "sys.modules['torch'] = None  # makes every import of torch an error\n"
        "from sparsescope.cli.report import report\n"
        f"report([{str(tmp_path / 'mine.json')!r}, '--out', {str(tmp_path / 'out')!r}], standalone_mode=False)\n"
        f"report([{str(tmp_path / 'sweep')!r}], standalone_mode=False)\n"
        "assert not any(name.startswith('torch.') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
    assert (tmp_path / "out" / "report.html").exists() and (tmp_path / "sweep" / "index.html").exists()
