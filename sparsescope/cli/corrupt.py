"""`sparsescope corrupt`."""

from pathlib import Path

import rich_click as click

from sparsescope.cli.choices import complete, corruption_names
from sparsescope.cli.interruption import kept
from sparsescope.cli.output import echo
from sparsescope.cli.parameters import crop_option, quiet_option, resize_option, seed_option
from sparsescope.cli.progress import progress_bar

__all__ = ["corrupt"]


@click.command()
@click.argument("data")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR", help="Output directory."
)
@click.option(
    "--corruption",
    "corruptions",
    shell_complete=complete(corruption_names),
    multiple=True,
    metavar="NAME",
    help="Only this corruption, such as fog (repeatable).  [default: the 15 standard ones]",
)
@click.option("--all", "every", is_flag=True, help="All 19 corruptions: the 15 standard and the 4 extra ones.")
@click.option(
    "--severity",
    "severities",
    multiple=True,
    type=click.IntRange(1, 5),
    help="Only this severity (repeatable); the others stay black.  [default: all five]",
)
@resize_option
@crop_option
@seed_option
@quiet_option
@kept("Finished corruptions are kept: the same command goes on from there.")
def corrupt(
    data: str,
    out: Path,
    corruptions: tuple[str, ...],
    every: bool,
    severities: tuple[int, ...],
    resize: int | None,
    crop: int | None,
    seed: int,
    quiet: bool,
) -> None:
    """Write the test images of DATA under every corruption and severity, in the layout of CIFAR-10-C.

    `sparsescope evaluate --corrupted cifar-c:DIR` reads the set. An interrupted run goes on where it stopped.
    """
    if every and corruptions:
        raise click.UsageError("Expected --all or --corruption, but got both.")
    from sparsescope.corruptions.tables import EXTRA, SEVERITIES, STANDARD
    from sparsescope.corruptions.writing import write_corrupted
    from sparsescope.datasets import open_images

    names = (*STANDARD, *EXTRA) if every else corruptions or STANDARD
    images = open_images(data, resize=resize, crop=crop)
    with progress_bar(quiet=quiet) as progress:
        paths = write_corrupted(
            images, out, corruptions=names, severities=severities or SEVERITIES, seed=seed, progress=progress
        )
    echo(f"{len(paths)} corruptions of {len(images)} images in {out}. To use them: --corrupted cifar-c:{out}")
