"""Evaluate networks from Python: train one on the embedded digits, prune it without fine-tuning, ask what was lost.

python examples/evaluate_modules.py
"""

import copy

import torch

import sparsescope as ss
from sparsescope.architectures import resolve
from sparsescope.training import Recipe, train


def main() -> None:
    benchmark = ss.open_benchmark("digits")  # any Benchmark of yours: test images, labels, out-of-distribution sets
    architecture = resolve("digits_cnn")
    torch.manual_seed(0)
    network = architecture.build(num_classes=10, in_channels=1)
    dense = ss.Classifier(network, architecture.preprocessing.mean, architecture.preprocessing.std, name="dense")
    train(dense, benchmark.train, Recipe(epochs=6))

    pruned = copy.deepcopy(network)
    mask = ss.prune("omp", pruned, sparsity=0.9)
    mask.apply(pruned)
    sparse = ss.Classifier(pruned, dense.mean, dense.std, mask=mask, name="pruned, not tuned")

    evaluation = ss.evaluate(dense, sparse, benchmark, metrics=["accuracy", "ece", "nll", "ood_auroc"], cache=False)
    for metric in evaluation.metrics:
        difference = metric.difference(sparse.name)
        low, high = difference.interval
        print(f"{metric.label:12} {difference.value:+.4f}  [{low:+.4f}, {high:+.4f}]")
    print(evaluation.verdict(sparse.name).statement)

    assert evaluation.verdict(sparse.name).outcome == "fail"
    assert abs(evaluation.models[1].sparsity.prunable - 0.9) < 1e-3


if __name__ == "__main__":
    main()
