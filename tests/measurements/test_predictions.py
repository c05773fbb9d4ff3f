import numpy as np
import pytest
import torch
from torch import nn

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.errors import InputError, NotEvaluated
from sparsescope.measurements.base import run
from sparsescope.measurements.predictions import Predictions, predict


def test_logits_are_the_models_own(small_classifier, small_benchmark):
    arrays = run(Predictions("test"), small_classifier, small_benchmark, batch_size=7)
    small_classifier.module.eval()
    with torch.no_grad():
        expected = small_classifier(small_benchmark.test.read(range(40))).numpy()
    assert arrays["logits"].dtype == np.float32
    np.testing.assert_allclose(arrays["logits"], expected, atol=1e-6)
    np.testing.assert_array_equal(arrays["label"], small_benchmark.test.labels)


@pytest.mark.parametrize("batch_size", [1, 16, 100])
def test_batch_size_changes_no_more_than_rounding(small_classifier, small_benchmark, batch_size):
    reference = run(Predictions("test"), small_classifier, small_benchmark, batch_size=40)
    arrays = run(Predictions("test"), small_classifier, small_benchmark, batch_size=batch_size)
    np.testing.assert_allclose(arrays["logits"], reference["logits"], atol=1e-6)


def test_every_image_is_forwarded_once_without_gradients(small_classifier, small_benchmark):
    run(Predictions("test"), small_classifier, small_benchmark)
    assert (small_classifier.passes.forward, small_classifier.passes.backward) == (40, 0)
    assert all(parameter.requires_grad for parameter in small_classifier.module.parameters())
    assert small_classifier.module.training


def test_images_without_labels_get_minus_one(small_classifier, small_benchmark):
    arrays = run(Predictions("ood:noise"), small_classifier, small_benchmark)
    assert arrays["label"].tolist() == [-1] * 30


def test_a_sample_is_stratified_and_the_same_for_every_model(small_classifier, small_benchmark):
    sample = Predictions("train", images=12)
    ids = sample.unit_ids(small_benchmark, seed=3)
    labels = small_benchmark.train.labels
    counts, all_counts = np.bincount(labels[ids], minlength=4), np.bincount(labels, minlength=4)
    assert len(set(ids.tolist())) == 12
    assert (np.abs(counts - all_counts / 2) <= 1).all()
    assert sample.population == "train/12"
    np.testing.assert_array_equal(ids, Predictions("train", images=12).unit_ids(small_benchmark, seed=3))
    whole = run(Predictions("train"), small_classifier, small_benchmark)
    part = run(sample, small_classifier, small_benchmark, seed=3)
    np.testing.assert_array_equal(part["label"], whole["label"][ids])
    np.testing.assert_allclose(part["logits"], whole["logits"][ids], atol=1e-6)


def test_a_sample_of_more_images_than_there_are_is_all(small_benchmark):
    np.testing.assert_array_equal(Predictions("test", images=99).unit_ids(small_benchmark, 0), np.arange(40))


def test_a_set_that_is_not_there(small_benchmark):
    with pytest.raises(NotEvaluated, match=r"^no train images$"):
        Predictions("train").unit_ids(Benchmark("b", small_benchmark.test), 0)


def test_equal_options_are_one_measurement():
    assert len({Predictions("test"), Predictions("test"), Predictions("test", images=3)}) == 2


def test_nan_names_the_model_and_the_image():
    class Breaks(nn.Module):
        def forward(self, images):
            return torch.log(images[:, :, 0, 0] - 1e-9)

    images = torch.full((5, 3, 2, 2), 0.5)
    images[3] = 0
    with pytest.raises(InputError, match=r"^broken returns nan for image 3 of a batch of 5\. Check its weights"):
        predict(Classifier(Breaks(), name="broken"), images, 2)
