"""Evaluation: open a task, settle what is measured, run it. `evaluate` does all three.

classes    `match_classes`: labels and outputs by name
task       Task, `open_task`: models and data, opened alike for every command
models     `open_models`: files, modules and classifiers
settings   Settings, `resolve`: what is measured and how it is judged
execution  Execution: device, batch size, workers, cache, progress
run, run_pairs    `evaluate`, `evaluate_task`; `evaluate_pairs`
checks     what is tried on every model before anything is measured
plan, carrying_out, measure, executor, cache, parts    which measurements, carried out in shards
until_decided, questions          in growing blocks, until it is decided
assemble, bootstrap               from measured arrays to results
trainings, methods, verdicts      from the results of pairs to verdicts on them and on their method
"""

from sparsescope.evaluation.execution import Execution
from sparsescope.evaluation.models import ModelOptions, open_models
from sparsescope.evaluation.paired_task import open_paired_task
from sparsescope.evaluation.run import evaluate, evaluate_task
from sparsescope.evaluation.run_pairs import evaluate_pairs
from sparsescope.evaluation.settings import Settings, resolve
from sparsescope.evaluation.task import DataOptions, Task, open_task

__all__ = [
    "DataOptions",
    "Execution",
    "ModelOptions",
    "Settings",
    "Task",
    "evaluate",
    "evaluate_pairs",
    "evaluate_task",
    "open_models",
    "open_paired_task",
    "open_task",
    "resolve",
]
