"""Whether the parts of an evaluation belong together: names, and what is said of whom."""

from collections.abc import Mapping, Sequence

from sparsescope.results.methods import Method
from sparsescope.results.metric import MetricResult
from sparsescope.results.pairs import Pair, Pairs
from sparsescope.results.records import ModelInfo, Radar, Verdict

__all__ = ["check_agreement"]


def check_agreement(
    models: Sequence[ModelInfo],
    pairs: Sequence[Pair],
    metrics: Sequence[MetricResult],
    verdicts: Mapping[str, Verdict],
    methods: Mapping[str, Method],
    radar: Radar,
) -> tuple[Pair, ...]:
    """Return the pairs: those given, or in files of version 0.1, which have none, every candidate with the dense model.

    Raises:
        ValueError: a part names a model or metric that is not there, or twice; the text says what was expected.
    """
    names = [model.name for model in models]
    dense = [model.name for model in models if model.role == "dense"]
    candidates = names[len(dense) :]
    if names[: len(dense)] != dense or not dense:
        raise ValueError("expected the dense models first, at least one, then the candidates")
    if len(set(names)) < len(names):
        raise ValueError(f"expected different names, but got {names}")
    found = tuple(pairs) or Pairs.of_one_dense(names).pairs
    compared = {pair.dense for pair in found}
    if [pair.candidate for pair in found] != candidates or (candidates and compared != set(dense)):
        raise ValueError(f"expected every candidate paired with {' or '.join(dense)}, in the order of the models")
    known = [metric.name for metric in metrics]
    if len(set(known)) < len(known):
        raise ValueError(f"expected different metrics, but got {known}")
    for metric in metrics:
        for field, wanted in {"values": names, "differences": candidates}.items():
            if set(getattr(metric, field)) != set(wanted):
                raise ValueError(f"expected {field} of {metric.name} for {wanted}")
        _among(metric.details, names, f"details of {metric.name}")
    if set(verdicts) != set(candidates):
        raise ValueError(f"expected verdicts for {candidates}")
    for name, verdict in verdicts.items():
        _among(verdict.metrics, known, f"the verdict of {name}")
        _among(verdict.paper.metrics, known, f"the paper's verdict of {name}")
    for name, method in methods.items():
        if name in names:
            raise ValueError(f"expected the method {name} to have another name than the models")
        _among(method.candidates, candidates, f"the method {name}")
        _among({**method.metrics, **method.verdict.metrics}, known, f"the method {name}")
    _among(radar.axes, known, "the radar")
    if set(radar.values) != set(names) or (radar.bands and set(radar.bands) != set(names)):
        raise ValueError(f"expected values, and bands if any, of the radar for {names}")
    return found


def _among(found: Mapping[str, object] | Sequence[str], wanted: Sequence[str], where: str) -> None:
    strange = [name for name in found if name not in wanted]
    if strange:
        raise ValueError(f"expected {where} to name some of {list(wanted)}, but got {strange}")
