import numpy as np
import pytest
from fake_evaluation import MODELS, make_evaluation

from sparsescope.errors import InputError
from sparsescope.plots import corruption_table
from sparsescope.plots.corruption_table import corruption_errors


def test_cells_say_the_error_in_percent_and_what_is_missing() -> None:
    evaluation = make_evaluation()
    ax = corruption_table(evaluation, MODELS[1])
    errors = corruption_errors(evaluation, MODELS[1])
    expected = ["–" if error is None else f"{100 * error:.1f}" for row in errors.values() for error in row]
    assert [text.get_text() for text in ax.texts] == expected
    assert expected[-1] == "–"
    assert ax.get_yticklabels()[0].get_text() == "gaussian noise"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "2", "3", "4", "5"]
    assert ax.get_ylim() == (6, 0)


def test_all_models_share_one_colour_scale() -> None:
    evaluation = make_evaluation(MODELS)
    worst = max(
        error for row in corruption_errors(evaluation, MODELS[2]).values() for error in row if error is not None
    )
    for name in MODELS:
        (mesh,) = corruption_table(evaluation, name).collections
        assert mesh.get_clim() == (0, pytest.approx(1.15 * worst))
        assert np.ma.count_masked(mesh.get_array()) == 1


def test_without_details_there_is_no_table() -> None:
    evaluation = make_evaluation()
    without = evaluation.model_copy(
        update={"metrics": tuple(metric.model_copy(update={"details": {}}) for metric in evaluation.metrics)}
    )
    assert corruption_errors(without, MODELS[0]) == {}
    with pytest.raises(InputError, match=f"Expected the mCE of '{MODELS[0]}' to be measured"):
        corruption_table(without, MODELS[0])


def test_no_error_anywhere_is_drawn_too() -> None:
    evaluation = make_evaluation()
    table = {"severities": [1, 5], "corruptions": {"brightness": {"error": [0.0, 0.0]}}}
    perfect = evaluation["corruption_error"].model_copy(update={"details": {MODELS[0]: table}})
    ax = corruption_table(evaluation.model_copy(update={"metrics": (perfect,)}), MODELS[0])
    assert [text.get_text() for text in ax.texts] == ["0.0", "0.0"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "5"]
