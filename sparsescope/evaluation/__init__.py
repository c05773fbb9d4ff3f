"""Evaluation: plan, execute, cache, bootstrap, judge. `evaluate` is the one way in."""

from sparsescope.evaluation.run import evaluate

__all__ = ["evaluate"]
