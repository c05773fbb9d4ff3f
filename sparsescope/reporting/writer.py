"""Writes the report's files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparsescope.errors import InputError
from sparsescope.files import write_atomically
from sparsescope.plots import save_radar
from sparsescope.reporting.figures import figures
from sparsescope.reporting.junit import junit
from sparsescope.reporting.rendering import html_environment, markdown
from sparsescope.reporting.view import comparison_view, evaluation_view, radar_stem
from sparsescope.results import Evaluation

__all__ = ["report"]


def report(evaluations: Evaluation | Sequence[Evaluation], directory: str | Path) -> dict[str, Path]:
    """Write the report of one evaluation, or one report that compares several.

    Every file is written completely or not at all, and the same evaluations give the same bytes.

    Args:
        evaluations: what to report.
        directory: folder to write to; made if it does not exist.

    Returns:
        file name -> path: `evaluation.json` (of a single evaluation), `report.html`, `report.md`, `radar.svg`,
        `radar.png` (`radar-2.svg` … for further evaluations), `junit.xml`. No radar where it would have no axis.

    Raises:
        InputError: nothing to report, or the folder cannot be written to.

    Example:
        >>> import copy
        >>> import sparsescope as ss
        >>> from sparsescope.architectures.digits_cnn import digits_cnn
        >>> dense = digits_cnn()
        >>> sparse = copy.deepcopy(dense)
        >>> ss.prune("omp", dense, sparsity=0.8).apply(sparse)
        >>> benchmark = ss.open_benchmark("digits")
        >>> evaluation = ss.evaluate(dense, [sparse], benchmark, metrics=["accuracy"], cache=False)
        >>> sorted(ss.report(evaluation, "out"))
        ['evaluation.json', 'junit.xml', 'radar.png', 'radar.svg', 'report.html', 'report.md']
    """
    found = [evaluations] if isinstance(evaluations, Evaluation) else list(evaluations)
    if not found:
        raise InputError("Expected at least one evaluation to report, but got none.")
    directory = Path(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the folder {directory}: {error.strerror}.") from error
    paths = {}
    if len(found) == 1:
        paths["evaluation.json"] = directory / "evaluation.json"
        found[0].save(paths["evaluation.json"])
    texts = {"report.html": _html(found), "report.md": _markdown(found)}
    for name, content in {**{key: text.encode() for key, text in texts.items()}, "junit.xml": junit(found)}.items():
        paths[name] = directory / name
        write_atomically(paths[name], content)
    for number, evaluation in enumerate(found, start=1):
        if evaluation.radar.axes:
            paths |= save_radar(evaluation, directory, radar_stem(number))
    return paths


def _html(evaluations: list[Evaluation]) -> str:
    """Return the page: one file, no script, nothing fetched."""
    environment = html_environment()
    views = [
        {**evaluation_view(evaluation, number), "figures": figures(evaluation, f"e{number}")}
        for number, evaluation in enumerate(evaluations, start=1)
    ]
    return environment.get_template("report.html.j2").render(_context(evaluations, views))


def _markdown(evaluations: list[Evaluation]) -> str:
    views = [evaluation_view(evaluation, number) for number, evaluation in enumerate(evaluations, start=1)]
    return markdown("report.md.j2", _context(evaluations, views))


def _context(evaluations: list[Evaluation], views: list[dict[str, Any]]) -> dict[str, Any]:
    comparison = comparison_view(evaluations) if len(evaluations) > 1 else None
    return {"evaluations": views, "comparison": comparison, "version": evaluations[0].version}
