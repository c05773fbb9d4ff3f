"""`sparsescope crosscheck`."""

from typing import TYPE_CHECKING

import rich_click as click

from sparsescope.cli.choices import spec_option
from sparsescope.cli.parameters import (
    arch_option,
    classes_option,
    crop_option,
    mean_option,
    output_option,
    resize_option,
    seed_option,
    show_warnings,
    std_option,
    trust_option,
    weights_option,
)

if TYPE_CHECKING:
    from sparsescope.datasets import ClassesBy

__all__ = ["crosscheck"]


@click.command()
@click.argument("model")
@spec_option("--data", help="Test images: {data}. Default: what the checkpoint names.")
@arch_option
@weights_option
@trust_option
@mean_option
@std_option
@resize_option
@crop_option
@classes_option
@output_option
@click.option("--images", type=click.IntRange(2), default=200, show_default=True, help="Images to compare on.")
@seed_option
@click.pass_context
def crosscheck(
    context: click.RichContext,
    /,
    model: str,
    data: str | None,
    arch: str | None,
    weights: str | None,
    trust_pickle: bool,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    resize: int | None,
    crop: int | None,
    classes: "ClassesBy",
    model_output: str | int | None,
    images: int,
    seed: int,
) -> None:
    """Compute ECE, LIME, FGSM and the weight Hessian twice: by our engines and by netcal, lime, captum and PyHessian.

    Exit code 1 if any two disagree.
    """
    from rich.table import Table

    from sparsescope.cli.console import SafeConsole
    from sparsescope.evaluation import DataOptions, ModelOptions, open_task
    from sparsescope.workflows.crosscheck import crosscheck as compare

    options = ModelOptions(arch, mean, std, model_output, weights, trust_pickle)
    task = open_task(model, (), data, models=options, images=DataOptions(resize=resize, crop=crop, classes=classes))
    checks = compare(task.dense, task.benchmark, images=images, seed=seed)
    show_warnings([task.dense])
    table = Table("quantity", "ours", "theirs", "package", "", "how", box=None, pad_edge=False)
    words = {True: "agree", False: "DISAGREE", None: "not compared"}
    for check in checks:
        ours, theirs = (f"{x:.6g}" if x is not None else "–" for x in (check.ours, check.theirs))
        table.add_row(check.quantity, ours, theirs, check.package, words[check.agrees], check.note)
    SafeConsole(width=160, soft_wrap=True).print(table)
    if any(check.agrees is False for check in checks):
        context.exit(1)
