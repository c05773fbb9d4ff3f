import numpy as np
import torch

from sparsescope.attacks import pgd
from sparsescope.measurements.base import run
from sparsescope.measurements.pgd_attack import PgdAttack
from sparsescope.measurements.predictions import Predictions


def test_is_what_the_attack_leaves_of_the_clean_predictions(small_classifier, small_benchmark):
    options = {"epsilon": 0.02, "steps": 4, "step_size": 0.01, "restarts": 2, "loss": "margin"}
    measurement = PgdAttack(images=30, **options)
    arrays = run(measurement, small_classifier, small_benchmark, seed=3)
    ids = measurement.unit_ids(small_benchmark, 3)
    clean = run(Predictions("test", 30), small_classifier, small_benchmark, seed=3)
    np.testing.assert_array_equal(arrays["clean"], clean["logits"].argmax(1) == clean["label"])
    labels = torch.from_numpy(clean["label"])
    with small_classifier.prepared(), torch.no_grad():
        attacked = pgd(small_classifier, small_benchmark.test.read(ids), labels, seed=3, ids=ids, **options)
        after = (small_classifier(attacked).argmax(1) == labels).numpy()
    np.testing.assert_array_equal(arrays["correct"], after)
    assert len(ids) == 30 and not (after & ~arrays["clean"]).any() and after.sum() < arrays["clean"].sum()


def test_neither_batch_nor_shard_changes_an_image(small_classifier, small_benchmark):
    measurement = PgdAttack(epsilon=0.01)
    whole = run(measurement, small_classifier, small_benchmark, batch_size=40)
    assert 0 < whole["correct"].sum() < whole["clean"].sum()
    for shard in np.split(np.arange(40), [1, 12, 29]):
        with small_classifier.prepared():
            part = measurement.measure(small_classifier, measurement.prepare(small_benchmark, shard, 0), {}, 5)
        for name, array in part.items():
            np.testing.assert_array_equal(array, whole[name][shard])


def test_images_that_fall_cost_no_further_pass(small_classifier, small_benchmark):
    cheap, dear = PgdAttack(epsilon=0.3), PgdAttack(epsilon=0.0)
    run(cheap, small_classifier, small_benchmark)
    spent = small_classifier.passes.forward
    arrays = run(dear, small_classifier, small_benchmark)
    right = int(arrays["clean"].sum())
    assert small_classifier.passes.forward - spent == 40 + 11 * right + 2  # two images of noise
    assert spent < 40 + 6 * right
    np.testing.assert_array_equal(arrays["correct"], arrays["clean"])
