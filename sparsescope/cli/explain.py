"""`sparsescope explain`."""

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import rich_click as click

from sparsescope.cli.choices import OneOf, spec_option
from sparsescope.cli.output import echo
from sparsescope.cli.parameters import (
    arch_option,
    classes_option,
    crop_option,
    mean_option,
    output_option,
    quiet_option,
    resize_option,
    seed_option,
    show_warnings,
    std_option,
    targets,
    trust_option,
    weights_option,
)
from sparsescope.cli.progress import progress_bar
from sparsescope.errors import OptionError

if TYPE_CHECKING:
    from sparsescope.datasets import ClassesBy
    from sparsescope.lime.settings import Target

__all__ = ["explain"]


def _targets() -> tuple[str, ...]:
    from sparsescope.lime.settings import Target

    return get_args(Target)


def _superpixels() -> tuple[str, ...]:
    from sparsescope.lime.superpixels import superpixel_names

    return superpixel_names()


@click.command()
@click.argument("dense")
@click.argument("sparse", nargs=-1)
@spec_option("--data", help="Test images: {data}. Default: what the dense checkpoint names.")
@click.option(
    "--image",
    "indices",
    type=click.IntRange(0),
    multiple=True,
    metavar="N",
    help="Index of a test image (repeatable). Default: the first three that dense gets right and a sparse model wrong.",
)
@click.option(
    "--target",
    type=OneOf(_targets),
    default="dense",
    show_default=True,
    help="The explained class: the dense model's for all models, each model's own, or the label.",
)
@click.option("--samples", type=click.IntRange(2), default=1000, show_default=True, help="Perturbations per image.")
@click.option(
    "--superpixels",
    type=OneOf(_superpixels),
    default="auto",
    show_default=True,
    help="How images are cut into parts; auto: felzenszwalb up to 64 px, quickshift above.",
)
@arch_option
@weights_option
@trust_option
@mean_option
@std_option
@resize_option
@crop_option
@classes_option
@output_option
@seed_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("explanations.png"),
    show_default=True,
    help="The picture, .png or .svg.",
)
@quiet_option
def explain(
    dense: str,
    sparse: tuple[str, ...],
    data: str | None,
    indices: tuple[int, ...],
    target: "Target",
    samples: int,
    superpixels: str,
    arch: str | None,
    weights: str | None,
    trust_pickle: bool,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    resize: int | None,
    crop: int | None,
    classes: "ClassesBy",
    model_output: str | int | None,
    seed: int,
    out: Path,
    quiet: bool,
) -> None:
    """Draw what each model looks at: LIME heat maps of the same images, dense and sparse side by side.

    Red superpixels speak for the explained class, blue ones against it; superpixels, perturbations and color scale of
    an image are the same for all models.
    """
    from sparsescope.evaluation import DataOptions, ModelOptions, open_task
    from sparsescope.files import write_atomically
    from sparsescope.plots import png, svg
    from sparsescope.workflows.explain import explain_side_by_side, figure, first_images

    if out.suffix not in (".png", ".svg"):
        raise OptionError(f"Expected --out to end in .png or .svg, but got {out}.")
    task = open_task(
        dense,
        sparse,
        data,
        models=ModelOptions(arch, mean, std, model_output, weights, trust_pickle),
        images=DataOptions(resize=resize, crop=crop, classes=classes),
    )
    chosen = list(indices) or first_images(task.classifiers, task.benchmark.test)
    with targets({"--out": out}), progress_bar(quiet=quiet) as progress:
        rows = explain_side_by_side(
            task.classifiers,
            task.benchmark.test,
            chosen,
            target=target,
            samples=samples,
            superpixels=superpixels,
            seed=seed,
            progress=progress,
        )
        picture = figure(rows, task.benchmark.classes)
        write_atomically(out, png(picture) if out.suffix == ".png" else svg(picture))
    show_warnings(task.classifiers)
    echo(f"Written: {out} (test images {', '.join(map(str, chosen))})")
