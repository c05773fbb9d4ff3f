"""Values on the command line that click has no type for."""

import rich_click as click

__all__ = ["batch_size", "numbers", "output"]


def numbers(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    """Return `0.485,0.456,0.406` as numbers."""
    if value is None:
        return None
    try:
        return tuple(float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter("expected numbers with commas between them, such as 0.485,0.456,0.406") from None


def batch_size(context: click.Context, parameter: click.Parameter, value: str) -> int | str:
    """Return `auto` or a number of images."""
    if value == "auto" or (value.isdigit() and int(value) > 0):
        return int(value) if value.isdigit() else value
    raise click.BadParameter("expected auto or a number of images >= 1")


def output(context: click.Context, parameter: click.Parameter, value: str) -> int | str:
    """Return an index where the value is a whole number, else the name or key."""
    return int(value) if value.isdigit() else value
