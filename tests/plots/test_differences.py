import pytest
from fake_evaluation import MODELS, make_evaluation, make_metric
from matplotlib.axes import Axes

from sparsescope.errors import InputError
from sparsescope.plots import differences, png
from sparsescope.plots.style import top_figure
from sparsescope.results import Evaluation, MetricResult, Pair
from sparsescope.verdict import decide


def evaluation_of(*metrics: MetricResult) -> Evaluation:
    verdict = decide(metrics, Pair(dense=MODELS[0], candidate=MODELS[1]), confidence=0.95, complete=False)
    return make_evaluation().model_copy(update={"metrics": metrics, "verdicts": {MODELS[1]: verdict}})


def points(ax: Axes) -> dict[str, tuple[float, str]]:
    """Label of each row -> place and marker of its value."""
    labels = [label.get_text() for label in ax.get_yticklabels()]
    return {
        labels[int(line.get_ydata()[0])]: (float(line.get_xdata()[0]), str(line.get_marker()))
        for line in ax.get_lines()
        if len(line.get_xdata()) == 1
    }


def intervals(ax: Axes) -> list[tuple[float, ...]]:
    return [
        tuple(float(x) for x in line.get_xdata())
        for line in ax.get_lines()
        if len(line.get_xdata()) == 2 and line.get_ydata()[0] == line.get_ydata()[1]
    ]


def test_differences_are_oriented_multiples_of_the_margin() -> None:
    ax = differences(
        evaluation_of(
            make_metric("accuracy", (0.9, 0.88), 0.005, label="accuracy"),
            make_metric("ece", (0.04, 0.03), 0.005, label="ece", higher_is_better=False),
            make_metric(
                "nll", (2.0, 2.1), 0.05, label="nll", higher_is_better=False, margin=0.05, margin_kind="relative"
            ),
        ),
        MODELS[1],
    )
    found = points(ax)
    assert found["accuracy"] == (pytest.approx(-2.0), "X")
    assert found["ece"] == (pytest.approx(1.0), "o")
    assert found["nll"] == (pytest.approx(-1.0), "D")
    assert intervals(ax) == [pytest.approx((-2.5, -1.5)), pytest.approx((0.5, 1.5)), pytest.approx((-1.5, -0.5))]


def test_what_lies_beyond_the_frame_is_an_arrow_with_its_value() -> None:
    ax = differences(evaluation_of(make_metric("accuracy", (0.9, 0.6), label="accuracy")), MODELS[1])
    assert points(ax)["accuracy"] == (-6.0, "<")
    assert "−30" in [text.get_text() for text in ax.texts]
    assert ax.get_xlim() == (-6.0, 6.0)


def test_margin_0_and_not_evaluated_are_words() -> None:
    ax = differences(
        evaluation_of(make_metric("accuracy", (0.9, 0.9), 0.01, margin=0.0), make_metric("ece", (None, None))),
        MODELS[1],
    )
    assert points(ax) == {}
    assert [text.get_text() for text in ax.texts][2:] == ["margin 0: inconclusive", "not evaluated"]


def test_a_value_without_interval_is_still_drawn() -> None:
    ax = differences(evaluation_of(make_metric("accuracy", (0.9, 0.91), None, label="accuracy")), MODELS[1])
    assert points(ax)["accuracy"] == (pytest.approx(1.0), "D")
    assert intervals(ax) == []


def test_errors_name_what_is_there() -> None:
    with pytest.raises(InputError, match="but got 'nobody'"):
        differences(make_evaluation(), "nobody")
    with pytest.raises(InputError, match="at least one metric in the verdict"):
        differences(evaluation_of(make_metric(in_verdict=False)), MODELS[1])


def test_a_margin_near_nothing_leaves_room_for_the_plot() -> None:
    metrics = tuple(metric.model_copy(update={"margin": 1e-200}) for metric in make_evaluation().metrics)
    ax = differences(make_evaluation(metrics=metrics), MODELS[1])
    assert max(len(text.get_text()) for text in ax.texts) < 20
    png(top_figure(ax))
