"""Evaluation: plan, execute, cache, bootstrap, judge. `evaluate` is the one way in."""

from sparsescope.evaluation.evaluate import evaluate

__all__ = ["evaluate"]
