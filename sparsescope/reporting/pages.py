"""The report as a page, in HTML and in Markdown: both say the same."""

from typing import Any

from sparsescope.reporting.figures import figures
from sparsescope.reporting.incomplete import Failures, Incomplete
from sparsescope.reporting.rendering import html_environment, markdown
from sparsescope.reporting.view import comparison_view, evaluation_view
from sparsescope.results import Evaluation

__all__ = ["html_page", "markdown_page"]


def html_page(evaluations: list[Evaluation]) -> bytes:
    """Return the page: one file, no script, nothing fetched; raises Incomplete with it where a figure is missing."""
    views, all_failures = [], Failures()
    for number, evaluation in enumerate(evaluations, start=1):
        view, failures = evaluation_view(evaluation, number), Failures()
        view["figures"] = figures(evaluation, f"e{number}", failures)
        view["warnings"] += failures.notes()
        views.append(view)
        all_failures |= failures
    page = html_environment().get_template("report.html.j2").render(_context(evaluations, views)).encode()
    if all_failures:
        raise Incomplete(page, all_failures)
    return page


def markdown_page(evaluations: list[Evaluation]) -> bytes:
    """Return the page as Markdown."""
    views = [evaluation_view(evaluation, number) for number, evaluation in enumerate(evaluations, start=1)]
    return markdown("report.md.j2", _context(evaluations, views)).encode()


def _context(evaluations: list[Evaluation], views: list[dict[str, Any]]) -> dict[str, Any]:
    comparison = comparison_view(evaluations) if len(evaluations) > 1 else None
    return {"evaluations": views, "comparison": comparison, "version": evaluations[0].version}
