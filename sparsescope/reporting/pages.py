"""The report as a page, in HTML and in Markdown: both say the same."""

from typing import Any

from sparsescope.reporting.figures import figures
from sparsescope.reporting.rendering import html_environment, markdown
from sparsescope.reporting.view import comparison_view, evaluation_view
from sparsescope.results import Evaluation

__all__ = ["html_page", "markdown_page"]


def html_page(evaluations: list[Evaluation]) -> bytes:
    """Return the page: one file, no script, nothing fetched."""
    environment = html_environment()
    views = [
        {**evaluation_view(evaluation, number), "figures": figures(evaluation, f"e{number}")}
        for number, evaluation in enumerate(evaluations, start=1)
    ]
    return environment.get_template("report.html.j2").render(_context(evaluations, views)).encode()


def markdown_page(evaluations: list[Evaluation]) -> bytes:
    """Return the page as Markdown."""
    views = [evaluation_view(evaluation, number) for number, evaluation in enumerate(evaluations, start=1)]
    return markdown("report.md.j2", _context(evaluations, views)).encode()


def _context(evaluations: list[Evaluation], views: list[dict[str, Any]]) -> dict[str, Any]:
    comparison = comparison_view(evaluations) if len(evaluations) > 1 else None
    return {"evaluations": views, "comparison": comparison, "version": evaluations[0].version}
