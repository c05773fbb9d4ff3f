"""`sparsescope cache`."""

from collections.abc import Iterable
from pathlib import Path

import rich_click as click

from sparsescope.cli.output import echo
from sparsescope.cli.parameters import quiet_option
from sparsescope.cli.progress import progress_bar

__all__ = ["cache"]

_DAY = 24 * 3600.0


@click.group(invoke_without_command=True)
@click.pass_context
def cache(context: click.Context) -> None:
    """Show, verify or prune the cache of measured results; alone: show its size.

    The cache is $SPARSESCOPE_CACHE, else the user's cache folder of the platform.
    """
    if context.invoked_subcommand is None:
        context.invoke(size)


@cache.command()
def size() -> None:
    """Show where the cache is, and how much it holds."""
    from sparsescope.evaluation.parts import find_leftovers, find_parts

    folder = _folder()
    files = [part.path for part in find_parts(folder)]
    keys = {path.parent.name for path in files}
    echo(f"{folder}: {_amount(files)} of {_number(len(keys), 'measurement')}")
    if leftovers := list(find_leftovers(folder)):
        left = _amount(leftovers, "file")
        echo(f"Left by earlier versions and unfinished runs: {left}. sparsescope cache prune removes them.")


@cache.command()
@quiet_option
def verify(quiet: bool) -> None:
    """Read every part and compare it with its digest; damaged parts are removed, and measured again when needed."""
    from sparsescope.evaluation.parts import find_parts, remove

    folder = _folder()
    parts = list(find_parts(folder))
    damaged = 0
    with progress_bar(quiet=quiet) as progress:
        for done, part in enumerate(parts):
            if progress is not None:
                progress(done, len(parts), "verifying the cache")
            if not part.is_sound():
                damaged += 1
                remove(part.path)
    if damaged:
        echo(
            f"{folder}: {damaged} of {_number(len(parts), 'part')} were damaged and are removed. What they held is "
            "measured again when it is needed."
        )
    else:
        echo(f"{folder}: {_number(len(parts), 'part')}, all as they were written.")


@cache.command()
@click.option(
    "--unused",
    type=click.FloatRange(0),
    default=30,
    show_default=True,
    metavar="DAYS",
    help="Remove what was not read or written for so many days; 0 removes everything.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def prune(unused: float, dry_run: bool) -> None:
    """Remove parts that no command has used for a while, and what earlier versions left."""
    import time

    from sparsescope.evaluation.parts import find_leftovers, find_parts, remove

    folder = _folder()
    oldest = time.time() - unused * _DAY
    old = [part.path for part in find_parts(folder) if unused == 0 or _used(part.path) < oldest]
    paths = [*old, *find_leftovers(folder)]
    what = _amount(paths, "file")
    if not dry_run:
        for path in paths:
            remove(path)
    echo(f"{folder}: {'would remove' if dry_run else 'removed'} {what}.")


def _folder() -> Path:
    from sparsescope.evaluation.cache import default_directory

    return default_directory()


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # gone meanwhile
        return float("inf")


def _amount(paths: Iterable[Path], noun: str = "part") -> str:
    """Return number and size of files in words, such as `1,234 parts (5.6 MB)`."""
    sizes = []
    for path in paths:
        try:
            sizes.append(path.stat().st_size)
        except OSError:  # removed by another command meanwhile
            continue
    return f"{_number(len(sizes), noun)} ({sum(sizes) / 1e6:,.1f} MB)"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
