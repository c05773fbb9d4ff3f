"""What several commands share: their options, and values that click has no type for."""

import contextlib
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import rich_click as click

from sparsescope.cli.choices import OneOf, derived_option, spec_option
from sparsescope.cli.output import echo
from sparsescope.datasets import ClassesBy
from sparsescope.devices import AUTO, Precision, device_names
from sparsescope.errors import OptionError

if TYPE_CHECKING:
    from sparsescope.classifier import Classifier

__all__ = ["SEED", "batch_size", "folder", "make_folder", "numbers", "output", "show_warnings", "targets"]


SEED = click.IntRange(0, 2**64 - 1)


def numbers(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    """Return `0.485,0.456,0.406` as numbers."""
    if value is None:
        return None
    with contextlib.suppress(ValueError):
        found = tuple(float(part) for part in value.split(","))
        if all(map(math.isfinite, found)):
            return found
    raise click.BadParameter("expected numbers with commas between them, such as 0.485,0.456,0.406")


def batch_size(context: click.Context, parameter: click.Parameter, value: str) -> int | str:
    """Return `auto` or a number of images."""
    number = _whole(value)
    if value == "auto" or (number is not None and number > 0):
        return value if number is None else number
    raise click.BadParameter("expected auto or a number of images >= 1")


def output(context: click.Context, parameter: click.Parameter, value: str | None) -> int | str | None:
    """Return an index where the value is a whole number, else the name or key."""
    number = None if value is None else _whole(value)
    return value if number is None else number


def _whole(value: str) -> int | None:
    """Return a whole number of up to 18 digits, None for another text."""
    return int(value) if value.isdecimal() and len(value) <= 18 else None


@contextlib.contextmanager
def folder(out: Path) -> Iterator[None]:
    """Make the folder of `--out` before any work is done; where the work fails, a new folder does not stay empty."""
    fresh = not out.exists()
    make_folder(out)
    try:
        yield
    except BaseException:
        if fresh:
            with contextlib.suppress(OSError):  # it holds something
                out.rmdir()
        raise


def make_folder(out: Path) -> None:
    """Make the folder of `--out` before any work is done; raises OptionError if it cannot be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"--out {out} cannot be made a folder: {error.strerror}. Choose another place.") from error


@contextlib.contextmanager
def targets(files: Mapping[str, Path | None], runs: Path | None = None, *, read: Path | None = None) -> Iterator[None]:
    """Make the folders of the files that options name, before any work is done; new ones do not stay empty.

    Args:
        files: option -> file; None where it was not given.
        runs: a folder that is needed as well.
        read: a file that is read, which none of them may replace.

    Raises:
        OptionError: a path is a folder, cannot be written to, is named twice, or is the file that is read.
    """
    named = {option: path for option, path in files.items() if path is not None}
    seen = {} if runs is None else {runs.absolute(): "--runs"}
    for option, path in named.items():
        if path.is_dir():
            raise OptionError(f"Expected {option} to be a file, but {path} is a folder. Name a file in it.")
        if read is not None and path.resolve() == read.resolve():
            raise OptionError(f"{option} is {path}, which is read and would be replaced. Choose another place.")
        if (first := seen.setdefault(path.absolute(), option)) != option:
            raise OptionError(f"{first} and {option} both are {path}. Give each a place of its own.")
    with contextlib.ExitStack() as stack:
        for option, path in named.items():
            stack.enter_context(folder(path.parent))
            if not os.access(path.parent, os.W_OK):
                raise OptionError(f"{option} {path} cannot be written: no permission in {path.parent}.")
        if runs is not None:
            stack.enter_context(folder(runs))
        yield


def show_warnings(classifiers: "Iterable[Classifier]") -> None:
    """Print what was noticed about models, on stderr."""
    for classifier in classifiers:
        for warning in classifier.warnings:
            echo(f"Warning: {classifier.name}: {warning}", err=True)


arch_option = spec_option(
    "--arch", help="Architecture: {arch}. Default: from the checkpoint, else by names and shapes."
)
weights_option = click.option(
    "--weights",
    metavar="KEY",
    help="Which weights of a file that holds several, by its keys with dots between them, such as model_ema.",
)
trust_option = click.option(
    "--trust-pickle",
    is_flag=True,
    help="Read model files that are whole pickled networks. Such a file can run any code: only for files whose maker "
    "you trust.",
)
mean_option = click.option(
    "--mean", callback=numbers, metavar="R,G,B", help="Mean of the normalization, in [0, 1] units."
)
std_option = click.option("--std", callback=numbers, metavar="R,G,B", help="Standard deviation of the normalization.")
output_option = derived_option(
    "--model-output",
    callback=output,
    metavar="WHAT",
    help="What the networks return: {forms}; the index, key or field of the logits in it, such as heads.0; or both, as "
    "ENTRY:FORM.  [default: logits]",
)
resize_option = click.option(
    "--resize", type=click.IntRange(1), metavar="PX", help="Resize images to this shorter side."
)
crop_option = click.option("--crop", type=click.IntRange(1), metavar="PX", help="Crop the center square of this side.")
classes_option = click.option(
    "--classes",
    type=OneOf(lambda: get_args(ClassesBy)),
    default="name",
    show_default=True,
    help="How outputs belong to labels: by the names of the classes where both sides have some, or by number alone.",
)
device_option = click.option(
    "--device",
    type=OneOf(device_names, numbered=True),
    default=AUTO,
    show_default=True,
    help="Where to compute; a number may follow, as in cuda:1.",
)
batch_size_option = click.option(
    "--batch-size",
    default="auto",
    show_default=True,
    callback=batch_size,
    metavar="auto|N",
    help="Images per forward pass. Affects speed and memory, not results.",
)
precision_option = click.option(
    "--precision",
    type=OneOf(lambda: get_args(Precision)),
    default=get_args(Precision)[0],
    show_default=True,
    help="Precision of the forward pass during training.",
)
seed_option = click.option("--seed", type=SEED, default=0, show_default=True, help="Random seed.")
quiet_option = click.option("--quiet", is_flag=True, help="Hide progress output.")
