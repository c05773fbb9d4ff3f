"""`sparsescope dissect`."""

from pathlib import Path

import rich_click as click

from sparsescope.cli.choices import spec_option
from sparsescope.cli.output import echo
from sparsescope.cli.parameters import (
    arch_option,
    batch_size_option,
    device_option,
    folder,
    mean_option,
    output_option,
    quiet_option,
    seed_option,
    show_warnings,
    std_option,
    trust_option,
    weights_option,
)
from sparsescope.cli.progress import progress_bar
from sparsescope.datasets.probes import EMBEDDED
from sparsescope.errors import OptionError

__all__ = ["dissect"]


@click.command()
@click.argument("model")
@click.argument("more", nargs=-1)
@spec_option("--probe", default=EMBEDDED, show_default=True, help="Images with labeled concepts: {probe}.")
@click.option(
    "--layer", metavar="NAME", help="Layer, as in named_modules().  [default: the last whose output is a map]"
)
@arch_option
@weights_option
@trust_option
@spec_option("--data", help="Resize probe images to match this data set: {data}. Default: the checkpoint's.")
@click.option(
    "--size",
    type=click.IntRange(1),
    metavar="PX",
    help="Probe image size in pixels. Default: the architecture's input size.",
)
@mean_option
@std_option
@output_option
@click.option(
    "--fraction",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.005,
    show_default=True,
    help="Fraction of a unit's activations that count as firing.",
)
@click.option("--length", type=click.IntRange(1), default=3, show_default=True, help="Concepts in a formula, at most.")
@click.option("--beam", type=click.IntRange(1), default=5, show_default=True, help="Formulas kept while searching.")
@click.option(
    "--top",
    type=click.IntRange(1, 50),
    default=12,
    show_default=True,
    help="Units shown per model; the CSV files list all.",
)
@device_option
@batch_size_option
@seed_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("sparsescope-dissection"),
    show_default=True,
    metavar="DIR",
    help="Output directory.",
)
@quiet_option
def dissect(
    model: str,
    more: tuple[str, ...],
    probe: str,
    layer: str | None,
    arch: str | None,
    weights: str | None,
    trust_pickle: bool,
    data: str | None,
    size: int | None,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    model_output: str | int | None,
    fraction: float,
    length: int,
    beam: int,
    top: int,
    device: str,
    batch_size: int | str,
    seed: int,
    out: Path,
    quiet: bool,
) -> None:
    """Say what the units of one layer respond to: the best logical formula of concepts for each.

    Of several models, the first is the dense one that the others are compared with. Writes units.csv, of several models
    units-MODEL.csv, and dissection.html.
    """
    from sparsescope.datasets import open_probe
    from sparsescope.devices import pick_device
    from sparsescope.dissection import DissectionSettings
    from sparsescope.evaluation import ModelOptions, open_models
    from sparsescope.evaluation.execution import pick_batch_size
    from sparsescope.workflows.dissect import dissect_side_by_side, input_shape, write_dissections

    if data is not None and size is not None:
        raise OptionError("Expected --data or --size, but got both.")
    settings = DissectionSettings(layer, fraction, length, beam)
    models = open_models(model, more, ModelOptions(arch, mean, std, model_output, weights, trust_pickle))
    images = open_probe(probe, input_shape(model, models[0], data, size))
    place = pick_device(device)
    size_of_batch = pick_batch_size(batch_size, images.shape, place)
    with folder(out), progress_bar(quiet=quiet) as progress:
        found = dissect_side_by_side(
            models, images, settings, seed=seed, batch_size=size_of_batch, device=place, progress=progress
        )
        paths = write_dissections(
            found, models, images, out, settings, top=top, seed=seed, batch_size=size_of_batch, device=place
        )
    show_warnings(models)
    for result in found:
        dead = sum(unit.dead for unit in result.units)
        echo(
            f"{result.model}: layer {result.layer}, {len(result.units) - dead} live units, {dead} dead, mean IoU "
            f"{result.mean_iou:.4f}, on held-out images {result.mean_held_out_iou:.4f}, on shuffled images "
            f"{result.mean_null_iou:.4f}"
        )
    echo("Written: " + ", ".join(str(path) for path in paths.values()))
