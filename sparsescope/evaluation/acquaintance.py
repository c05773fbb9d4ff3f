"""What is found out about models before they are measured: facts, once for each, and what their passes cost."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

import sparsescope
from sparsescope.classifier import Classifier
from sparsescope.curvature.facts import FACTS, fact_key
from sparsescope.curvature.rates import measure_rates
from sparsescope.errors import NotEvaluated, SparsescopeError
from sparsescope.evaluation.cache import Cache
from sparsescope.evaluation.jobs import Setting
from sparsescope.evaluation.plan import Plan, Shard, Task
from sparsescope.identity import Fingerprint, Identity
from sparsescope.passes import Passes, Rates

__all__ = ["Reckoning", "acquainted"]

_THE_MODEL = Shard(0, np.arange(1), np.zeros(1, dtype=np.int64))
"""The only unit of a fact."""
_PROBED = 16
"""Images in a probe at most."""


@dataclass(frozen=True)
class Reckoning:
    """What is planned and what was done, in forward passes of one image through the dense model.

    Args:
        planned: for every task and model, what a unit takes.
        rates: for every model, what its passes cost.
        passes: for every model, those that facts took.
    """

    planned: Mapping[tuple[Task, str], float]
    rates: Mapping[str, Rates]
    passes: Mapping[str, Passes]

    def cost(self, passes: Mapping[str, Passes]) -> float:
        """Return what passes of some models cost."""
        return sum(self.rates[model].cost(each) for model, each in passes.items())


@contextlib.contextmanager
def acquainted(
    plan: Plan, setting: Setting, models: Mapping[str, Sequence[Task]], cache: Cache, identities: Mapping[str, Identity]
) -> Iterator[Reckoning]:
    """Find out what the tasks that are still to be done ask of each model; it is known inside of the block.

    Facts are kept in the cache, keyed by weights and version as all parts are, and sent to workers with the models.
    Times are not: they decide how far the progress bar is and what is said of the cost, and nothing else.

    Args:
        plan: what is measured.
        setting: models, data, batch size and device.
        models: for every model with something left to do, these tasks.
        cache: where facts are kept.
        identities: of the models.
    """
    classifiers = {classifier.name: classifier for classifier in setting.classifiers}
    before = {name: classifier.facts for name, classifier in classifiers.items()}
    passes: dict[str, Passes] = {}
    try:
        for name, tasks in models.items():
            wanted = dict.fromkeys(fact for task in tasks for fact in task.measurement.facts)
            passes[name] = _learn(classifiers[name], wanted, setting, cache, identities[name])
        yield _reckoned(plan, setting, models, passes)
    finally:
        for name, facts in before.items():
            classifiers[name].facts = facts


def _learn(classifier: Classifier, wanted: Iterable[str], setting: Setting, cache: Cache, identity: Identity) -> Passes:
    """Let a classifier know its facts; return the passes that finding them out took."""
    classifier.facts, shape = {}, setting.benchmark.test.shape
    unknown: dict[str, str] = {}
    for name in wanted:
        found = Fingerprint()
        found.add(sparsescope.__version__, fact_key(name, shape), identity.digest)
        stored = None if identity.unread else cache.load(found.identity.digest, _THE_MODEL)
        if stored is None:
            unknown[name] = found.identity.digest
        else:
            classifier.facts[fact_key(name, shape)] = bool(stored["true"][0])
    if not unknown:
        return Passes()
    before = replace(classifier.passes)
    with classifier.prepared(setting.device):
        for name, digest in unknown.items():
            with contextlib.suppress(Exception):  # the job that asks for it says why
                true = FACTS[name](classifier, shape)
                if not identity.unread:
                    cache.store(digest, _THE_MODEL, {"true": np.array([true])})
    return classifier.passes - before


def _reckoned(
    plan: Plan, setting: Setting, models: Mapping[str, Sequence[Task]], passes: Mapping[str, Passes]
) -> Reckoning:
    """Return the reckoning; networks of one structure are timed once, and none where all passes are of one kind."""
    classifiers = {classifier.name: classifier for classifier in setting.classifiers}
    units = {
        (task, name): _unit(task, classifiers[name], setting)
        if task in models.get(name, ())
        else Passes(forward=task.cost)
        for task in plan.tasks
        for name in task.models
    }
    whole = Passes.total(units.values())
    kinds = {item.name for item in fields(Rates) if getattr(whole, item.name)}
    structures = {name: _structure(classifier) for name, classifier in classifiers.items()}
    timed: dict[str, tuple[Rates, float]] = {}
    if models and (kinds > {"untracked"} or len(set(structures.values())) > 1):
        images = min(setting.batch_size, _PROBED)
        for classifier in setting.classifiers:
            structure = structures[classifier.name]
            if structure not in timed:
                network = setting.networks.get(classifier.name)
                with (
                    classifier.prepared(setting.device),
                    classifier.answering(network),
                    contextlib.suppress(SparsescopeError),
                ):
                    timed[structure] = measure_rates(classifier, setting.benchmark.test.shape, images, kinds)
    first = timed.get(structures[setting.classifiers[0].name], (Rates(), 1.0))
    rates = {}
    for name, structure in structures.items():
        own, seconds = timed.get(structure, first)
        rates[name] = own * (seconds / first[1])
    planned = {(task, name): rates[name].cost(unit) for (task, name), unit in units.items()}
    return Reckoning(planned, rates, passes)


def _unit(task: Task, classifier: Classifier, setting: Setting) -> Passes:
    shape = setting.benchmark.test.shape
    if any(fact_key(name, shape) not in (classifier.facts or {}) for name in task.measurement.facts):
        return Passes()  # it failed, and will fail again
    try:
        return task.measurement.planned_passes(setting.benchmark, classifier, setting.batch_size)
    except NotEvaluated:  # likewise
        return Passes()
    except Exception:  # of somebody else's measurement
        return Passes(forward=task.cost)


def _structure(classifier: Classifier) -> str:
    shapes = [(name, tuple(tensor.shape)) for name, tensor in classifier.module.state_dict().items()]
    return f"{type(classifier.module).__qualname__} {classifier.module!r} {shapes}"
