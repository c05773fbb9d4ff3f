import math
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from fake_evaluation import MODELS, make_evaluation, make_metric
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from PIL import Image

from sparsescope.errors import InputError
from sparsescope.plots import radar, save_radar
from sparsescope.results import Evaluation, Pairs
from sparsescope.results.radar import normalise


def evaluation_of(*values: tuple[float, ...], **changes: Any) -> Evaluation:
    """An evaluation with the given values per metric: dense first."""
    models = MODELS[: len(values[0])]
    names = ("accuracy", "fgsm_accuracy", "ood_auroc", "ece", "nll")[: len(values)]
    metrics = tuple(
        make_metric(name, row, 0.02, models=models, label=name) for name, row in zip(names, values, strict=True)
    )
    evaluation = make_evaluation(models)
    return evaluation.model_copy(
        update={"metrics": metrics, "radar": normalise(metrics, Pairs.of_one_dense(models)), **changes}
    )


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def polygon(ax: Axes, model: str) -> np.ndarray:
    (line,) = [line for line in ax.get_lines() if line.get_label() == model]
    return np.column_stack([np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)])


def test_ratios_lie_at_their_radius_clockwise_from_the_top() -> None:
    ax = radar(evaluation_of((0.8, 0.8), (0.5, 0.25), (0.4, 0.4), (0.4, 0.4)))
    corners = polygon(ax, MODELS[1])
    unit = 1 / 1.25  # the rim is at 1.25 here
    expected = [(0, unit), (unit / 2, 0), (0, -unit), (-unit, 0), (0, unit)]
    np.testing.assert_allclose(corners, expected, atol=1e-12)
    np.testing.assert_allclose(np.hypot(*polygon(ax, MODELS[0]).T), unit)


def test_a_ratio_beyond_the_rim_is_clipped_marked_and_written() -> None:
    ax = radar(evaluation_of((0.1, 0.57), (0.5, 0.5), (0.4, 0.4)))
    assert np.hypot(*polygon(ax, MODELS[1])[0]) == pytest.approx(1.0)
    assert "5.7×" in texts(ax)


def test_an_undefined_ratio_is_a_gap_and_said() -> None:
    ax = radar(evaluation_of((0.8, 0.8), (-0.5, 0.25), (0.4, 0.4), (0.4, 0.4)))
    assert [bool(math.isnan(x)) for x, _ in polygon(ax, MODELS[1])] == [False, True, False, False, False]
    assert "fgsm_accuracy\n(ratio undefined)" in texts(ax)
    assert "accuracy" in texts(ax)


def test_two_models_have_one_band_and_three_have_none() -> None:
    two = radar(evaluation_of((0.8, 0.7), (0.5, 0.4), (0.4, 0.4)))
    assert sum(isinstance(patch, PathPatch) for patch in two.patches) == 1
    assert any("ratio to dense" in text for text in texts(two))
    three = radar(evaluation_of((0.8, 0.7, 0.6), (0.5, 0.4, 0.6), (0.4, 0.3, 0.6)))
    assert any("rim = best" in text for text in texts(three))
    assert np.hypot(*polygon(three, MODELS[0])[0]) == pytest.approx(1.0)  # the best accuracy
    assert np.hypot(*polygon(three, MODELS[2])[0]) == pytest.approx(0.16)  # the worst, on the inner circle


def test_axes_are_grouped_by_dimension() -> None:
    evaluation = make_evaluation()
    shuffled = evaluation.radar.model_copy(
        update={
            "axes": evaluation.radar.axes[::-1],
            "values": {name: row[::-1] for name, row in evaluation.radar.values.items()},
            "bands": {name: row[::-1] for name, row in evaluation.radar.bands.items()},
        }
    )
    labels = texts(radar(evaluation.model_copy(update={"radar": shuffled})))
    assert labels.index("OoD AUROC") < labels.index("NLL") < labels.index("Fidelity")


@pytest.mark.parametrize("values", [[(0.8, 0.7)], [(0.8, 0.7), (-0.5, 0.4)], [(0.8, 0.7, 0.6)]])
def test_one_or_two_axes_become_bars(values: list[tuple[float, ...]]) -> None:
    ax = radar(evaluation_of(*values))
    models = len(values[0])
    assert len(ax.containers) == models
    assert len(ax.get_yticks()) == len(values)
    if len(values) == 2:
        assert any("undefined" in text for text in texts(ax))


def test_without_axes_there_is_no_radar() -> None:
    metrics = (make_metric("composition", (None, None)),)
    evaluation = make_evaluation().model_copy(
        update={"metrics": metrics, "radar": normalise(metrics, Pairs.of_one_dense(MODELS[:2]))}
    )
    with pytest.raises(InputError, match="at least one verdict metric"):
        radar(evaluation)


def test_draws_on_the_axes_handed_over() -> None:
    ax = Figure().add_subplot()
    assert radar(make_evaluation(), ax) is ax


def test_saved_files_are_a_picture_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    evaluation = make_evaluation(MODELS)
    first = {name: path.read_bytes() for name, path in save_radar(evaluation, tmp_path).items()}
    assert list(first) == ["radar.svg", "radar.png"]
    second = {name: path.read_bytes() for name, path in save_radar(evaluation, tmp_path).items()}
    assert first == second
    assert ElementTree.fromstring(first["radar.svg"]).tag == "{http://www.w3.org/2000/svg}svg"
    with Image.open(tmp_path / "radar.png") as image:
        assert min(image.size) > 800
        colours = image.convert("RGB").getcolors(image.width * image.height)
        assert colours is not None and len(colours) > 50  # not an empty page


def test_strange_names_are_drawn_as_they_are(tmp_path: Path) -> None:
    models = ("$dense$ <script>", '模型\x00 & "x" ' + "long" * 40)
    save_radar(make_evaluation(models), tmp_path)
    ElementTree.fromstring((tmp_path / "radar.svg").read_bytes())


def test_no_global_state_and_no_torch() -> None:
    program = (
        "import sys, matplotlib\n"
        "settings = lambda: {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != 'backend'}\n"
        "before = settings()\n"
        "import sparsescope.plots\n"
        "from matplotlib.figure import Figure\n"
        "sparsescope.plots.svg(Figure())\n"
        "assert settings() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
