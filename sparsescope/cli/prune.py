"""`sparsescope prune`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from sparsescope.cli.choices import spec_option
from sparsescope.cli.interruption import kept
from sparsescope.cli.methods import WithMethods, complete_method
from sparsescope.cli.output import echo
from sparsescope.cli.parameters import (
    classes_option,
    crop_option,
    device_option,
    mean_option,
    output_option,
    precision_option,
    quiet_option,
    resize_option,
    seed_option,
    std_option,
    targets,
    weights_option,
)
from sparsescope.cli.progress import progress_bar
from sparsescope.cli.prune_choices import check_choices, choose_recipe, warn_of_no_effect
from sparsescope.cli.prune_summary import label, summary
from sparsescope.errors import OptionError

if TYPE_CHECKING:
    from sparsescope.classifier import Classifier
    from sparsescope.datasets import ClassesBy
    from sparsescope.pruning import Method
    from sparsescope.sweeps import Workshop

__all__ = ["prune"]


@click.command(cls=WithMethods)
@click.argument("method", metavar="METHOD", shell_complete=complete_method)
@spec_option("--data", help="Data to train on: {data}. Default: what the --dense checkpoint names.")
@click.option("--arch", metavar="SPEC", help="Architecture; with --dense by default that of the checkpoint.")
@click.option("--sparsity", type=float, help="Fraction of the weights removed (of whole channels: of each layer's).")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Where the ticket goes.")
@click.option(
    "--mask-out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the mask alone as well: .safetensors or .npz.",
)
@click.option(
    "--removed-out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the smaller network without the removed channels as well. It computes what the ticket does, and is a "
    "checkpoint like it: every metric can be measured. Only for methods that remove whole channels.",
)
@click.option(
    "--dense",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A trained dense network. Default: one is trained. The checkpoint.pt of a run of ours brings the weights to "
    "rewind to.",
)
@weights_option
@click.option(
    "--recipe",
    metavar="NAME|FILE",
    help="How to train: cifar, imagenet, digits or a TOML file. Default: by --data and METHOD, as cifar-rigl for rigl.",
)
@click.option(
    "--epochs", type=click.IntRange(0), help="Of a whole training, instead of the recipe's; 0: see --no-train."
)
@click.option("--rewind-epoch", type=click.IntRange(0), help="Epoch to rewind to, instead of the recipe's.")
@click.option(
    "--rewind",
    type=click.Choice(["weights", "learning_rate"]),
    help="What goes back: weights and schedule, or the schedule alone.  [default: weights, where they are kept]",
)
@click.option(
    "--no-train", is_flag=True, help="Prune only; the ticket is not trained. Not for methods that train as they prune."
)
@click.option("--scope", metavar="NAME", help="Which weights compete: global, layerwise, erk or N:M such as 2:4.")
@click.option("--prune-head", is_flag=True, help="Prune the classification head too.")
@click.option("--skip-first", is_flag=True, help="Leave the first layer alone.")
@click.option(
    "--set", "assignments", multiple=True, metavar="OPTION=VALUE", help="An option of the method, such as every=50."
)
@click.option("--train", metavar="SPEC", help="Training images, instead of those of --data.")
@mean_option
@std_option
@resize_option
@crop_option
@classes_option
@output_option
@click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where training runs are kept, to go on after an interruption; a common folder for several tickets trains "
    "their dense network once.  [default: FILE without its ending + .runs]",
)
@seed_option
@device_option
@precision_option
@click.option("--workers", type=click.IntRange(0), default=1, show_default=True, help="Threads that load images.")
@quiet_option
@click.pass_context
@kept("Training is kept up to the last whole epoch: the same command goes on from there.")
def prune(context: click.RichContext, /, method: str, **options: Any) -> None:
    """Make a sparse network (a ticket) by METHOD.

    METHOD is a name, or a scoring function of your own, FILE.py:function or package.module:function:

    {methods}

    Trains the dense network where METHOD needs it, prunes, trains the ticket, and writes a checkpoint that `evaluate`
    and `inspect` read.
    """
    warn_of_no_effect(context)
    run(method, **options)


def run(
    method: str,
    *,
    sparsity: float | None,
    out: Path,
    mask_out: Path | None,
    removed_out: Path | None,
    epochs: int | None,
    no_train: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Make the ticket, write it, and say in one line what it is."""
    from sparsescope.checkpoints import load_classifier
    from sparsescope.pruning import find
    from sparsescope.sweeps import make_ticket, untrained_ticket

    chosen = find(method)
    files = {"--out": out, "--mask-out": mask_out, "--removed-out": removed_out}
    check_choices(chosen, sparsity, files, options)
    training = not no_train and epochs != 0
    runs = options.pop("runs") or out.with_suffix(".runs")
    with targets(files, runs if training else None, read=options["dense"]):
        with progress_bar(quiet=quiet) as progress:
            workshop, recipe = _workshop(chosen, epochs or None, training, runs, label(progress), **options)
            if training:
                checkpoint = make_ticket(workshop, method, sparsity)
                ticket = load_classifier(checkpoint, arch=workshop.architecture or None)
                history = workshop.history(checkpoint)
            else:
                ticket, history = untrained_ticket(workshop, method, sparsity), []
        workshop.write(out, ticket, history)
        if mask_out is not None and ticket.mask is not None:
            ticket.mask.save(mask_out)
        echo(summary(workshop, chosen.name, recipe, out, ticket, history))
        if removed_out is not None:
            echo(_write_removed(workshop, removed_out, ticket, history))


