"""`sparsescope inspect`."""

from typing import TYPE_CHECKING

import rich_click as click

from sparsescope.cli.output import echo
from sparsescope.cli.parameters import arch_option, trust_option, weights_option

if TYPE_CHECKING:
    from rich.console import Console

    from sparsescope.checkpoints import Description

__all__ = ["inspect"]


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@arch_option
@weights_option
@trust_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list with one object per file.")
def inspect(files: tuple[str, ...], arch: str | None, weights: str | None, trust_pickle: bool, as_json: bool) -> None:
    """Show what is in model and mask files: architecture, parameters, mask, sparsity by layer, warnings."""
    import json

    from sparsescope.checkpoints import describe
    from sparsescope.cli.console import SafeConsole

    descriptions = [describe(path, arch, weights, trust_pickle=trust_pickle) for path in files]
    if as_json:
        echo(json.dumps([description.as_json() for description in descriptions], indent=2))
        return
    console = SafeConsole()
    for description in descriptions:
        _show(console, description)


def _show(console: "Console", about: "Description") -> None:
    from rich.markup import escape
    from rich.table import Table

    mean, std = (", ".join(f"{n:g}" for n in numbers) if numbers else None for numbers in (about.mean, about.std))
    total = None if about.sparsity_total is None else f"{about.sparsity_total:.1%} of all parameters"
    origin = f", from {about.normalization}" if about.normalization else ""
    facts = {
        "kind": ", ".join((f"{about.kind} ({about.format})", *about.layout)),
        "architecture": f"{about.architecture or 'unknown'}{' (a guess)' if about.architecture_guessed else ''}",
        "tensors": f"{about.tensors:,}",
        "entries" if about.kind == "mask" else "parameters": f"{about.parameters:,}, of which {about.nonzero:,} kept",
        "size": None if about.bytes is None else f"{about.bytes:,} bytes",
        "MACs": None
        if about.macs is None or about.image is None
        else f"{about.macs:,} for an image of {' × '.join(map(str, about.image))}",
        "sparsity": ", ".join(
            part for part in (f"{about.sparsity_prunable:.1%} of the prunable weights", total) if part
        ),
        "mask": "in the file" if about.has_mask else "none: zero weights count as removed",
        "normalization": f"mean ({mean}), std ({std}){origin}" if mean else "unknown",
        "output": None if about.output is None else str(about.output),
        "history": about.history,
        "not measured": "; ".join(f"what needs {what} ({why})" for what, why in about.lacks.items()) or None,
    }
    table = Table("layer", "shape", "sparsity", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for layer in about.layers:
        table.add_row(escape(layer.name), " × ".join(map(str, layer.shape)), f"{layer.sparsity:.1%}")
    console.print(f"[bold]{escape(about.path)}[/bold]", soft_wrap=True)
    for name, fact in facts.items():
        if fact is not None:
            console.print(f"  {name:<14}{escape(fact)}", soft_wrap=True, highlight=False)
    console.print(table)
    for warning in about.warnings:
        console.print(f"[yellow]warning[/yellow] {escape(warning)}", soft_wrap=True, highlight=False)
    console.print()
