"""`sparsescope report`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click
from click.core import ParameterSource

from sparsescope.cli.choices import derived_option
from sparsescope.cli.output import echo
from sparsescope.errors import InputError

if TYPE_CHECKING:
    from sparsescope.results import Evaluation

__all__ = ["report"]


@click.command()
@click.argument("files", metavar="EVALUATION.json…|SWEEP", nargs=-1, required=True, type=click.Path(path_type=Path))
@derived_option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("sparsescope-report"),
    show_default=True,
    metavar="DIR",
    help="Output directory for {files}. The report of a sweep is written to the sweep's own directory.",
)
@click.pass_context
def report(context: click.Context, files: tuple[Path, ...], out: Path) -> None:
    """Render reports again, without torch.

    Several EVALUATION.json, or the folders that hold them, become one report that compares them. SWEEP is the folder of
    a sweep, which gets its page, tables and figures anew from what has been evaluated so far.
    """
    files = tuple(_evaluation_in(file) or file for file in files)
    if any(file.is_dir() for file in files):
        _written(_sweep_report(context, files))
        return
    from sparsescope.reporting import report as write
    from sparsescope.results import Evaluation

    evaluations = [Evaluation.load(file) for file in files]
    if len(evaluations) == 1:
        _keep(evaluations[0], out / "evaluation.json")
    paths = write(evaluations[0] if len(evaluations) == 1 else evaluations, out)
    _written(paths.values())


def _evaluation_in(folder: Path) -> Path | None:
    """Return the evaluation that `evaluate` left in a folder; None of a file, or a sweep's folder."""
    path = folder / "evaluation.json"
    return path if path.is_file() and not (folder / "sweep.json").exists() else None


def _sweep_report(context: click.Context, files: tuple[Path, ...]) -> list[Path]:
    from sparsescope.reporting.sweep import write_sweep_report

    if len(files) > 1:
        raise InputError("Expected evaluation.json files, or the folder of one sweep alone, but got a folder and more.")
    if context.get_parameter_source("out") is not ParameterSource.DEFAULT:
        raise InputError("Expected no --out with a sweep: its report goes to its own folder, beside sweep.json.")
    return write_sweep_report(files[0])


def _written(paths: Iterable[Path]) -> None:
    echo("Written:")
    for path in paths:
        echo(f"  {path}")


def _keep(evaluation: "Evaluation", path: Path) -> None:
    """Refuse to replace another evaluation: it may have taken hours, unlike a report."""
    if path.exists() and type(evaluation).load(path) != evaluation:
        raise InputError(
            f"{path} is another evaluation and would be overwritten. Choose another folder with --out DIR."
        )
