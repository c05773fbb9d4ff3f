"""`sparsescope dissect`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from sparsescope.cli.choices import spec_option
from sparsescope.cli.ending import BROKEN, tell
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

if TYPE_CHECKING:
    from sparsescope.dissection import Dissection

__all__ = ["dissect"]

NODES = (
    "Sets of concepts that an exact search bounds for each unit, at most. Where they do not suffice, the tables tell "
    "how much better another formula could be.  [default: 500000]"
)


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
@click.option(
    "--search",
    type=click.Choice(["exact", "beam"]),
    help="Find the best of all formulas, or keep the best few of each length.  [default: exact; beam with --beam]",
)
@click.option("--nodes", type=click.IntRange(1), metavar="N", help=NODES)
@click.option("--beam", type=click.IntRange(1), metavar="N", help="Formulas kept in a beam search.  [default: 5]")
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
@click.pass_context
def dissect(
    context: click.Context,
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
    search: str | None,
    nodes: int | None,
    beam: int | None,
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
    settings = DissectionSettings(layer, fraction, length, **_search_options(search, nodes, beam))
    models = open_models(model, more, ModelOptions(arch, mean, std, model_output, weights, trust_pickle))
    images = open_probe(probe, input_shape(model, models[0], data, size))
    place = pick_device(device)
    size_of_batch = pick_batch_size(batch_size, images.shape, place)
    failures: dict[str, Exception] = {}
    with folder(out), progress_bar(quiet=quiet) as progress:
        found = dissect_side_by_side(
            models, images, settings, seed=seed, batch_size=size_of_batch, device=place, progress=progress
        )
        paths = write_dissections(
            found,
            models,
            images,
            out,
            settings,
            top=top,
            seed=seed,
            batch_size=size_of_batch,
            device=place,
            failures=failures,
        )
    show_warnings(models)
    for result in found:
        echo(_summary(result))
    echo("Written: " + ", ".join(str(path) for path in paths.values()))
    for part, failure in failures.items():
        tell(part, failure)
    if failures:
        context.exit(BROKEN)


def _search_options(search: str | None, nodes: int | None, beam: int | None) -> dict[str, Any]:
    """Return the options of the search; --beam alone asks for a beam search."""
    search = search or ("exact" if beam is None else "beam")
    unread = {"exact": ("--beam", beam), "beam": ("--nodes", nodes)}[search]
    if unread[1] is not None:
        raise OptionError(f"Expected no {unread[0]} with --search {search}, which does not read it.")
    sizes = {"nodes": nodes, "beam": beam}
    return {"search": search} | {name: size for name, size in sizes.items() if size is not None}


def _summary(found: "Dissection") -> str:
    dead = sum(unit.dead for unit in found.units)
    gaps = [unit.gap for unit in found.units if unit.gap > 0]
    unproven = f", {len(gaps)} not proven to be the best, by up to {max(gaps):.4f}" if gaps else ""
    return (
        f"{found.model}: layer {found.layer}, {len(found.units) - dead} live units, {dead} dead, mean IoU "
        f"{found.mean_iou:.4f}{unproven}, on held-out images {found.mean_held_out_iou:.4f}, on shuffled images "
        f"{found.mean_null_iou:.4f}"
    )
