import pytest
from fake_evaluation import MODELS, make_metric

from sparsescope.reporting.format import NumberFormat, duration, percent


def format_of(*values: float, half_width: float | None = 0.005, **changes: object) -> NumberFormat:
    return NumberFormat.of(make_metric(values=values, half_width=half_width, **changes), MODELS[0])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("half_width", "expected"), [(0.019, "91.9"), (0.0061, "91.90"), (0.00061, "91.900"), (0.0, "91.9")]
)
def test_fractions_are_percent_with_two_digits_of_the_interval(half_width: float, expected: str) -> None:
    written = format_of(0.919, 0.917, half_width=half_width, margin=0.01)
    assert written.unit == "%"
    assert written.number(0.919) == expected


def test_the_margin_gives_the_digits_where_it_is_narrower_than_the_interval() -> None:
    assert format_of(0.0094, 0.0091, half_width=0.02, margin=0.002, unit="probability").number(0.0094) == "0.94"


def test_differences_have_a_sign_and_zero_has_none() -> None:
    written = format_of(0.9, 0.9)
    assert [written.signed(value) for value in (0.004, -0.004, 0.0, -0.0, 0.00001, -0.00001)] == [
        "+0.40",
        "−0.40",
        "0.00",
        "0.00",
        "0.00",
        "0.00",
    ]
    assert written.interval((-0.004, 0.012), signed=True) == "[−0.40, +1.20]"
    assert written.interval((0.9, 0.912)) == "[90.00, 91.20]"
    assert written.interval(None) == ""


@pytest.mark.parametrize(
    ("value", "half_width", "number", "unit"),
    [
        (6125.4, 310.0, "6,125", "loss"),
        (0.00431, 0.0002, "4.310", "10⁻³ loss"),
        (2.5e7, 3e5, "25.00", "10⁶ loss"),
        (0.2914, 0.008, "0.2914", "loss"),
        (0.0, 0.0, "0.0", "loss"),
    ],
)
def test_other_units_keep_a_readable_size(value: float, half_width: float, number: str, unit: str) -> None:
    written = format_of(value, value, half_width=half_width, unit="loss", margin=0.01, margin_kind="relative")
    assert (written.number(value), written.unit) == (number, unit)


def test_a_tiny_interval_does_not_flood_the_table_with_digits() -> None:
    assert format_of(0.5, 0.5, half_width=1e-12, unit="loss").number(1 / 3) == "0.333333"


def test_not_evaluated_has_a_format_too() -> None:
    metric = make_metric(values=(None, None), half_width=None, unit="IoU", margin=0.05, margin_kind="relative")
    assert NumberFormat.of(metric, MODELS[0]).unit == "IoU"


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0, "0.0 %"), (1, "100.0 %"), (0.488, "48.8 %"), (0.99999, "99.9990 %"), (0.00001, "0.0010 %")],
)
def test_percent_never_rounds_to_all_or_nothing(fraction: float, text: str) -> None:
    assert percent(fraction) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.25, "3.2 s"), (59.99, "60.0 s"), (812.4, "13 min 32 s"), (3599.9, "1 h 0 min"), (7322, "2 h 2 min")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
