"""Writes the report's files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sparsescope.errors import InputError
from sparsescope.files import write_atomically
from sparsescope.reporting.formats import FORMATS, Content
from sparsescope.reporting.incomplete import Incomplete
from sparsescope.results import Evaluation
from sparsescope.specs import load

__all__ = ["Written", "evaluation_json", "report", "write_all"]


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
        >>> ss.report(evaluation, "out")["report.html"].as_posix()
        'out/report.html'
    """
    written = write_all(evaluations, directory)
    for error in written.failures.values():
        raise error
    return written.paths


@dataclass(frozen=True)
class Written:
    """What there is of a report.

    Args:
        paths: file name -> path.
        failures: format, or a part of one -> why it could not be made or written.
    """

    paths: dict[str, Path]
    failures: dict[str, Exception]


def write_all(evaluations: Evaluation | Sequence[Evaluation], directory: str | Path) -> Written:
    """Write the report as `report` does; a format that fails costs no other, and is told of in what is returned.

    Raises:
        InputError: nothing to report, or the folder cannot be made.
    """
    found = [evaluations] if isinstance(evaluations, Evaluation) else list(evaluations)
    if not found:
        raise InputError("Expected at least one evaluation to report, but got none.")
    directory = Path(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the folder {directory}: {error.strerror}.") from error
    written = Written({}, {})
    for name, place in FORMATS.items():
        try:
            for file, data in _made(name, place, found, written).items():
                write_atomically(directory / file, data)
                written.paths[file] = directory / file
        except Exception as error:  # of a format's own code, or of the disk
            error.add_note(f"This came while {name} was made ({place}); the other files of the report are written.")
            written.failures[name] = error
    return written


def _made(name: str, place: str, evaluations: list[Evaluation], written: Written) -> Mapping[str, bytes]:
    """Return the files of one format; raises TypeError where that is not what a format gives."""
    content: Content
    try:
        content = load(place)(evaluations)
    except Incomplete as error:
        content = error.content
        written.failures.update({f"{name}: {part}": why for part, why in error.failures.items()})
    files = {name: content} if isinstance(content, bytes) else content
    if not isinstance(files, Mapping) or not all(isinstance(data, bytes) for data in files.values()):
        raise TypeError(f"Expected the format {name} to give bytes, or bytes by file name, but got {content!r:.60}.")
    if twice := [file for file in files if file in written.paths]:
        raise TypeError(f"The format {name} gives {', '.join(twice)}, which another format has written.")
    return files


def evaluation_json(evaluations: list[Evaluation]) -> Content:
    """Return `evaluation.json` of a single evaluation; several have theirs already."""
    return evaluations[0].to_json() if len(evaluations) == 1 else {}