def _write_removed(workshop: "Workshop", out: Path, ticket: "Classifier", history: list[Any]) -> str:
    """Write the network without the removed channels; return one line about it."""
    from sparsescope.pruning import remove_channels

    assert ticket.mask is not None
    smaller = replace(ticket, module=remove_channels(ticket.module, ticket.mask), mask=None)
    workshop.write(out, smaller, history)
    return (
        f"{out}: the same without the removed channels, {smaller.sparsity.parameters:,} of "
        f"{ticket.sparsity.parameters:,} parameters"
    )


def _workshop(
    method: "Method",
    epochs: int | None,
    training: bool,
    runs: Path,
    told: Any,
    *,
    data: str | None,
    train: str | None,
    resize: int | None,
    crop: int | None,
    classes: "ClassesBy",
    arch: str | None,
    dense: Path | None,
    weights: str | None,
    recipe: str | None,
    rewind_epoch: int | None,
    assignments: tuple[str, ...],
    model_output: str | int | None,
    device: str,
    **settings: Any,
) -> tuple["Workshop", str]:
    """Return where the ticket is made, and the name of the recipe that trains it."""
    from sparsescope.checkpoints import kind_of, load_classifier
    from sparsescope.devices import pick_device
    from sparsescope.errors import ArtefactError, DataError
    from sparsescope.evaluation import DataOptions
    from sparsescope.evaluation.classes import refuse_other_classes
    from sparsescope.evaluation.config import parse_assignments
    from sparsescope.evaluation.task import data_spec, open_data
    from sparsescope.sweeps import Workshop

    if arch is None and dense is None:
        raise OptionError("Expected --arch SPEC, such as resnet20s, or --dense FILE.")
    if weights is not None and dense is None:
        raise OptionError("--weights says which weights of the --dense FILE are meant. Give both, or leave it out.")
    spec = data_spec(dense, data)
    trains = training or (dense is None and method.start == "trained")
    name, chosen = choose_recipe(recipe, method, spec, epochs, rewind_epoch, trains=trains)
    own = parse_assignments(f"{method.name}.{assignment}" for assignment in assignments)
    method.check_options(own.get(method.name, {}))
    if training and method.start == "trained" and chosen.rewind_epoch >= chosen.epochs:
        raise OptionError(
            f"Expected an epoch to rewind to below the {chosen.epochs} of training, but it is {chosen.rewind_epoch}. "
            "Give --rewind-epoch, such as 0, or more --epochs."
        )
    network = None
    if dense is not None and (found := kind_of(dense)) is not None and not found[0].prunable:
        raise ArtefactError(
            f"{dense} is of the kind {found[0].name}, which cannot be written again. Expected weights of a known "
            "architecture: give a state dict, and --arch."
        )
    if dense is not None:
        network = load_classifier(
            dense, arch=arch, mean=settings["mean"], std=settings["std"], output=model_output, weights=weights
        )
        for warning in network.warnings:
            echo(f"Warning: {network.name}: {warning}", err=True)
    images = DataOptions(train=train, resize=resize, crop=crop)
    if data is None and dense is not None:
        images = images.sized_as(dense)
    benchmark = open_data(spec, network, images)
    if network is not None and classes == "name":
        refuse_other_classes(benchmark, network)
    shown = benchmark.train
    if shown is None and not trains and method.looks_at == "nothing":
        shown = benchmark.test  # for their shape alone
    if shown is None:
        raise DataError(f"{spec} has no training images. Say where they are: --train SPEC.")
    workshop = Workshop(
        runs,
        arch or "",
        shown,
        chosen,
        data=spec,
        resize=images.resize,
        crop=images.crop,
        classes=benchmark.classes,
        output=model_output,
        parent=dense,
        parent_weights=weights,
        test=benchmark.test,
        options=own,
        device=pick_device(device),
        told=told,
        **settings,
    )
    return workshop, name
