"""Numbers as people read them: one place for terminal, HTML and Markdown."""

import math
from dataclasses import dataclass

from sparsescope.results import MetricResult
from sparsescope.verdict import absolute_margin

__all__ = ["MINUS", "NumberFormat", "count", "duration", "percent"]

MINUS = "−"
SIGNIFICANT = 6
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class NumberFormat:
    """How all numbers of one metric are written, so that they align and compare.

    Args:
        factor: what values are multiplied with before they are written.
        decimals: digits after the point.
        unit: the unit to show with them, factor included.
    """

    factor: float
    decimals: int
    unit: str

    @classmethod
    def of(cls, metric: MetricResult, dense: str) -> "NumberFormat":
        """Return a metric's format: two digits of the narrowest interval or margin; fractions in percent.

        Very large and very small values get a power of a thousand, as part of the unit.
        """
        values = [entry.value for entry in metric.values.values() if entry.value is not None]
        largest = max((abs(value) for value in values), default=0.0)
        factor, unit = 1.0, metric.unit
        if metric.in_percent:
            factor, unit = 100.0, "%"
        elif largest and not 0.01 <= largest < 1e6:
            exponent = 3 * math.floor(math.log10(largest) / 3)
            factor, unit = 10.0**-exponent, f"10{str(exponent).translate(_SUPERSCRIPT)} {metric.unit}"
        intervals = [entry.interval for entry in metric.differences.values()] or [None]
        intervals += [entry.interval for entry in metric.values.values()] if not any(map(_width, intervals)) else []
        steps = [step for step in (*map(_width, intervals), absolute_margin(metric, dense)) if step > 0]
        step = min(steps, default=largest / 100) * factor
        most = SIGNIFICANT - 1 - _magnitude(largest * factor)
        return cls(factor, max(min(1 - _magnitude(step), most), 0), unit)

    def number(self, value: float) -> str:
        """Return a value, such as `91.90`, with thousands separated."""
        text = f"{value * self.factor:,.{self.decimals}f}"
        return text.replace("-", MINUS) if text.strip("-0.,") else text.removeprefix("-")

    def signed(self, value: float) -> str:
        """Return a difference with its sign, such as `+0.40`; 0 has none."""
        text = self.number(value)
        return text if text.startswith(MINUS) or not text.strip("0.,") else f"+{text}"

    def with_unit(self, value: float) -> str:
        """Return a difference with its sign and unit, such as `+0.40 %`."""
        times = "× " if self.unit.startswith("10") else ""
        return f"{self.signed(value)} {times}{self.unit}"

    def interval(self, interval: tuple[float, float] | None, *, signed: bool = False) -> str:
        """Return an interval, such as `[91.30, 92.50]`, or nothing where there is none."""
        if interval is None:
            return ""
        written = self.signed if signed else self.number
        return f"[{written(interval[0])}, {written(interval[1])}]"


def _width(interval: tuple[float, float] | None) -> float:
    return (interval[1] - interval[0]) / 2 if interval else 0.0


def _magnitude(value: float) -> int:
    """Return the power of ten of a value's first digit; 0 for 0."""
    return math.floor(math.log10(value)) if value > 0 else 0


def percent(fraction: float) -> str:
    """Return a fraction in percent: one decimal, as many as needed where that would wrongly say 0 or 100."""
    text = f"{100 * fraction:.1f} %"
    if text in ("0.0 %", "100.0 %") and fraction not in (0, 1):
        return f"{100 * fraction:.4f} %"
    return text


def count(number: int) -> str:
    """Return a count with thousands separated."""
    return f"{number:,}"


def duration(seconds: float) -> str:
    """Return a duration in its two largest units, such as `13 min 32 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
