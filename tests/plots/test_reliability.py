import pytest
from fake_evaluation import MODELS, make_evaluation

from sparsescope.errors import InputError
from sparsescope.plots import panels, png, reliability
from sparsescope.plots.reliability import reliability_bins


def test_bars_are_accuracies_of_the_bins_that_hold_images() -> None:
    evaluation = make_evaluation()
    filled = [row for row in reliability_bins(evaluation, MODELS[0]) if row.count]
    ax = reliability(evaluation, MODELS[0])
    assert len(ax.containers) == len(filled) == 13
    for container, row in zip(ax.containers, filled, strict=True):
        (bar,) = container
        assert (bar.get_x(), bar.get_height()) == (row.lower, row.accuracy)


def test_counts_stand_below_as_shares() -> None:
    (strip,) = reliability(make_evaluation(), MODELS[0]).child_axes
    heights = [bar.get_height() for bar in strip.containers[0]]
    assert len(heights) == 15
    assert sum(heights) == pytest.approx(1.0)
    assert heights[-1] == pytest.approx(0.808)
    assert "10,000 images" in strip.get_xlabel()


def test_an_evaluation_without_ece_has_none() -> None:
    evaluation = make_evaluation()
    without = evaluation.model_copy(update={"metrics": evaluation.metrics[:1]})
    assert reliability_bins(without, MODELS[0]) == ()
    with pytest.raises(InputError, match=f"Expected the ECE of '{MODELS[0]}' to be measured"):
        reliability(without, MODELS[0])


def test_panels_wrap_into_rows() -> None:
    evaluation = make_evaluation(MODELS)
    figure = panels(lambda name, ax: reliability(evaluation, name, ax), MODELS, width=3, height=3, columns=2)
    assert len(figure.axes) == 3
    assert tuple(figure.get_size_inches()) == (6, 6)
    assert png(figure).startswith(b"\x89PNG")
