"""`sparsescope sweep`."""

import shutil
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from sparsescope.cli.choices import complete, spec_option, sweep_recipes
from sparsescope.cli.ending import BROKEN, tell
from sparsescope.cli.interruption import kept
from sparsescope.cli.methods import WithMethods, complete_method
from sparsescope.cli.output import echo
from sparsescope.cli.parameters import batch_size_option, device_option, precision_option, quiet_option
from sparsescope.cli.progress import duration, progress_bar
from sparsescope.cli.unread import SETS, warn_of_unread
from sparsescope.userfiles import object_name

if TYPE_CHECKING:
    from sparsescope.results import Sweep
    from sparsescope.sweeps import Resources, SweepRecipe

__all__ = ["sweep"]

_WIDEST = 120


@click.command(cls=WithMethods)
@click.argument("recipe", shell_complete=complete(sweep_recipes, or_file=True))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("sparsescope-sweep"),
    show_default=True,
    metavar="DIR",
    help="Where networks, evaluations and record go; a sweep that is found there goes on.",
)
@spec_option("--data", help="Data, instead of the recipe's: {data}.")
@spec_option("--train", help="Training images, instead of the recipe's, in the forms of --data.")
@spec_option("--ood", multiple=True, help="Out-of-distribution images (repeatable), instead of the recipe's: {ood}.")
@click.option("--seed", "seeds", type=int, multiple=True, help="Only this seed (repeatable).  [default: the recipe's]")
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="METHOD",
    shell_complete=complete_method,
    help="Only this method (repeatable): {names}, FILE.py:function or package.module:function.",
)
@click.option("--sparsity", "sparsities", type=float, multiple=True, help="Only this fraction removed (repeatable).")
@click.option("--dry-run", is_flag=True, help="Print the plan and its cost, and do nothing.")
@device_option
@precision_option
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True, help="Threads that load, processes that measure."
)
@batch_size_option
@click.option("--no-cache", is_flag=True, help="Neither read nor keep measured parts.")
@quiet_option
@click.pass_context
@kept("All but the running epoch and measurement is kept: the same command goes on from there.")
def sweep(
    context: click.RichContext,
    /,
    recipe: str,
    out: Path,
    data: str | None,
    train: str | None,
    ood: tuple[str, ...],
    seeds: tuple[int, ...],
    methods: tuple[str, ...],
    sparsities: tuple[float, ...],
    dry_run: bool,
    device: str,
    precision: Any,
    workers: int,
    batch_size: int | str,
    no_cache: bool,
    quiet: bool,
) -> None:
    """Make tickets by methods, sparsities and seeds, and evaluate each against its dense parent.

    RECIPE is a built-in name, such as digits-mini, or a TOML file. Exit code 3 if some could not be made.
    """
    from sparsescope.devices import pick_device
    from sparsescope.sweeps import Resources, load_sweep

    changes = {"data": data, "train": train, "seeds": seeds, "methods": methods, "sparsities": sparsities}
    changes = {name: value for name, value in changes.items() if value}
    chosen = load_sweep(recipe, **changes, evaluation={"ood": ood} if ood else {})
    for line in [] if methods else chosen.without_effect:
        echo(f"Warning: {line}", err=True)
    resources = Resources(pick_device(device), precision, workers, batch_size, not no_cache)
    if dry_run:
        _show_plan(chosen, out, resources)
        return
    if _run(chosen, out, resources, quiet):
        context.exit(BROKEN)


def _run(recipe: "SweepRecipe", out: Path, resources: "Resources", quiet: bool) -> bool:
    """Run the sweep, print what came of it; return whether something failed."""
    from sparsescope.sweeps import Account, open_data, run_sweep

    benchmark = open_data(recipe)
    asked = {f"evaluation.{name}": getattr(recipe.evaluation, name) for name in SETS if name != "train"}
    warn_of_unread(asked, recipe.evaluation.settings(), lambda: benchmark)
    with progress_bar(quiet=quiet) as progress:
        account = Account(recipe, benchmark, progress)
        outcome = run_sweep(recipe, out, resources, told=account, benchmark=benchmark)
    for failure in outcome.failures:
        name = object_name(failure.method)
        what = name if failure.target is None else f"{name} at {failure.target:.1%}"
        echo(f"Failed: {what}, seed {failure.seed}: {failure.reason}", err=True)
    if outcome.busy:
        seeds = ", ".join(map(str, outcome.busy))
        echo(f"Left to other commands, which work on them in {out} now: seed {seeds}", err=True)
    made = len(outcome.sweep.points)
    whole = not made or _report(outcome.sweep, out)
    missing = f", {len(outcome.failures)} failed (failures.json)" if outcome.failures else ""
    page = f" Written: {out / 'index.html'}, with its figures and tables" if made else ""
    echo(f"{recipe.name}: {made} networks evaluated against their dense parents{missing}.{page}")
    return bool(outcome.failures) or not whole


