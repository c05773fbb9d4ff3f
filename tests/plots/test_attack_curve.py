import pytest
from fake_evaluation import MODELS, make_evaluation

from sparsescope.errors import InputError
from sparsescope.plots import attack_curve
from sparsescope.plots.attack_curve import attack_curves


def test_one_line_a_model_through_its_points_in_grey_levels() -> None:
    evaluation = make_evaluation(MODELS)
    ax = attack_curve(evaluation)
    assert [line.get_label() for line in ax.get_lines()] == list(MODELS)
    for name, line in zip(MODELS, ax.get_lines(), strict=True):
        assert list(line.get_xdata()) == pytest.approx([0, 2, 8])
        assert list(line.get_ydata()) == list(attack_curves(evaluation)[name].accuracy)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "2", "8"]
    assert len({line.get_color() for line in ax.get_lines()}) == 3


def test_bands_are_the_intervals() -> None:
    evaluation = make_evaluation()
    for name, band in zip(MODELS[:2], attack_curve(evaluation).collections, strict=True):
        points = attack_curves(evaluation)[name]
        heights = set(band.get_paths()[0].vertices[:, 1].round(9))
        assert heights >= {round(value, 9) for value in points.lower + points.upper}


def test_a_model_without_curve_is_left_out_and_none_at_all_is_an_error() -> None:
    evaluation = make_evaluation()
    fgsm = evaluation["fgsm_accuracy"]
    one = fgsm.model_copy(update={"details": {MODELS[1]: fgsm.details[MODELS[1]]}})
    ax = attack_curve(evaluation.model_copy(update={"metrics": (one,)}))
    assert [line.get_label() for line in ax.get_lines()] == [MODELS[1]]
    with pytest.raises(InputError, match="Expected the accuracy under FGSM to be measured, but the evaluation has no"):
        attack_curve(evaluation.model_copy(update={"metrics": ()}))
