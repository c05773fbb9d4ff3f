import pytest
from fake_evaluation import MODELS, make_evaluation

from sparsescope.errors import InputError
from sparsescope.plots import png, sparsity
from sparsescope.plots.style import top_figure
from sparsescope.results import LayerInfo


def test_bars_are_the_layers_in_order() -> None:
    evaluation = make_evaluation()
    layers = evaluation.models[1].sparsity.layers
    ax = sparsity(evaluation, MODELS[1])
    assert [bar.get_width() for bar in ax.containers[1]] == [layer.sparsity for layer in layers]
    assert ax.get_yticklabels()[0].get_text() == "conv1"
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first layer is at the top
    assert "48.8 %" in ax.get_title(loc="left")


@pytest.mark.parametrize("layers", [1, 200])
def test_few_and_many_layers(layers: int) -> None:
    evaluation = make_evaluation()
    model = evaluation.models[1]
    many = tuple(LayerInfo(name=f"layer{i}", shape=(4, 4), sparsity=0.5) for i in range(layers))
    model = model.model_copy(update={"sparsity": model.sparsity.model_copy(update={"layers": many})})
    ax = sparsity(evaluation.model_copy(update={"models": (evaluation.models[0], model)}), MODELS[1])
    assert len(ax.containers[1]) == layers
    assert len(ax.get_yticklabels()) <= 60
    assert png(top_figure(ax)).startswith(b"\x89PNG")


def test_unknown_model() -> None:
    with pytest.raises(InputError, match="but got 'nobody'"):
        sparsity(make_evaluation(), "nobody")
