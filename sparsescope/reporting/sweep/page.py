"""Writes the report of a sweep beside its sweep.json."""

from pathlib import Path

from sparsescope.curves import summarise
from sparsescope.errors import InputError
from sparsescope.files import write_atomically
from sparsescope.plots.style import png, svg
from sparsescope.reporting.incomplete import Failures
from sparsescope.reporting.inline import inline
from sparsescope.reporting.rendering import html_environment, markdown
from sparsescope.reporting.sweep.failures import load_failures
from sparsescope.reporting.sweep.figures import FIGURES, sweep_figures
from sparsescope.reporting.sweep.tables import sweep_tables
from sparsescope.reporting.sweep.view import sweep_view
from sparsescope.results import Sweep

__all__ = ["write_sweep_report"]


def write_sweep_report(folder: str | Path, *, paper_tolerance: float = 0.0) -> list[Path]:
    """Write `index.html`, `sweep.md`, tables as CSV and `figures/*.svg` and `.png` from a folder's sweep.json.

    Where `failures.json` beside it lists networks that failed, the page says why they are missing.

    Every file is written completely or not at all, and the same sweep gives the same bytes. What an earlier report
    wrote and this one has no more, such as the figure of a small dense twin, is removed.

    Args:
        folder: of the sweep.
        paper_tolerance: how much worse than dense the paper's reading allows beside accuracy, in each metric's unit.

    Returns:
        The files written, the page first.

    Raises:
        InputError: no sweep there, nothing evaluated yet, an evaluation that cannot be read, or a folder that cannot be
            written to.
        Exception: a figure could not be drawn; everything else is written, and the page says so.
    """
    folder = Path(folder)
    sweep = Sweep.load(folder)
    evaluations = sweep.evaluations(folder)
    over_seeds = sweep.over_seeds(folder)
    summary = summarise(sweep, evaluations, paper_tolerance=paper_tolerance, over_seeds=over_seeds)
    failures = Failures()
    figures = sweep_figures(summary, failures)
    view = sweep_view(sweep, summary, list(evaluations.values()), load_failures(folder))
    view["files"] = list(figures)
    view["warnings"] += failures.notes()
    pictures = {name: inline(figure, name, title) for name, (figure, title) in figures.items()}
    for figure, _ in figures.values():
        figure.set_layout_engine(None)  # everything has its place now: finding it again would take most of the time
    page = html_environment().get_template("sweep.html.j2").render({**view, "figures": pictures})
    contents = {
        "index.html": page.encode(),
        "sweep.md": markdown("sweep.md.j2", view).encode(),
        **sweep_tables(summary),
        **{f"figures/{name}.svg": svg(figure) for name, (figure, _) in figures.items()},
        **{f"figures/{name}.png": png(figure) for name, (figure, _) in figures.items()},
    }
    paths = _write(folder, contents)
    for error in failures.values():
        raise error
    return paths


def _write(folder: Path, contents: dict[str, bytes]) -> list[Path]:
    possible = [f"figures/{name}.{suffix}" for name in FIGURES for suffix in ("svg", "png")] + ["small_dense.csv"]
    try:
        (folder / "figures").mkdir(exist_ok=True)
        for name in set(possible) - set(contents):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"Cannot write to {folder}: {error.strerror}.") from error
    for name, content in contents.items():
        write_atomically(folder / name, content)
    return [folder / name for name in contents]
