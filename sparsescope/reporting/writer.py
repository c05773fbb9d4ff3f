"""Writes the report's files."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparsescope.errors import InputError
from sparsescope.files import write_atomically
from sparsescope.plots import save_radar
from sparsescope.reporting.figures import figures
from sparsescope.reporting.junit import junit
from sparsescope.reporting.page import environment
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
    views = [
        {**evaluation_view(evaluation, number), "figures": figures(evaluation, f"e{number}")}
        for number, evaluation in enumerate(evaluations, start=1)
    ]
    return environment(autoescape=True).get_template("report.html.j2").render(_context(evaluations, views))


def _markdown(evaluations: list[Evaluation]) -> str:
    views = [evaluation_view(evaluation, number) for number, evaluation in enumerate(evaluations, start=1)]
    template = environment(autoescape=False, finalize=_escaped).get_template("report.md.j2")
    text = template.render(_context(evaluations, views))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _context(evaluations: list[Evaluation], views: list[dict[str, Any]]) -> dict[str, Any]:
    comparison = comparison_view(evaluations) if len(evaluations) > 1 else None
    return {"evaluations": views, "comparison": comparison, "version": evaluations[0].version}


def _escaped(value: Any) -> str:
    """Return a text as Markdown shows it literally: names may hold anything, also in tables."""
    text = " ".join(str(value).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*\[\]|#~])", r"\\\1", text)
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)
