"""The last lines on the terminal: a table for each candidate, then its verdict in one line."""

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.segment import Segments
from rich.table import Table
from rich.text import Text

from sparsescope.cli.console import SafeConsole
from sparsescope.reporting.format import MINUS
from sparsescope.reporting.methods import as_one_pair
from sparsescope.reporting.notes import debiased, out_of_distribution, until_decided
from sparsescope.reporting.rows import Row, groups
from sparsescope.results import Evaluation

__all__ = ["print_summary"]

UNLIMITED = 10_000
STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "not evaluated": "dim", None: "dim"}


def print_summary(evaluation: Evaluation, console: Console | None = None) -> None:
    """Print a table metric · dense · sparse · difference · margin · outcome, and the verdict, for each candidate.

    Before them stand the out-of-distribution sets, because what the OoD AUROC says depends on them.

    Numbers are never cut off: a table that is wider than the terminal runs over its edge. Without a terminal there are
    no colours and no line breaks inside of cells.

    Args:
        evaluation: what to print.
        console: where to; default: standard output.
    """
    console = console or SafeConsole()
    if not console.is_terminal:
        console = SafeConsole(file=console.file, width=UNLIMITED, color_system=None)
    ood = out_of_distribution(evaluation)
    if ood:
        sets = ood["negative class"].removeprefix("out-of-distribution: ")
        _print(console, Text(f"Out-of-distribution sets: {sets}; score: {ood['score']}", style="dim"))
    for pair in evaluation.pairs:
        _print(console, Text(f"{pair.candidate} against {pair.dense}", style="bold"))
        _print_table(console, _table(console, evaluation, pair.candidate))
    for name, method in evaluation.methods.items():
        _print(console, Text(f"{name}, mean of {len(method.candidates)} pairs", style="bold"))
        _print_table(console, _table(console, as_one_pair(evaluation, name), name))
    for note in (debiased(evaluation), until_decided(evaluation)):
        if note:
            _print(console, Text(note.replace(MINUS, "-"), style="dim"))
    for candidate in evaluation.candidates:
        verdict = evaluation.verdict(candidate.name)
        _print(console, Text(verdict.statement, style=STYLES[verdict.outcome]))
    for method in evaluation.methods.values():
        for note in method.notes:
            _print(console, Text(note, style="dim"))
        _print(console, Text(method.verdict.statement, style=STYLES[method.outcome]))


def _print(console: Console, line: Text) -> None:
    console.print(_encodable(console, line), soft_wrap=True)


def _print_table(console: Console, table: Table) -> None:
    """Print as wide as the terminal or, if that is too narrow, as the numbers need."""
    needed = Measurement.get(console, console.options.update_width(UNLIMITED), table).minimum
    options = console.options.update_width(max(console.width, needed))
    console.print(Segments(console.render(table, options)), crop=False, soft_wrap=True)
    console.print()


def _table(console: Console, evaluation: Evaluation, candidate: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("metric", min_width=24)
    for title in ("dense", "sparse"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column(f"difference [{100 * evaluation.confidence:g} % interval]", justify="right", no_wrap=True)
    table.add_column("margin", justify="right", no_wrap=True)
    table.add_column("outcome", min_width=26)
    for dimension, rows in groups(evaluation, candidate).items():
        table.add_row(Text(dimension, style="bold"))
        for row in rows:
            table.add_row(*(_encodable(console, cell) for cell in _cells(row)))
        table.add_section()
    return table


def _cells(row: Row) -> list[Text]:
    metric = Text.assemble(row.label, " ", row.arrow, (f" ({row.unit})", "dim"))
    outcome = Text(row.outcome_word, style=STYLES[row.outcome])
    if row.reason:
        outcome.append(f": {row.reason}", style="dim")
    difference = f"{row.difference} {row.difference_interval}".strip()
    numbers = (row.dense, row.sparse, difference, row.margin_text)
    return [metric, *(Text((number or "-").replace(MINUS, "-")) for number in numbers), outcome]


def _encodable(console: Console, text: Text) -> Text:
    """Return a text without what the output cannot write, such as arrows on a Latin-1 terminal."""
    encoding = console.encoding or "utf-8"
    plain = text.plain.encode(encoding, "replace").decode(encoding)
    copy = text.copy()
    if plain != copy.plain:
        copy.plain = plain
    return copy