def _report(made: "Sweep", out: Path) -> bool:
    """Write the page of a sweep; say which parts of it and which metrics broke, and return whether none did."""
    from sparsescope.reporting import write_sweep_report

    whole = True
    try:
        write_sweep_report(out)
    except Exception as error:  # the networks are measured all the same
        tell("the page", error)
        whole = False
    evaluations = made.evaluations(out).values()
    if broken := sorted({metric.name for found in evaluations for metric in found.metrics if metric.broke}):
        echo(f"Error: {', '.join(broken)} broke; the reason stands on the page.", err=True)
    return whole and not broken


def _show_plan(recipe: "SweepRecipe", out: Path, resources: "Resources") -> None:
    from sparsescope.sweeps import estimate, make_workshop, measure_speed, open_data

    benchmark = open_data(recipe)
    workshop = make_workshop(recipe, benchmark, out, recipe.seeds[0], resources)
    cost = estimate(recipe, benchmark, sum(p.numel() for p in workshop.initial().module.parameters()))
    speed = measure_speed(workshop)
    schedule = recipe.training_recipe()
    train = len(benchmark.train) if benchmark.train is not None else 0
    lines = {
        "data": f"{recipe.data}: {train:,} training and {len(benchmark.test):,} test images",
        "networks": recipe.architecture + (f", small dense network {recipe.small}" if recipe.small else ""),
        "methods": ", ".join(recipe.methods),
        "sparsities": ", ".join(f"{sparsity:.1%}" for sparsity in recipe.grid),
        "seeds": ", ".join(map(str, recipe.seeds)),
        "training": f"{cost.trainings} runs, {cost.epochs:,} epochs; a whole run has {schedule.epochs}, "
        f"rewinding goes back to {schedule.rewind_epoch}",
        "trained by": _trained_by(recipe),
        "training passes": f"{cost.training_images:,} images forward and backward",
        "evaluations": f"{cost.evaluations}, about {cost.evaluation_passes:,.0f} passes of an image "
        "(in forward passes)",
        "disk": f"about {_gigabytes(cost.disk)}",
        "time": f"about {duration(cost.seconds(speed))} on {resources.device}, an estimate from a moment's probe here: "
        f"{1e3 * speed.training:.3g} ms per training image, {1e3 * speed.forward:.3g} ms per forward pass; drawing "
        "corruptions, explanations and reading images come on top",
    }
    if recipe.source:
        lines["source"] = " ".join(recipe.source.split())
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    echo(textwrap.fill(f"{recipe.name}: {recipe.description}", width))
    for name, line in lines.items():
        echo(textwrap.fill(line, width, initial_indent=f"  {name:<16}", subsequent_indent=18 * " "))
    echo(f"Nothing was trained or written. Without --dry-run it goes to {out}.")


def _trained_by(recipe: "SweepRecipe") -> str:
    """Return which networks each training recipe is for, and methods whose own one is not used."""
    by: dict[str, list[str]] = {}
    for name, how in recipe.trained().items():
        by.setdefault(f"{how.recipe}, {how.epochs} epochs", []).append(name)
    found = [f"{how}: {', '.join(names)}" for how, names in by.items()]
    if unused := recipe.unused_recipes:
        found.append(f"not used, as they are not among the methods: the recipes of {', '.join(unused)}")
    return "; ".join(found)


def _gigabytes(number: int) -> str:
    size = number / 1e9
    return f"{size:.2g} GB" if size < 10 else f"{size:,.0f} GB"
