import io
import re

import pytest
from fake_evaluation import MODELS, make_evaluation
from rich.console import Console

from sparsescope.cli.table import print_summary


def printed(models: tuple[str, ...] = MODELS[:2], **options: object) -> str:
    stream = io.StringIO()
    print_summary(make_evaluation(models), Console(file=stream, **options))  # type: ignore[arg-type]
    return stream.getvalue()


def test_piped_rows_are_whole_and_without_colour_codes() -> None:
    text = printed(width=40)
    assert "\x1b" not in text and "…" not in text
    lines = [re.sub(r"\s{2,}", " | ", line.strip()) for line in text.splitlines()]
    assert "metric | dense | sparse | difference [95 % interval] | margin | outcome" in lines
    assert "Accuracy ↑ (%) | 91.90 | 91.70 | -0.20 [-0.81, +0.41] | 1.00 | PASS" in lines
    assert "NLL ↓ (nats) | 0.291 | 0.289 | -0.002 [-0.018, +0.014] | 0.015 (5 %) | PASS" in lines
    assert "Compositional IoU ↑ (IoU) | - | - | - | 5 % | NOT EVALUATED: no probe set" in lines
    assert any(
        line.endswith("INCONCLUSIVE: n = 1000; about 1,600 would do if there were no difference") for line in lines
    )


def test_debiased_intervals_are_explained_before_the_verdicts() -> None:
    assert printed().splitlines()[-2].startswith("ECE: values are too large on few images")


def test_rows_stand_under_their_dimension() -> None:
    lines = printed().splitlines()
    places = [
        next(number for number, line in enumerate(lines) if line.startswith(start))
        for start in ("generalization", "OoD", "calibration", "NLL", "interpretability", "Compos", "geometry", "Input")
    ]
    assert places == sorted(places)


def test_verdicts_are_the_last_lines_one_for_each_candidate() -> None:
    evaluation = make_evaluation(MODELS)
    lines = printed(MODELS).splitlines()
    assert lines[-2:] == [evaluation.verdict(name).statement for name in MODELS[1:]]
    assert sum(line.startswith("metric ") for line in lines) == 2
    assert f"{MODELS[2]} against {MODELS[0]}" in lines


@pytest.mark.parametrize("width", [30, 80, 120, 200])
def test_a_terminal_of_any_width_shows_every_digit(width: int) -> None:
    text = printed(force_terminal=True, width=width, color_system=None)
    assert "…" not in text
    for number in ("-0.00047 [-0.00125, +0.00031]", "0.00251 (10 %)", "91.90", "[-1,522, -307]"):
        assert number in text


def test_the_out_of_distribution_sets_are_named_first() -> None:
    assert printed().splitlines()[0] == (
        "Out-of-distribution sets: dtd (600 images, far), svhn (600 images, given); "
        "score: log max-softmax, higher = more in-distribution"
    )


def test_colours_only_on_a_terminal() -> None:
    assert "\x1b[" in printed(force_terminal=True, width=120, color_system="standard")


def test_names_are_no_markup() -> None:
    assert "[red]x[/red] against [bold]" in printed(("[bold]", "[red]x[/red]"))


def test_an_output_that_cannot_write_arrows() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    print_summary(make_evaluation(), Console(file=stream))
    stream.flush()
    assert b"91.90" in raw.getvalue()
    assert b"Accuracy ? (%)" in raw.getvalue()


def test_standard_output_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(make_evaluation())
    assert capsys.readouterr().out.endswith(f"{make_evaluation().verdict(MODELS[1]).statement}\n")
