"""`sparsescope evaluate`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import rich_click as click
from typing_extensions import override

from sparsescope.cli.choices import OneOf, complete, derived_option, metric_names, spec_option
from sparsescope.cli.ending import exit_code, write_report
from sparsescope.cli.interruption import kept
from sparsescope.cli.output import echo
from sparsescope.cli.parameters import (
    arch_option,
    batch_size_option,
    classes_option,
    crop_option,
    device_option,
    make_folder,
    mean_option,
    output_option,
    quiet_option,
    resize_option,
    seed_option,
    std_option,
    trust_option,
    weights_option,
)
from sparsescope.cli.progress import progress_bar
from sparsescope.cli.unread import SETS, warn_of_unread
from sparsescope.errors import OptionError
from sparsescope.presets import preset_names

if TYPE_CHECKING:
    from sparsescope.evaluation import DataOptions, ModelOptions, Settings

__all__ = ["evaluate"]


def _gates() -> list[str]:
    from sparsescope.verdict import GATES

    return list(GATES)


def _until() -> list[str]:
    from sparsescope.results.records import Until

    return list(get_args(Until))


class _Command(click.RichCommand):
    """A command of which an option may stand without its value, which is never the argument that follows."""

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [f"{each}=metrics" if each == "--until-decided" else each for each in args])


@click.command(cls=_Command)
@click.argument("dense", required=False)
@click.argument("sparse", nargs=-1)
@click.option(
    "--pair",
    "pairs",
    nargs=2,
    multiple=True,
    metavar="DENSE SPARSE",
    help="A dense and a sparse model of one training, instead of DENSE and SPARSE (repeatable). From 3 pairs of "
    "different trainings on, the method that made them gets a verdict of its own, and the gate follows that one.",
)
@click.option("--name", metavar="NAME", help="Name of the method whose trainings the pairs are.  [default: method]")
@spec_option("--data", help="Test images: {data}. Default: what the dense checkpoint names.")
@arch_option
@weights_option
@trust_option
@spec_option(
    "--ood",
    multiple=True,
    help="Out-of-distribution images (repeatable): {ood}. Default: the data set's own, else {far}.",
)
@spec_option("--corrupted", help="Stored corrupted test images: {corrupted}. Default: made on the fly.")
@spec_option(
    "--train",
    help="Training images, for the generalization gap and loss geometry, in the forms of --data. "
    "Default: the data set's own, where it has some.",
)
@spec_option(
    "--probe",
    help="Images with labeled concepts, for compositional neurons: {probe}. Default: shapes, which are drawn.",
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
@classes_option
@output_option
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    shell_complete=complete(metric_names),
    help="Measure only this metric (repeatable).",
)
@click.option(
    "--skip",
    multiple=True,
    metavar="NAME",
    shell_complete=complete(metric_names),
    help="Leave this metric out (repeatable).",
)
@click.option(
    "--preset",
    type=OneOf(preset_names),
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
@click.option(
    "--until-decided",
    type=OneOf(_until),
    help="Measure in growing parts and stop each metric once it is decided; with =verdict, stop everything once the "
    "verdict is. Alone, the same as --until-decided=metrics.",
)
@device_option
@batch_size_option
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Worker processes.")
@seed_option
@derived_option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("sparsescope-report"),
    show_default=True,
    metavar="DIR",
    help="Output directory for {files}.",
)
@derived_option(
    "--gate",
    type=OneOf(_gates),
    default="none",
    show_default=True,
    help="Exit with 1 for {gates}.",
)
@click.option("--no-cache", is_flag=True, help="Disable the result cache.")
@quiet_option
@click.pass_context
def evaluate(context: click.RichContext, /, dense: str | None, sparse: tuple[str, ...], **options: Any) -> None:
    """Measure DENSE and every SPARSE model or mask, and say whether each matches its dense parent in every aspect.

    With --pair, also say whether the method that made the sparse models does, on average over trainings.
    """
    if bool(options["pairs"]) == bool(dense) or (dense and not sparse):
        raise click.UsageError("Expected DENSE and at least one SPARSE, or --pair DENSE SPARSE for every training.")
    if options["name"] is not None and not options["pairs"]:
        raise click.UsageError("--name names the method of --pair. Without pairs it has no effect.")
    measured = "What has been measured is kept: the same command goes on from there."
    with kept("Nothing is kept, because of --no-cache." if options["no_cache"] else measured):
        code = run(dense, sparse, **options)
    context.exit(code)


def run(
    dense: str | None,
    sparse: tuple[str, ...],
    *,
    data: str | None,
    out: Path,
    gate: str,
    quiet: bool,
    no_cache: bool,
    device: str,
    batch_size: int | str,
    workers: int,
    **options: Any,
) -> int:
    """Evaluate, write the report, print the summary; return the exit code."""
    from sparsescope.cli.table import print_summary
    from sparsescope.evaluation import Execution, evaluate_task, open_paired_task, open_task
    from sparsescope.evaluation.paired_task import METHOD

    settings = _settings(options)
    _check_gate(gate, settings, options["pairs"])
    make_folder(out)
    with progress_bar(quiet=quiet) as progress:
        models, images = _model_options(options), _data_options(options)
        if dense is None:
            task = open_paired_task(
                options["pairs"], data, name=options["name"] or METHOD, models=models, images=images
            )
        else:
            task = open_task(dense, sparse, data, models=models, images=images)
        warn_of_unread({f"--{name}": options[name] for name in SETS}, settings, lambda: task.benchmark)
        execution = Execution(device, batch_size, workers, not no_cache, progress)
        evaluation = evaluate_task(task, settings, execution)
    paths, all_written = write_report(evaluation, out)
    if not quiet:
        echo("Written: " + ", ".join(map(str, paths)) + "\n", err=True)
    for model in evaluation.models:
        for warning in model.warnings:
            echo(f"Warning: {model.name}: {warning}", err=True)
    print_summary(evaluation)
    return exit_code(evaluation, gate, all_written=all_written)


def _settings(options: dict[str, Any]) -> "Settings":
    """Return what is measured and how it is judged; options of metrics that are not measured get a word."""
    from sparsescope.evaluation import resolve
    from sparsescope.evaluation.config import parse_assignments

    assignments = options["assignments"]
    if options["layer"] is not None:
        assignments = (*assignments, f"composition.layer={json.dumps(options['layer'])}")
    own = parse_assignments(assignments)
    settings = resolve(
        preset=options["preset"],
        config=options["config"],
        options=own,
        metrics=options["metrics"] or None,
        skip=options["skip"],
        seed=options["seed"],
        until_decided=options["until_decided"],
    )
    measured = {metric.name for metric in settings.metrics}
    for metric in sorted(own.keys() - measured):
        echo(f"Warning: {metric} is not measured: its options ({', '.join(own[metric])}) have no effect.", err=True)
    return settings


def _check_gate(gate: str, settings: "Settings", pairs: Sequence[tuple[str, str]]) -> None:
    """A gate that nothing can miss would let everything pass, and one that nothing can meet nothing."""
    from sparsescope.crossed import FEWEST

    if gate != "none" and 0 < len(pairs) < FEWEST:
        raise OptionError(
            f"--gate {gate} follows the verdict on the method, which needs {FEWEST} pairs of different trainings, but "
            f"got {len(pairs)}."
        )
    if gate != "none" and not settings.in_verdict:
        measured = ", ".join(metric.name for metric in settings.metrics)
        raise OptionError(
            f"--gate {gate} needs a metric that counts in the verdict, but none of those measured does: {measured}. "
            "Measure another one, or name them under verdict in a --config file."
        )


def _model_options(options: dict[str, Any]) -> "ModelOptions":
    from sparsescope.evaluation import ModelOptions

    names = ("arch", "mean", "std", "model_output", "weights", "trust_pickle")
    return ModelOptions(*(options[name] for name in names))


def _data_options(options: dict[str, Any]) -> "DataOptions":
    from sparsescope.evaluation import DataOptions

    return DataOptions(*(options[name] for name in ("ood", "corrupted", "train", "probe", "resize", "crop", "classes")))
