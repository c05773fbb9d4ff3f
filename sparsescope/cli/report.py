"""`sparsescope report`."""

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from sparsescope.errors import InputError

if TYPE_CHECKING:
    from sparsescope.results import Evaluation

__all__ = ["report"]


@click.command()
@click.argument("files", metavar="EVALUATION.json…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("sparsescope-report"),
    show_default=True,
    metavar="DIR",
    help="Where the report goes.",
)
def report(files: tuple[Path, ...], out: Path) -> None:
    """Render evaluations again; several EVALUATION.json become one report that compares them. Needs no torch."""
    from sparsescope.reporting import report as write
    from sparsescope.results import Evaluation

    evaluations = [Evaluation.load(file) for file in files]
    if len(evaluations) == 1:
        _keep(evaluations[0], out / "evaluation.json")
    paths = write(evaluations[0] if len(evaluations) == 1 else evaluations, out)
    click.echo("Written:")
    for path in paths.values():
        click.echo(f"  {path}")


def _keep(evaluation: "Evaluation", path: Path) -> None:
    """Refuse to replace another evaluation: it may have taken hours, unlike a report."""
    if path.exists() and type(evaluation).load(path) != evaluation:
        raise InputError(
            f"{path} is another evaluation and would be overwritten. Choose another folder with --out DIR."
        )
