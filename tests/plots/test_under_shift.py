import numpy as np
import pytest
from fake_evaluation import MODELS, make_evaluation

from sparsescope.errors import InputError
from sparsescope.plots import under_shift
from sparsescope.plots.under_shift import shift_table


def test_lines_are_means_over_the_corruptions_from_clean_to_severity_5() -> None:
    evaluation = make_evaluation(MODELS)
    ax = under_shift(evaluation, "ece")
    assert [line.get_label() for line in ax.lines] == list(MODELS)
    for index, line in enumerate(ax.lines):
        clean = evaluation["ece"].values[MODELS[index]].value
        means = [np.mean([0.02 * (1 + index) + 0.01 * kind * severity for kind in range(6)]) for severity in range(5)]
        np.testing.assert_allclose(line.get_ydata(), [clean, *means])
        np.testing.assert_allclose(line.get_xdata(), np.arange(6) + 0.08 * (index - 1))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["clean", "1", "2", "3", "4", "5"]


def test_bars_span_the_middle_half_of_the_corruptions() -> None:
    (bars, *_) = under_shift(make_evaluation(), "ece").collections
    (low, high) = bars.get_segments()[5][:, 1]  # severity 5: 0.02 + 0.04 kind, for kind 0 to 5
    assert (low, high) == pytest.approx((0.02 + 0.04 * 1.25, 0.02 + 0.04 * 3.75))


def test_cells_that_were_not_seen_are_left_out() -> None:
    table = shift_table(make_evaluation(), "error")[MODELS[0]]
    assert [len(values) for values in table.values()] == [1, 6, 6, 6, 6, 5]
    assert table[0] == [0.08]
    assert [len(values) for values in shift_table(make_evaluation(), "nll")[MODELS[0]].values()] == [1, 5, 5, 5, 5, 5]


def test_what_was_not_measured_is_not_drawn() -> None:
    assert shift_table(make_evaluation(), "sce") == {}
    with pytest.raises(InputError, match="Expected 'sce' under corruption to be measured"):
        under_shift(make_evaluation(), "sce")
    without = make_evaluation().model_copy(update={"metrics": make_evaluation().metrics[:1]})
    assert shift_table(without, "error") == {}


def test_without_a_clean_value_the_line_begins_at_severity_1() -> None:
    evaluation = make_evaluation()
    alone = evaluation.model_copy(update={"metrics": (evaluation["corruption_error"],)})
    assert list(shift_table(alone, "ece")[MODELS[0]]) == [1, 2, 3, 4, 5]
