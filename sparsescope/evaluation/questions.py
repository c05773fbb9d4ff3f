"""Questions of an evaluation that stops where it is decided: does this candidate match dense in this metric?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from sparsescope.benchmark import Benchmark
from sparsescope.evaluation.plan import Plan, Task
from sparsescope.measurements.base import Measurement
from sparsescope.metrics.base import Metric
from sparsescope.results import LookTaken, MetricResult, Pair
from sparsescope.sequential import Look
from sparsescope.verdict import judged_interval

__all__ = ["Done", "Question", "cost_of", "grouped", "with_look"]

Done = Mapping[tuple[Task, str], int]
"""How many units of a task have been measured of a model, in the order of the plan."""


@dataclass(eq=False)
class Question:
    """Whether one candidate matches dense in one metric, and how far the answer has come.

    Args:
        metric: what is asked about.
        pair: who is compared.
        tasks: what the metric reads, of either model.
        whole: those of them that must be whole before the first look.
        counts: whether the answer counts in the verdict.
        looks: the looks at it; a single one where all units are needed at once.
        number: of looks that were taken.
        open: whether it is undecided.
        result: what the last look showed.
        warnings: what it warned of, by model.
    """

    metric: Metric
    pair: Pair
    tasks: tuple[Task, ...]
    whole: frozenset[Task]
    counts: bool
    looks: tuple[Look, ...]
    number: int = 0
    open: bool = True
    result: MetricResult | None = None
    warnings: Mapping[str, tuple[str, ...]] | None = None

    @classmethod
    def of(
        cls, metric: Metric, pair: Pair, plan: Plan, benchmark: Benchmark, looks: tuple[Look, ...], *, counts: bool
    ) -> "Question":
        """Return the question; a metric of which nothing can be measured has no tasks, and one look."""
        wanted = () if metric.name in plan.reasons else metric.measurements(benchmark)
        tasks = tuple(_tasks(wanted, pair, plan))
        whole = metric.by_index(benchmark) if tasks else ()
        indivisible = any(task.measurement.indivisible for task in tasks) or not tasks
        return cls(
            metric,
            pair,
            tasks,
            frozenset(task for task in tasks if task.measurement in whole),
            counts,
            looks[-1:] if indivisible else looks,
        )

    @property
    def models(self) -> tuple[str, str]:
        """The two of the pair."""
        return self.pair.dense, self.pair.candidate

    @property
    def look(self) -> Look:
        """The look taken last."""
        return self.looks[self.number - 1]

    def ends(self, number: int) -> dict[Task, int]:
        """Return how many units of each task a look is at; 0 before the first."""
        at_all = len(self.looks) == 1
        return {
            task: 0 if not number else len(task.ids) if at_all or task in self.whole else task.ends[number - 1]
            for task in self.tasks
        }

    def needs(self, number: int, plan: Plan) -> Iterator[tuple[Task, str, int]]:
        """Yield how many units of which tasks and models a look needs; what tasks read of dense they need whole."""
        for task, end in self.ends(number).items():
            for required in _tasks(task.measurement.requires(), self.pair, plan):
                yield required, self.pair.dense, len(required.ids)
            for model in self.models:
                yield task, model, end

    def taken(self, done: Done) -> int:
        """Return the last look for which nothing must be measured."""
        return min((self._reached(task, done) for task in self.tasks), default=0)

    def shared(self, done: Done) -> int:
        """Return the last look for which all that is measured at all is enough; 0 where nothing is."""
        begun = [task for task in self.tasks if all(done.get((task, model), 0) for model in self.models)]
        return min((self._reached(task, done) for task in begun), default=0)

    def _reached(self, task: Task, done: Done) -> int:
        least = min(done.get((task, model), 0) for model in self.models)
        return max((n for n in range(1, len(self.looks) + 1) if self.ends(n)[task] <= least), default=0)

    def price(self, done: Done, plan: Plan) -> tuple[bool, float]:
        """Return whether it leans to a PASS, and about how many passes it takes until it is decided.

        What leans to a FAIL, or has not been looked at, can end the verdict, and comes before what leans to a PASS. An
        estimate that stays as it is decides at the first look whose interval it is far enough for; the first guess is
        half of the units.
        """
        if self.result is None or self.result.differences[self.pair.candidate].interval is None:
            return False, cost_of(self.needs((len(self.looks) + 1) // 2 + self.number // 2, plan), done)
        low, high = judged_interval(self.result, self.pair)
        centre, half = (low + high) / 2, max((high - low) / 2, 1e-300)
        errors = abs(centre) / half * _reach(self.look)
        number = next(
            (
                look.number
                for look in self.looks[self.number :]
                if errors * (look.share / self.look.share) ** 0.5 >= _reach(look)
            ),
            len(self.looks),
        )
        return centre >= 0, cost_of(self.needs(number, plan), done)


def cost_of(needs: Iterable[tuple[Task, str, int]], done: Done) -> float:
    """Return the forward passes of one image that are missing, about."""
    wanted: dict[tuple[Task, str], int] = {}
    for task, model, end in needs:
        wanted[task, model] = max(end, wanted.get((task, model), 0))
    return sum(key[0].cost * max(end - done.get(key, 0), 0) for key, end in wanted.items())


def grouped(due: Sequence[Question]) -> list[list[Question]]:
    """Return the questions in groups that one looks at together: of the same look, and metrics with the same pairs."""
    of_metric: dict[tuple[str, Look, int], list[Question]] = {}
    for each in due:
        of_metric.setdefault((each.metric.name, each.look, len(each.looks)), []).append(each)
    groups: dict[tuple[object, ...], list[Question]] = {}
    for (_, look, of), asked in of_metric.items():
        groups.setdefault((look, of, *(each.pair.candidate for each in asked)), []).extend(asked)
    return list(groups.values())


def with_look(result: MetricResult, question: Question) -> MetricResult:
    """Return a result whose difference of the candidate says when it was looked at, if more than once could be."""
    look, candidate = question.look, question.pair.candidate
    if len(question.looks) == 1:
        return result
    planned = {task.measurement.population: len(task.ids) for task in question.tasks if task not in question.whole}
    taken = LookTaken(
        number=look.number,
        of=len(question.looks),
        level=look.level,
        spent=look.spent,
        used=result.values[candidate].n or 0,
        planned=sum(planned.values()),
    )
    with_look = result.differences[candidate].model_copy(update={"look": taken})
    return result.model_copy(update={"differences": {**result.differences, candidate: with_look}})


def _tasks(wanted: Iterable[Measurement], pair: Pair, plan: Plan) -> Iterator[Task]:
    for measurement in wanted:
        for task in plan.tasks:
            if task.measurement == measurement and task.dense in (None, pair.dense):
                yield task


def _reach(look: Look) -> float:
    return NormalDist().inv_cdf((1 + min(look.level, 1 - 1e-15)) / 2)
