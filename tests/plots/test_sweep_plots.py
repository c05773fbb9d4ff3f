"""Plots of a sweep: the right lines, styles and labels for what the summary holds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_sweep import METHODS, METRICS, SPARSITIES, make_sweep
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sparsescope.curves import SweepSummary, summarise
from sparsescope.curves.records import Extreme, JointPoint, PassRange
from sparsescope.errors import InputError, OptionError
from sparsescope.plots import extreme_sparsities, pass_ranges, sweep_curves, sweep_panels, twin_comparison
from sparsescope.plots.extreme_sparsities import extreme_text
from sparsescope.plots.pass_ranges import runs_text
from sparsescope.plots.style import PAPER, png, svg, top_figure
from sparsescope.plots.sweep_style import looks, percent_removed

GAP = SPARSITIES[2]


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> SweepSummary:
    """Seven methods, five sparsities, three seeds, the twin; grasp lacks 48.8 %, composition everything."""
    folder = tmp_path_factory.mktemp("sweep")
    sweep = make_sweep(folder, leave_out=tuple(("grasp", GAP, seed) for seed in range(3)))
    return summarise(sweep, sweep.evaluations(folder))


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> SweepSummary:
    """One method, one sparsity, one seed, no twin."""
    folder = tmp_path_factory.mktemp("single")
    sweep = make_sweep(folder, methods=("omp",), sparsities=(0.488,), seeds=(0,), small=False)
    return summarise(sweep, sweep.evaluations(folder))


def lines(ax: Axes, colour: str, kind: str = "child") -> list[Line2D]:
    """Return the lines of a colour: points, rings, or (not labelled by us) segments."""
    return [line for line in ax.lines if to_hex(line.get_color()) == colour and line.get_label().startswith(f"_{kind}")]


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("metric", ["accuracy", "nll", "weight_trace"])
def test_points_are_the_means_on_the_grid(summary: SweepSummary, metric: str) -> None:
    ax = sweep_curves(summary, metric)
    factor = 100 if metric == "accuracy" else 1
    for method, look in looks(summary).items():
        if method == "small":
            continue
        drawn = [line.get_xydata()[0] for line in lines(ax, look.colour, "point")]
        points = [p for p in summary.curves[method][metric].points if p.value.mean is not None]
        assert len(points) == (4 if method == "grasp" else 5)
        np.testing.assert_allclose(drawn, [(1 - p.sparsity, factor * p.value.mean) for p in points])
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels == ["20", "36", "48.8", "67.2", "79"]
    assert ax.get_xlim()[0] > 0.8 > 0.21 > ax.get_xlim()[1]  # sparser to the right


def test_small_values_are_scaled_and_say_so(summary: SweepSummary) -> None:
    ax = sweep_curves(summary, "stability")
    assert ax.get_title(loc="right") == "10⁻³ squared coefficient"
    first = summary.curves["lth"]["stability"].points[0].value.mean
    assert lines(ax, looks(summary)["lth"].colour, "point")[0].get_ydata()[0] == pytest.approx(1000 * (first or 0))


def test_lines_are_solid_as_far_as_accuracy_passes_then_dashed(summary: SweepSummary) -> None:
    for reading in ("margins", "paper"):
        ax = sweep_curves(summary, "ece", reading=reading)
        for method in ("omp", "snip", "random", "synflow"):
            end = summary.curves[method]["accuracy"].extremes[reading].sparsity
            segments = lines(ax, looks(summary)[method].colour)
            assert len(segments) == 4
            solid = [line.get_linestyle() == "-" for line in segments]
            assert solid == [sparsity <= (end or 0) + 0.001 for sparsity in SPARSITIES[1:]]
    random = [line.get_linestyle() for line in lines(ax, looks(summary)["random"].colour)]
    assert set(random) == {"-", "--"}


def test_a_missing_point_leaves_a_gap(summary: SweepSummary) -> None:
    segments = lines(sweep_curves(summary, "ece"), looks(summary)["grasp"].colour)
    assert [[percent_removed(1 - x) for x in line.get_xdata()] for line in segments] == [["20", "36"], ["67.2", "79"]]


def test_markers_say_what_passes_and_rings_what_is_extreme(summary: SweepSummary) -> None:
    ax = sweep_curves(summary, "nll", reading="paper")
    for method, look in looks(summary).items():
        if method == "small":
            continue
        curve = summary.curves[method]["nll"]
        filled = [line.get_markerfacecolor() != PAPER for line in lines(ax, look.colour, "point")]
        assert filled == [p.outcomes["paper"] == "pass" for p in curve.points if p.value.n]
        ringed = [1 - line.get_xdata()[0] for line in lines(ax, look.colour, "extreme")]
        extreme = curve.extremes["paper"].sparsity
        assert ringed == pytest.approx([] if extreme is None else [extreme])


def test_bands_are_one_standard_deviation(summary: SweepSummary, single: SweepSummary) -> None:
    ax = sweep_curves(summary, "nll")
    point = summary.curves["lth"]["nll"].points[0]
    assert point.value.mean is not None and point.value.sd is not None
    band = ax.collections[0].get_paths()[0].vertices  # the first segment of the first method
    at_first = [y for x, y in band if x == pytest.approx(1 - point.sparsity)]
    assert (min(at_first), max(at_first)) == pytest.approx(
        (point.value.mean - point.value.sd, point.value.mean + point.value.sd)
    )
    assert not sweep_curves(single, "nll").collections


def test_dense_is_a_dashed_line_with_its_band(summary: SweepSummary) -> None:
    ax = sweep_curves(summary, "nll")
    dense = summary.metrics["nll"].dense
    (line,) = [line for line in ax.lines if line.get_label() == "dense"]
    assert line.get_ydata()[0] == dense.mean and line.get_linestyle() == "--"
    (band,) = ax.patches
    assert band.get_y() == pytest.approx((dense.mean or 0) - (dense.sd or 0))
    assert band.get_height() == pytest.approx(2 * (dense.sd or 0))


def test_methods_differ_in_colour_and_in_marker(summary: SweepSummary) -> None:
    found = looks(summary)
    assert list(found) == [*METHODS, "small"]
    assert len({look.colour for look in found.values()}) == len({look.marker for look in found.values()}) == 8
    legend = sweep_curves(summary, "nll").get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        *METHODS, "small dense", "dense", "region I", "region II", "metric passes", "does not pass", "extreme sparsity",
    ]  # fmt: skip


def test_the_twin_beyond_the_grid_is_inside_the_frame(summary: SweepSummary) -> None:
    small = {name: replace(point, sparsity=0.95) for name, point in summary.small.items()}
    ax = sweep_curves(replace(summary, small=small), "nll")
    (star,) = lines(ax, looks(summary)["small"].colour, "point")
    assert ax.get_xlim()[0] > star.get_xdata()[0] == pytest.approx(0.05)
    assert ax.get_xlim()[1] < 0.05


def test_a_metric_outside_the_verdict_is_neither_filled_by_outcome_nor_ringed(summary: SweepSummary) -> None:
    facts = summary.metrics["nll"]
    aside = replace(facts, result=facts.result.model_copy(update={"in_verdict": False}))
    ax = sweep_curves(replace(summary, metrics={**summary.metrics, "nll": aside}), "nll")
    assert not [line for line in ax.lines if line.get_label() == "_extreme"]
    assert all(line.get_markerfacecolor() != PAPER for line in ax.lines if line.get_label() == "_point")


def test_regions_are_unknown_without_accuracy(summary: SweepSummary) -> None:
    metrics = {name: facts for name, facts in summary.metrics.items() if name != "accuracy"}
    ax = sweep_curves(replace(summary, metrics=metrics), "nll")
    assert "region unknown" in [text.get_text() for text in ax.get_legend().get_texts()]
    assert not [line for line in lines(ax, looks(summary)["lth"].colour) if line.get_linestyle() == "-"]


def test_wide_ranges_are_logarithmic(summary: SweepSummary) -> None:
    assert sweep_curves(summary, "weight_trace").get_yscale() == "linear"
    curve = summary.curves["random"]["weight_trace"]
    high = replace(curve.points[-1], value=replace(curve.points[-1].value, mean=1e6))
    steep = replace(curve, points=(*curve.points[:-1], high))
    curves = {**summary.curves, "random": {**summary.curves["random"], "weight_trace": steep}}
    assert sweep_curves(replace(summary, curves=curves), "weight_trace").get_yscale() == "log"


def test_one_method_one_sparsity_one_seed(single: SweepSummary) -> None:
    ax = sweep_curves(single, "accuracy")
    assert len(lines(ax, looks(single)["omp"].colour, "point")) == 1
    assert not lines(ax, looks(single)["omp"].colour)
    for axes in (ax, extreme_sparsities(single), pass_ranges(single)):
        assert png(top_figure(axes))
    with pytest.raises(InputError, match="Expected a small dense network with an evaluated metric"):
        twin_comparison(single)


def test_what_cannot_be_drawn(summary: SweepSummary) -> None:
    with pytest.raises(OptionError, match=r"Expected one of .*'accuracy'.* but got 'beauty'"):
        sweep_curves(summary, "beauty")
    with pytest.raises(InputError, match="Expected 'composition' to be evaluated, but no network of the sweep has it"):
        sweep_curves(summary, "composition")
    nothing = replace(summary, metrics={})
    with pytest.raises(InputError, match="Expected a metric of 'geometry' to be evaluated"):
        sweep_panels(nothing, "geometry")
    with pytest.raises(InputError, match="Expected a pruning method and an evaluated metric of the verdict"):
        extreme_sparsities(nothing)
    with pytest.raises(InputError, match="Expected at least one pruning method in the sweep"):
        pass_ranges(replace(summary, methods=()))


def test_panels_hold_every_metric_of_a_dimension(summary: SweepSummary) -> None:
    figure = sweep_panels(summary, "interpretability")
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["Fidelity ↓", "Stability ↓"]
    assert len(figure.legends) == 1 and all(ax.get_legend() is None for ax in figure.axes)


@pytest.mark.parametrize(
    ("extreme", "text"),
    [
        (Extreme(0.488, "fail"), "48.8"),
        (Extreme(0.488, "inconclusive"), "≥ 48.8"),
        (Extreme(0.488, "not evaluated"), "≥ 48.8"),
        (Extreme(0.79, None), "≥ 79"),
        (Extreme(None, "fail"), "< 20"),
        (Extreme(None, "inconclusive"), "?"),
        (Extreme(None, "not evaluated"), "–"),
    ],
)
def test_texts_of_extreme_sparsities(extreme: Extreme, text: str) -> None:
    assert extreme_text(extreme, 0.2) == text


def test_table_of_extreme_sparsities(summary: SweepSummary) -> None:
    ax = extreme_sparsities(summary, reading="paper")
    labels = [row[1] for row in METRICS if row[0] != "composition"]
    assert [label.get_text() for label in ax.get_xticklabels()] == [*labels, "all metrics"]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(METHODS)
    expected = [
        extreme_text(extreme, 0.2)
        for column in [
            *([summary.curves[m][name].extremes["paper"] for m in METHODS] for name in summary.judged),
            [summary.ranges[m]["paper"].extreme for m in METHODS],
        ]
        for extreme in column
    ]
    assert texts(ax) == expected
    best = [text.get_text() for text in ax.texts[-7:] if text.get_fontweight() == "bold"]
    assert best == ["67.2"]  # lth alone gets that far with all metrics


def test_pass_ranges_have_a_bar_for_every_run(summary: SweepSummary) -> None:
    points = tuple(
        JointPoint(s, outcome, ())  # type: ignore[arg-type]
        for s, outcome in zip(SPARSITIES, ["pass", "pass", "inconclusive", "pass", "fail"], strict=True)
    )
    gaps = PassRange(points, ((0.2, 0.36), (0.67232, 0.67232)), Extreme(0.36, "inconclusive", (0.67232,)))
    none = PassRange(points, (), Extreme(None, "fail"))
    made = {**summary.ranges, "lth": {"margins": gaps, "paper": gaps}, "omp": {"margins": none, "paper": none}}
    ax = pass_ranges(replace(summary, ranges=made))
    bars = [line for line in ax.lines if line.get_label() == "_run" and line.get_ydata()[0] == 0]
    np.testing.assert_allclose([bar.get_xdata() for bar in bars], [(0.8, 0.64), (0.32768, 0.32768)])
    assert not [line for line in ax.lines if line.get_label() == "_run" and line.get_ydata()[0] == 1]
    assert texts(ax)[:2] == ["20–36, 67.2 %", "none"]
    marks = [line.get_marker() for line in ax.lines if line.get_label() == "_outcome" and line.get_ydata()[0] == 0]
    assert marks == ["o", "o", "D", "o", "X"]
    assert runs_text(none) == "none"


def test_twins_are_drawn_relative_to_dense_and_cut_at_the_edge(summary: SweepSummary) -> None:
    rows = summary.twins["lth"].rows
    far = tuple(replace(row, ticket_ratio=9.0) if row.metric == "nll" else row for row in rows)
    twins = {"lth": replace(summary.twins["lth"], rows=far)}
    ax = twin_comparison(replace(summary, twins=twins))
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        row[1] for row in METRICS if row[0] != "composition"
    ]
    networks = [line for line in ax.lines if line.get_label() == "_network"]
    assert len(networks) == 2 * 11
    accuracy = [line.get_xdata()[0] for line in networks[:2]]
    assert [f"{tick:g}" for tick in ax.get_xticks()] == ["0.67", "1", "1.5", "2", "3", "4"]
    assert accuracy == pytest.approx([rows[0].ticket_ratio, rows[0].twin_ratio])
    (beyond,) = [line for line in networks if line.get_marker() == ">"]
    assert beyond.get_xdata()[0] == 4.0
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["lth 79 %", "small dense"]


def test_bytes_are_the_same_every_time_and_axes_may_be_given(summary: SweepSummary) -> None:
    for draw in (lambda ax: sweep_curves(summary, "nll", ax), lambda ax: extreme_sparsities(summary, ax)):
        first, second = (svg(top_figure(draw(Figure().add_subplot()))) for _ in range(2))
        assert first == second


def test_strange_method_names(tmp_path: Path) -> None:
    name = "$x$ <b>\n" + "long " * 20
    sweep = make_sweep(tmp_path, methods=(name,), sparsities=(0.2, 0.36), seeds=(0,), small=False)
    made = summarise(sweep, sweep.evaluations(tmp_path))
    for ax in (sweep_curves(made, "nll"), extreme_sparsities(made), pass_ranges(made)):
        assert b"<b>" not in svg(top_figure(ax), text="none")
