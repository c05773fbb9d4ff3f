"""The group of commands, and what errors become: exit codes and one clear message on stderr."""

import os
import warnings
from typing import Any

import rich_click as click
from click.exceptions import Exit
from typing_extensions import override

import sparsescope as package
from sparsescope.cli.cache import cache
from sparsescope.cli.corrupt import corrupt
from sparsescope.cli.crosscheck import crosscheck
from sparsescope.cli.demo import demo
from sparsescope.cli.dissect import dissect
from sparsescope.cli.ending import BROKEN, INTERRUPTED, REPORT_IT, UNUSABLE
from sparsescope.cli.evaluate import evaluate
from sparsescope.cli.explain import explain
from sparsescope.cli.inspect import inspect
from sparsescope.cli.output import echo
from sparsescope.cli.process import run_as_process
from sparsescope.cli.prune import prune
from sparsescope.cli.report import report
from sparsescope.cli.sweep import sweep
from sparsescope.errors import InputError, SparsescopeWarning
from sparsescope.unexpected import DEBUG, in_one_line

__all__ = ["main", "sparsescope"]


class _Commands(click.RichGroup):
    """Turns exceptions of any command into the documented exit codes."""

    @override
    def invoke(self, context: click.Context) -> Any:
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        try:
            return super().invoke(context)
        except InputError as error:
            echo(f"Error: {error}", err=True)
            context.exit(UNUSABLE)
        except KeyboardInterrupt as interruption:
            echo(f"\nInterrupted. {str(interruption) or 'The same command starts anew.'}", err=True)
            context.exit(INTERRUPTED)
        except (click.ClickException, Exit, click.Abort):
            raise
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            echo(f"Error: {error.strerror or error}{where}", err=True)
            context.exit(BROKEN)
        except Exception as error:
            echo(f"Error: {context.invoked_subcommand} failed: {in_one_line(error)}. {REPORT_IT}", err=True)
            context.exit(BROKEN)


def _debug(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        os.environ[DEBUG] = "1"


def _show_warning(message: Warning | str, category: type[Warning], *place: Any) -> None:
    """Our own warnings in words, without the line of code they come from."""
    if issubclass(category, SparsescopeWarning):
        echo(f"Warning: {message}", err=True)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package.__version__, prog_name="sparsescope")
def sparsescope() -> None:
    """Measure what pruning takes away from an image classifier, and judge whether the sparse model matches its parent.

    Exit codes: 0 done (and the gate met), 1 the gate is not met, 2 wrong usage or unusable input,
    3 something broke (a metric, a file of the report, some of a sweep), 130 interrupted. Of several, 2 goes before 1,
    and 1 before 3.
    """


for _command in (evaluate, prune, sweep, inspect, report, explain, dissect, corrupt, crosscheck, cache, demo):
    _command.params.append(
        click.Option(["--debug"], is_flag=True, expose_value=False, callback=_debug, help="Show tracebacks.")
    )
    sparsescope.add_command(_command)


def main() -> None:
    """Run the command line."""
    run_as_process(lambda: sparsescope(prog_name="sparsescope"))
