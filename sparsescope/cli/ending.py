"""How a command ends: its exit code, and what is said of it.

Of several the first one holds:

    130   interrupted
    2     wrong usage, or input that cannot be used
    1     a gate is not met: whatever else broke, and also where nothing was evaluated that could meet it
    3     something broke: a metric, a file of the report, a part of a sweep, or the command
    0     done, and the gate is met

A metric that is not evaluated for a known reason, such as a missing probe set, has not broken.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sparsescope.cli.output import echo
from sparsescope.errors import InputError
from sparsescope.unexpected import in_one_line

if TYPE_CHECKING:
    from sparsescope.results import Evaluation

__all__ = ["BROKEN", "DONE", "GATE_NOT_MET", "INTERRUPTED", "UNUSABLE", "exit_code", "tell", "write_report"]

DONE, GATE_NOT_MET, UNUSABLE, BROKEN, INTERRUPTED = 0, 1, 2, 3, 130
REPORT_IT = "Please report it; --debug shows the traceback."


def write_report(evaluation: "Evaluation", out: Path) -> tuple[list[Path], bool]:
    """Write the report; say what could not be written, and return the files and whether it is all of them."""
    from sparsescope.reporting.writer import write_all

    try:
        written = write_all(evaluation, out)
    except InputError as error:  # the folder has vanished
        echo(f"Error: {error}", err=True)
        return [], False
    for name, failure in written.failures.items():
        tell(name, failure)
    return list(written.paths.values()), not written.failures


def tell(what: str, failure: Exception) -> None:
    """Say that something failed, and why."""
    known = isinstance(failure, InputError | OSError)
    echo(f"Error: {failure if known else f'{what} failed: {in_one_line(failure)}. {REPORT_IT}'}", err=True)


def exit_code(evaluation: "Evaluation", gate: str, *, all_written: bool) -> int:
    """Return the exit code of an evaluation, and say why where the table does not."""
    from sparsescope.verdict import gate_missed, is_evaluated

    broken = [metric.name for metric in evaluation.metrics if metric.broke]
    if broken:
        echo(f"Error: {', '.join(broken)} broke; the reason stands in the table.", err=True)
    missed = gate_missed(gate, evaluation.deciding)
    for name in missed:
        if not is_evaluated(evaluation.deciding[name]):
            echo(f"--gate {gate} is not met by {name}: no metric of its verdict was evaluated.", err=True)
    if missed:
        return GATE_NOT_MET
    return BROKEN if broken or not all_written else DONE
