"""Networks with nan in their weights, and networks whose outputs are nan for some images alone."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.errors import ArtefactError, InputError
from sparsescope.evaluation import evaluate
from sparsescope.mask import Mask


class Overflowing(nn.Module):
    """Returns nan for images with a bright pixel; the grey image that every model is shown first has none."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        bright = images.amax(dim=(1, 2, 3)) > 2.2  # normalised
        return logits.masked_fill(bright[:, None], torch.nan)


def with_nan(classifier: Classifier, name: str, *places: int) -> Classifier:
    module = copy.deepcopy(classifier.module)
    with torch.no_grad():
        for place in places:
            next(iter(module[place].parameters())).flatten()[0] = torch.nan  # type: ignore[index]
    return Classifier(module, classifier.mean, classifier.std, name=name)


def test_all_models_with_nan_are_named_before_anything_is_measured(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any], tmp_path: Path
) -> None:
    settings["cache"] = tmp_path
    bad, worse = with_nan(sparse, "bad", 7), with_nan(sparse, "worse", 0, 3)
    with pytest.raises(InputError) as caught:
        evaluate(dense, [bad, sparse, worse], benchmark, **settings)
    assert str(caught.value) == (
        "2 of 4 models cannot be used:\n- bad: 7.weight holds nan. Did its training diverge?\n"
        "- worse: 0.weight and 1 more of its tensors hold nan. Did its training diverge?"
    )
    with pytest.raises(ArtefactError, match=r"^bad: 7\.weight holds nan"):
        evaluate(dense, [bad, sparse], benchmark, **settings)
    assert not list(tmp_path.rglob("*"))


def test_all_candidates_that_cannot_be_opened_are_named(
    dense: Classifier, benchmark: Benchmark, settings: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "empty.pt").touch()
    unmasked = Classifier(dense.module, name="unmasked", mask=Mask({"0.weight": torch.zeros(6, 3, 3, 3)}))
    with pytest.raises(
        InputError, match=r"^3 of 4 candidates cannot be used:\n- .*empty\.pt.*\n- .*none\.pt.*\n- The mask"
    ):
        evaluate(dense, [tmp_path / "empty.pt", dense, tmp_path / "none.pt", unmasked], benchmark, **settings)


def test_nan_for_some_images_costs_no_other_model_its_results(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    broken = replace(sparse, module=Overflowing(sparse.module), name="broken", mask=None)
    alone = evaluate(dense, sparse, benchmark, **settings)
    both = evaluate(dense, [broken, sparse], benchmark, **settings)
    for metric in both.metrics:
        assert metric.values["sparse"] == alone[metric.name].values["sparse"]
        value = metric.values["broken"]
        if metric.name != "composition":  # of the activations, not the logits
            assert value.status == "not evaluated" and value.reason is not None
            assert value.reason.startswith("broken returns ")
            assert value.reason.endswith("is kept: mend the model, and run the same command again.")
    assert both.verdict("broken").outcome == "inconclusive"
    assert both.verdict("sparse").metrics == alone.verdict("sparse").metrics


def test_nan_of_the_dense_model_is_every_models_reason(
    dense: Classifier, sparse: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    broken = replace(dense, module=Overflowing(dense.module), name="broken", mask=None)
    told: list[tuple[float, float]] = []
    evaluation = evaluate(broken, sparse, benchmark, progress=lambda *step: told.append(step[:2]), **settings)
    for name in ("accuracy", "fidelity"):
        assert (evaluation[name].values["sparse"].reason or "").startswith("broken returns nan for image ")
    assert told[-1][0] == pytest.approx(told[-1][1])
