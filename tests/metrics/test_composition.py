import numpy as np
import pytest

from sparsescope.errors import NotEvaluated
from sparsescope.metrics.composition import Composition
from sparsescope.units import Units


def test_says_that_there_is_no_probe_set(small_benchmark, small_classifier):
    with pytest.raises(NotEvaluated, match=r"^no probe set$"):
        Composition().measurements(small_benchmark)
    with pytest.raises(NotEvaluated, match=r"^no probe set$"):
        Composition().measure(small_classifier, small_benchmark)


def test_never_makes_a_number_up():
    with pytest.raises(NotEvaluated):
        Composition().reduce(Units({"probe": 1}, {"iou": np.ones(1)}), np.ones(1))
