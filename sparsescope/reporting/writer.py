"""Writes the report's files."""

from collections.abc import Sequence
from pathlib import Path

from sparsescope.errors import InputError
from sparsescope.files import write_atomically
from sparsescope.reporting.formats import FORMATS, Content
from sparsescope.results import Evaluation
from sparsescope.specs import load

__all__ = ["evaluation_json", "report"]


def report(evaluations: Evaluation | Sequence[Evaluation], directory: str | Path) -> dict[str, Path]:
    """Write the report of one evaluation, or one report that compares several.

    Every file is written completely or not at all, and the same evaluations give the same bytes.

    Args:
        evaluations: what to report.
        directory: folder to write to; made if it does not exist.

    Returns:
        file name -> path, of every format in `reporting.formats.FORMATS`: `evaluation.json` (of a single evaluation),
        `report.html` and so on. No radar where it would have no axis; `radar-2.svg` … for further evaluations.

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
    for name, place in FORMATS.items():
        content: Content = load(place)(found)
        for file, data in ({name: content} if isinstance(content, bytes) else content).items():
            paths[file] = directory / file
            write_atomically(paths[file], data)
    return paths


def evaluation_json(evaluations: list[Evaluation]) -> Content:
    """Return `evaluation.json` of a single evaluation; several have theirs already."""
    return evaluations[0].to_json() if len(evaluations) == 1 else {}
