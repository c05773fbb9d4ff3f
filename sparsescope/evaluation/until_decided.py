"""Measure in growing nested blocks, look after each of them, and stop what is decided.

A block of a metric holds its share of all units that it rests on: of test images, of every out-of-distribution set, of
micro-batches. As units are in a fair random order, every beginning of that order is a sample of all, and the numbers
made of it are those of a smaller evaluation; only the intervals reach further, as one looks at them several times
(`sparsescope.sequential`).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sparsescope.benchmark import Benchmark
from sparsescope.evaluation.assemble import Assembled, metric_results
from sparsescope.evaluation.judged import Judged
from sparsescope.evaluation.measure import Measuring, Results, Step
from sparsescope.evaluation.plan import Plan, Task
from sparsescope.evaluation.questions import Question, grouped, with_look
from sparsescope.evaluation.settings import Settings
from sparsescope.measurements.predictions import Predictions
from sparsescope.metrics.base import Metric
from sparsescope.results import MetricResult, Pairs
from sparsescope.results.records import Until
from sparsescope.sequential import looks
from sparsescope.verdict import judge

__all__ = ["Doubted", "Stopped", "UntilDecided"]

ENOUGH_TO_CHECK = 200
"""Test images that every model predicts at least, if there are so many: what checks of labels and answers need."""
ENDED = "not measured: the verdict is a FAIL without it"

Doubted = Callable[[Results], Mapping[str, Collection[str]]]
"""By candidate, the metrics that are not judged, as the results up to now show it."""


@dataclass(frozen=True)
class Stopped:
    """What was decided, and the forward passes of one image that it takes, about; of how many that were planned."""

    judged: Assembled
    mode: Until
    looks: int
    used: float
    planned: float

    def cost(self) -> dict[str, Any]:
        """Return what `results.Cost` says of it."""
        used, planned = round(self.used), round(self.planned)
        return {"until_decided": self.mode, "looks": self.looks, "used_passes": used, "planned_passes": planned}


@dataclass
class UntilDecided:
    """An evaluation that stops where it is decided.

    Args:
        settings: what is measured and how it is judged; its `until_decided` says what is to be decided.
        plan: what to measure at most.
        measuring: the plan as it is carried out.
        pairs: who is compared with whom.
        benchmark: the data.
        identical: candidates that are the dense model, bit for bit: they pass in what can be measured.
        doubted: metrics of a candidate whose values cannot be believed: they decide nothing.
    """

    settings: Settings
    plan: Plan
    measuring: Measuring
    pairs: Pairs
    benchmark: Benchmark
    identical: Collection[str]
    doubted: Doubted
    _done: dict[tuple[Task, str], int] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)

    def run(self) -> Stopped:
        """Measure and judge."""
        doubts, rounds = self.doubted(self.measuring.results), 0
        taken = looks(self.settings.confidence)
        questions = [
            Question.of(
                metric,
                pair,
                self.plan,
                self.benchmark,
                taken,
                counts=metric.name in self.settings.in_verdict and metric.name not in doubts[pair.candidate],
            )
            for metric in self.settings.metrics
            for pair in self.pairs
        ]
        while due := self._due(questions):
            rounds += 1
            self._look(due)
        self._report([each for each in questions if each.open], questions)
        self.measuring.join(self.plan.tasks)
        return Stopped(
            self._assembled(questions),
            self.settings.until_decided or "metrics",
            rounds,
            sum(task.cost * done for (task, _), done in self._done.items()),
            sum(task.cost * len(task.ids) * len(task.models) for task in self.plan.tasks),
        )

    def _due(self, questions: Sequence[Question]) -> list[Question]:
        """Return the questions to look at next: those that need all units at once come last."""
        asked = [each for each in questions if each.open and each.counts and each.pair.candidate not in self._ended]
        due = [each for each in asked if len(each.looks) > 1] or asked
        if self.settings.until_decided == "verdict" and due:
            first = min(due, key=lambda each: each.price(self._done, self.plan))
            due = [each for each in due if each.metric is first.metric and each.number == first.number]
        return due

    def _look(self, due: Sequence[Question], to: Mapping[Question, int] | None = None) -> None:
        """Measure what the next look at some questions needs, or that of the number given, and look."""
        for each in due:
            each.number = each.number + 1 if to is None else to[each]
        self._reach([need for each in due for need in each.needs(each.number, self.plan)])
        for group in grouped(due):
            self._judge(group)
        for each in due:
            if self.settings.until_decided == "verdict" and each.counts and self._fails(each):
                self._ended.add(each.pair.candidate)

    def _reach(self, needs: Iterable[tuple[Task, str, int]]) -> None:
        """Measure as many units of tasks and models as are needed, of the cheap tasks first."""
        wanted = dict(self._shown_to_checks())
        for task, model, end in needs:
            wanted[task, model] = max(end, wanted.get((task, model), 0))
        for stage in self.plan.stages:
            steps = []
            for task in sorted(stage, key=lambda task: task.cost * len(task.ids)):
                blocks: dict[tuple[int, int], list[str]] = {}
                for model in task.models:
                    block = self._done.get((task, model), 0), wanted.get((task, model), 0)
                    if block[0] < block[1] and task.measurement not in self.measuring.results.reasons[model]:
                        blocks.setdefault(block, []).append(model)
                        self._done[task, model] = block[1]
                for block, models in blocks.items():
                    steps += [Step(task, shard, tuple(models)) for shard in task.pieces_between(*block)]
            if steps:
                self.measuring.take(steps)

    def _shown_to_checks(self) -> Iterable[tuple[tuple[Task, str], int]]:
        for task in self.plan.tasks:
            if task.measurement == Predictions("test"):
                end = next(end for end in task.ends if end >= min(len(task.ids), ENOUGH_TO_CHECK))
                yield from (((task, model), end) for model in task.models)

    def _judge(self, group: Sequence[Question]) -> None:
        """Look at some metrics of some pairs, by the same share of units."""
        look, pairs = group[0].look, tuple(dict.fromkeys(each.pair for each in group))
        level = self.settings.confidence if len(group[0].looks) == 1 else look.level
        models = tuple(name for name in self.pairs.models if any(name in (p.dense, p.candidate) for p in pairs))
        metrics = tuple(dict.fromkeys(each.metric for each in group))
        ends = {task: end for each in group for task, end in each.ends(each.number).items()}
        found = metric_results(
            replace(self.settings, metrics=metrics, confidence=level),
            self.plan,
            self.measuring.beginning(ends),
            Pairs(models, pairs),
            self.benchmark,
            self.settings.seed,
            self.identical,
        )
        results = dict(zip(metrics, found.metrics, strict=True))
        for each in group:
            each.result, each.warnings = with_look(results[each.metric], each), found.noted[each.metric.name]
            each.open = each.number < len(each.looks) and not self._is_decided(each)

    def _is_decided(self, question: Question) -> bool:
        """Return whether more units cannot change the answer."""
        assert question.result is not None
        outcome = judge(question.result, question.pair, self.settings.confidence).outcome
        if outcome == "not evaluated":  # for good where a model could not be measured; else more units may do
            reasons = self.measuring.results.reasons
            return any(task.measurement in reasons[model] for task in question.tasks for model in question.models)
        return outcome != "inconclusive" or question.pair.candidate in self.identical

    def _fails(self, question: Question) -> bool:
        """Return whether a FAIL of this metric is one of the verdict."""
        assert question.result is not None
        name, candidate = question.metric.name, question.pair.candidate
        if (
            candidate in self.identical
            or judge(question.result, question.pair, self.settings.confidence).outcome != "fail"
        ):
            return False
        return name not in self.doubted(self.measuring.beginning(self._predicted()))[candidate]

    def _predicted(self) -> dict[Task, int]:
        """Return how many test images all models have predicted."""
        found = {}
        for task in self.plan.tasks:
            if task.measurement == Predictions("test"):
                found[task] = min(self._done.get((task, model), 0) for model in task.models)
        return found

    def _report(self, left: Sequence[Question], questions: Sequence[Question]) -> None:
        """Look at what decides nothing: as far as it is measured anyway, else, if nothing has ended, as the others."""
        furthest = max((each.number for each in questions if each.counts and len(each.looks) > 1), default=0)
        numbers = {}
        for each in left:
            number = each.taken(self._done)
            if not number and each.pair.candidate not in self._ended:
                number = min(each.shared(self._done) or furthest or len(each.looks), len(each.looks))
            if number > each.number:
                numbers[each] = number
        self._look(list(numbers), numbers)

    def _assembled(self, questions: Sequence[Question]) -> Assembled:
        metrics, noted = [], {}
        for metric in self.settings.metrics:
            asked = sorted((each for each in questions if each.metric is metric), key=lambda each: each.number)
            metrics.append(self._merged(metric, asked))
            noted[metric.name] = {
                model: each.warnings.get(model, ())
                for each in asked
                if each.warnings is not None
                for model in each.models
            }
        return Assembled((), tuple(metrics), noted)

    def _merged(self, metric: Metric, asked: Sequence[Question]) -> MetricResult:
        """Return one result of all pairs; the dense model's numbers are those of the last look at any of them."""
        nothing = Judged(metric, {}, dict.fromkeys(self.pairs.models, ENDED))
        merged = nothing.result(self.settings, self.pairs, self.identical)
        values, differences, details = dict(merged.values), dict(merged.differences), dict(merged.details)
        for each in asked:
            if each.result is not None:
                merged, candidate = each.result, each.pair.candidate
                values |= {model: merged.values[model] for model in each.models}
                details |= {model: merged.details[model] for model in each.models if model in merged.details}
                differences[candidate] = merged.differences[candidate]
        return merged.model_copy(update={"values": values, "differences": differences, "details": details})
