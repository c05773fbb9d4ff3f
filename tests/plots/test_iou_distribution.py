import numpy as np
import pytest

from sparsescope.errors import InputError
from sparsescope.plots import category_shares, iou_distribution
from sparsescope.plots.style import CANDIDATES, DENSE


def test_share_of_units_that_reach_an_iou():
    ax = iou_distribution({"dense": [0.1, 0.02, 0.06, 0.05], "sparse": [0.01, 0.03]}, {"dense": [0.02] * 4})
    dense, sparse, null = ax.lines[:3]
    assert (dense.get_color(), sparse.get_color(), null.get_color()) == (DENSE, CANDIDATES[0], DENSE)
    x, y = dense.get_data()
    at = dict(zip(np.asarray(x)[:-1].tolist(), np.asarray(y)[:-1].tolist(), strict=True))
    assert at[0.1] == 0.25 and at[0.06] == 0.5 and at[0.05] == 0.75 and at[0.02] == 1
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["dense", "sparse", "dense, shuffled images"]
    assert ax.get_xlim()[1] > 0.1


def test_models_without_live_units():
    ax = iou_distribution({"dense": [], "sparse": [0.2]})
    assert ax.lines[0].get_color() == CANDIDATES[0]  # colours stay with their models
    with pytest.raises(InputError, match="at least one live unit"):
        iou_distribution({"dense": []})


def test_shares_by_category():
    ax = category_shares({"dense": {"color": 0.25, "object": 0.5}, "sparse": {"object": 1.0}})
    assert [label.get_text() for label in ax.get_yticklabels()] == ["object", "color"]
    widths = [[bar.get_width() for bar in container] for container in ax.containers]
    assert widths == [[0.5, 0.25], [1.0, 0.0]]
    with pytest.raises(InputError, match="at least one category"):
        category_shares({"dense": {}})
