"""`sparsescope evaluate`."""

import json
from pathlib import Path
from typing import Any

import rich_click as click

from sparsescope.cli.interruption import kept
from sparsescope.cli.parameters import (
    arch_option,
    batch_size_option,
    crop_option,
    device_option,
    make_folder,
    mean_option,
    output,
    quiet_option,
    resize_option,
    seed_option,
    std_option,
)
from sparsescope.cli.progress import progress_bar
from sparsescope.errors import OptionError

__all__ = ["evaluate"]


@click.command()
@click.argument("dense")
@click.argument("sparse", nargs=-1, required=True)
@click.option(
    "--data",
    metavar="SPEC",
    help="Test images: digits, cifar10:DIR, cifar100:DIR, imagenet:DIR, folder:DIR, npz:FILE or "
    "FILE.py:function. Default: what the dense checkpoint names.",
)
@arch_option
@click.option(
    "--ood",
    multiple=True,
    metavar="SPEC",
    help="Out-of-distribution images (repeatable); also noise:uniform, noise:gaussian and textures, which are drawn. "
    "Default: the data set's own, else these three.",
)
@click.option(
    "--corrupted",
    metavar="SPEC",
    help="Stored corrupted test images, cifar-c:DIR or imagenet-c:DIR. Default: made on the fly.",
)
@click.option(
    "--train",
    metavar="SPEC",
    help="Training images, for the generalization gap and loss geometry. "
    "Default: the data set's own, where it has some.",
)
@click.option(
    "--probe",
    metavar="SPEC",
    help="Images with labelled concepts, for compositional neurons: broden:DIR, probe:DIR or FILE.py:function. "
    "Default: shapes, which are drawn.",
)
@click.option(
    "--layer",
    metavar="NAME",
    help="Layer whose units are compared with the probe set's concepts; the same as --set composition.layer=NAME. "
    "Default: the last whose output is a map.",
)
@mean_option
@std_option
@resize_option
@crop_option
@click.option(
    "--model-output",
    default="logits",
    callback=output,
    metavar="WHAT",
    show_default=True,
    help="What the network returns: logits, probabilities, or the index or key of the logits in it.",
)
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Measure only this metric (repeatable).")
@click.option("--skip", multiple=True, metavar="NAME", help="Leave this metric out (repeatable).")
@click.option(
    "--preset",
    type=click.Choice(["quick", "standard", "paper", "lthpass"]),
    help="Sizes and conventions.  [default: standard]",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="METRIC.OPTION=VALUE",
    help="Set one option, such as fidelity.samples=250 or ece.margin=0.02 (repeatable).",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="TOML file (or pyproject.toml) with preset, metric options, margins and verdict.",
)
@device_option
@batch_size_option
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Worker processes.")
@seed_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("sparsescope-report"),
    show_default=True,
    metavar="DIR",
    help="Where the report goes.",
)
@click.option(
    "--gate",
    type=click.Choice(["none", "fail", "inconclusive"]),
    default="none",
    show_default=True,
    help="Exit with 1 if a verdict is FAIL (fail), or not PASS (inconclusive).",
)
@click.option("--no-cache", is_flag=True, help="Neither read nor keep measured parts.")
@quiet_option
@click.pass_context
def evaluate(context: click.RichContext, /, dense: str, sparse: tuple[str, ...], **options: Any) -> None:
    """Measure DENSE and every SPARSE model or mask, and say whether each matches its dense parent in every aspect."""
    measured = "What has been measured is kept: the same command goes on from there."
    with kept("Nothing is kept, because of --no-cache." if options["no_cache"] else measured):
        missed = run(dense, sparse, **options)
    if missed:
        context.exit(1)


def run(
    dense: str,
    sparse: tuple[str, ...],
    *,
    data: str | None,
    out: Path,
    gate: str,
    quiet: bool,
    no_cache: bool,
    assignments: tuple[str, ...],
    metrics: tuple[str, ...],
    layer: str | None,
    model_output: int | str,
    **options: Any,
) -> bool:
    """Evaluate, write the report, print the summary; return whether the gate is missed."""
    from sparsescope.cli.table import print_summary
    from sparsescope.evaluation import evaluate as measure
    from sparsescope.evaluation.inputs import stored_data
    from sparsescope.evaluation.settings import parse_assignments
    from sparsescope.reporting import report

    data = data or stored_data(dense)
    if data is None:
        raise OptionError(
            "Expected --data SPEC (digits, cifar10:DIR, folder:DIR, npz:FILE …): the checkpoint names none."
        )
    if layer is not None:
        assignments = (*assignments, f"composition.layer={json.dumps(layer)}")
    make_folder(out)
    with progress_bar(quiet=quiet) as progress:
        evaluation = measure(
            dense,
            list(sparse),
            data,
            metrics=metrics or None,
            options=parse_assignments(assignments),
            output=model_output,
            cache=not no_cache,
            progress=progress,
            **options,
        )
    paths = report(evaluation, out)
    if not quiet:
        click.echo("Written: " + ", ".join(str(path) for path in paths.values()) + "\n", err=True)
    for model in evaluation.models:
        for warning in model.warnings:
            click.echo(f"Warning: {model.name}: {warning}", err=True)
    print_summary(evaluation)
    outcomes = {verdict.outcome for verdict in evaluation.verdicts.values()}
    missed = {"none": set(), "fail": {"fail"}, "inconclusive": {"fail", "inconclusive"}}[gate]
    return bool(outcomes & missed)
