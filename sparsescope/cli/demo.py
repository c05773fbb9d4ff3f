"""`sparsescope demo`."""

from pathlib import Path

import rich_click as click

from sparsescope.cli.ending import exit_code, write_report
from sparsescope.cli.output import echo
from sparsescope.cli.parameters import make_folder, quiet_option, seed_option
from sparsescope.cli.progress import progress_bar

__all__ = ["demo"]


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("sparsescope-demo"),
    show_default=True,
    metavar="DIR",
    help="Where models and report go.",
)
@click.option(
    "--sparsity",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.8,
    show_default=True,
    help="Fraction of the weights removed.",
)
@seed_option
@quiet_option
@click.pass_context
def demo(context: click.RichContext, /, out: Path, sparsity: float, seed: int, quiet: bool) -> None:
    """Train a small network on the embedded digits, prune it, evaluate dense against sparse, write the report."""
    from sparsescope.cli.table import print_summary
    from sparsescope.evaluation import evaluate
    from sparsescope.workflows.demo import make_models

    make_folder(out)
    with progress_bar(quiet=quiet) as progress:
        dense, sparse = make_models(out, sparsity, seed, progress)
    with progress_bar(quiet=quiet) as progress:
        evaluation = evaluate(dense, sparse, "digits", preset="quick", seed=seed, progress=progress)
    paths, all_written = write_report(evaluation, out)
    print_summary(evaluation)
    echo("\nWritten:")
    for path in (dense, sparse, *paths):
        echo(f"  {path}")
    context.exit(exit_code(evaluation, "none", all_written=all_written))
