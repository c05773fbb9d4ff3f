"""Everything the templates show of an evaluation, as texts: the HTML and the Markdown say the same."""

from collections.abc import Sequence
from typing import Any

from sparsescope.reporting.attacks import attack_table
from sparsescope.reporting.format import count, duration, percent
from sparsescope.reporting.methods import as_one_pair, method_headline, uncertainty
from sparsescope.reporting.neurons import neuron_section
from sparsescope.reporting.notes import (
    any_fails,
    comparability,
    debiased,
    headline,
    not_evaluated,
    out_of_distribution,
    out_of_distribution_sets,
    scale_free,
    until_decided,
    warnings,
)
from sparsescope.reporting.reading import how_to_read
from sparsescope.reporting.rows import OUTCOME_WORDS, groups, ordered
from sparsescope.reporting.sides import changed_sides
from sparsescope.results import Evaluation, ImageSetInfo, MetricResult, ModelInfo, NormalizationInfo, Outcome

__all__ = ["comparison_view", "evaluation_view", "radar_stem"]


def radar_stem(number: int) -> str:
    """Return the name, without suffix, of the radar files of the report's evaluation `number`, counted from 1."""
    return "radar" if number == 1 else f"radar-{number}"


def evaluation_view(evaluation: Evaluation, number: int) -> dict[str, Any]:
    """Return what the templates show of one evaluation, the report's `number`, counted from 1."""
    return {
        "number": number,
        "prefix": f"e{number}",
        "radar": f"{radar_stem(number)}.svg" if evaluation.radar.axes else "",
        "methods": [_method(evaluation, name, index) for index, name in enumerate(evaluation.methods)],
        "candidates": [
            _candidate(evaluation, model) | {"figure": f"differences-{index}"}
            for index, model in enumerate(evaluation.candidates)
        ],
        "warnings": warnings(evaluation),
        "not_evaluated": not_evaluated(evaluation),
        "debiased": debiased(evaluation),
        "until_decided": until_decided(evaluation),
        "scale_free": scale_free(evaluation),
        "ood": out_of_distribution(evaluation),
        "ood_sets": out_of_distribution_sets(evaluation),
        "attacks": attack_table(evaluation),
        "neurons": neuron_section(evaluation),
        "sets": [_image_set(name, images) for name, images in evaluation.benchmark.sets.items()],
        "measured": [_measured(metric) for metric in ordered(evaluation)],
        "beside": [row for metric in ordered(evaluation) for row in _beside(evaluation, metric)],
        "facts": _facts(evaluation),
        "models": [_model(model) for model in evaluation.models],
        "reading": [{"label": metric.label, "text": how_to_read(metric)} for metric in ordered(evaluation)],
        "confidence": percent(evaluation.confidence).replace(".0 %", " %"),
        "minmax": evaluation.radar.normalisation == "minmax",
    }


def comparison_view(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Return the table of all candidates of several evaluations, and why numbers may not be comparable."""
    columns = [
        (number, evaluation, name)
        for number, evaluation in enumerate(evaluations, start=1)
        for name in (*evaluation.methods, *(candidate.name for candidate in evaluation.candidates))
    ]
    labels = {
        metric.name: metric.label for evaluation in evaluations for metric in ordered(evaluation) if metric.in_verdict
    }
    return {
        "notes": comparability(evaluations),
        "columns": [{"number": number, "name": name} for number, _, name in columns],
        "verdicts": [_word(evaluation.verdict(name).outcome) for _, evaluation, name in columns],
        "rows": [
            {
                "label": label,
                "outcomes": [
                    _word(judged.outcome if (judged := evaluation.verdict(name).metrics.get(metric)) else None)
                    for _, evaluation, name in columns
                ],
            }
            for metric, label in labels.items()
        ],
    }


def _word(outcome: Outcome | None) -> dict[str, str]:
    return {"outcome": outcome or "", "word": OUTCOME_WORDS[outcome] if outcome else "–"}


def _candidate(evaluation: Evaluation, model: ModelInfo) -> dict[str, Any]:
    verdict = evaluation.verdict(model.name)
    labels = {metric.name: metric.label for metric in evaluation.metrics}

    def named(outcome: Outcome) -> str:
        return ", ".join(labels[name] for name, judged in verdict.metrics.items() if judged.outcome == outcome)

    failing = ", ".join(labels[name] for name, outcome in verdict.paper.metrics.items() if outcome == "fail")
    lists = {
        "worse than dense beyond the margin": named("fail"),
        "undecided": named("inconclusive"),
        "not evaluated": named("not evaluated"),
        "match": named("pass"),
    }
    return {
        "name": model.name,
        "dense": evaluation.pair(model.name).dense,
        "outcome": verdict.outcome,
        "word": "LTH-PASS" if verdict.outcome == "pass" and not verdict.partial else OUTCOME_WORDS[verdict.outcome],
        "headline": headline(evaluation, model.name),
        "any_fails": any_fails(evaluation, model.name),
        "lists": {title: names for title, names in lists.items() if names},
        "dimensions": {name: _word(outcome) for name, outcome in verdict.dimensions.items()},
        "paper": {**_word(verdict.paper.outcome), "failing": failing},
        "groups": groups(evaluation, model.name),
        "sides": changed_sides(evaluation, model.name),
        "sparsity": percent(model.sparsity.prunable),
        "pairs": (),
        "notes": (),
        "uncertainty": (),
    }


def _method(evaluation: Evaluation, name: str, index: int) -> dict[str, Any]:
    """Return a method as one candidate, of means, and what is said of its trainings beside."""
    one, method = as_one_pair(evaluation, name), evaluation.methods[name]
    return {
        **_candidate(one, one.candidates[0]),
        "figure": f"method-{index}",
        "headline": method_headline(name, method),
        "notes": method.notes,
        "pairs": [f"{candidate} against {evaluation.pair(candidate).dense}" for candidate in method.candidates],
        "uncertainty": uncertainty(evaluation, name),
    }


def _image_set(name: str, images: ImageSetInfo) -> dict[str, str]:
    parts = ", ".join(f"{part}: {count(n)}" for part, n in images.parts.items())
    return {
        "name": name,
        "n": count(images.n),
        "shape": " × ".join(str(size) for size in images.shape),
        "source": f"{images.source} ({parts})" if len(images.parts) > 1 else images.source,
    }


def _measured(metric: MetricResult) -> dict[str, str]:
    n = dict.fromkeys(count(entry.n) for entry in metric.values.values() if entry.n is not None)
    options = ", ".join(
        f"{key} = {_unset(key) if value is None else _option(value)}" for key, value in metric.options.items()
    )
    return {"label": metric.label, "n": " / ".join(n) or "–", "options": options or "none"}


def _beside(evaluation: Evaluation, metric: MetricResult) -> list[dict[str, Any]]:
    """Return the plain numbers in a metric's details: one row for each, one text for each model."""
    models = [model.name for model in evaluation.models]
    rows = {key: None for model in models for key in metric.details.get(model, {})}
    found = []
    for key in rows:
        values = [metric.details.get(model, {}).get(key) for model in models]
        if any(isinstance(value, int | float) for value in values):
            numbers = [f"{value:,.4g}" if isinstance(value, float) else _option(value) for value in values]
            found.append({"label": metric.label, "what": key.replace("_", " "), "values": numbers})
    return found


def _unset(option: str) -> str:
    """What an option of None means: all images, else whatever is usual."""
    return "all" if "image" in option else "default"


def _option(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_option(item) for item in value) + "]"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "–" if value is None else str(value)


def _facts(evaluation: Evaluation) -> dict[str, str]:
    cost, benchmark = evaluation.cost, evaluation.benchmark
    passes = f"{count(cost.forward_passes)} forward, {count(cost.backward_passes)} backward"
    if cost.forward_equivalents is not None:
        passes += f", as long as {count(round(cost.forward_equivalents))} forward passes of dense"
    classes = f", {len(benchmark.classes)} classes" if benchmark.classes else ""
    return {
        "Benchmark": f"{benchmark.name}{classes} (fingerprint {benchmark.fingerprint})",
        "Preset": evaluation.preset,
        "Seed": str(evaluation.seed),
        "Confidence": percent(evaluation.confidence).replace(".0 %", " %"),
        "Cost": f"{duration(cost.seconds)}; images: {passes}; {count(cost.cached)} parts from the cache",
        "Evaluated": evaluation.created,
        "Versions": ", ".join(
            f"{name} {value}" for name, value in {"sparsescope": evaluation.version, **evaluation.environment}.items()
        ),
    }


def _normalization(info: NormalizationInfo | None) -> str:
    if info is None:
        return "unknown"
    mean, std = (", ".join(f"{number:g}" for number in numbers) for numbers in (info.mean, info.std))
    return f"mean ({mean}), std ({std}){f', from {info.source}' if info.source else ''}"


_PREPACKED = "on the prepacked network (BatchNorm folded into convolutions), whose logits agree to 1e-5 of their spread"


def _model(model: ModelInfo) -> dict[str, Any]:
    return {
        "name": model.name,
        "role": model.role,
        "facts": {
            "Path": model.path or "handed over in Python",
            "SHA-256": model.sha256 or "–",
            "Architecture": f"{model.architecture or 'unknown'}{' (a guess)' if model.architecture_guessed else ''}",
            "Normalization": _normalization(model.normalization),
            "Parameters": count(model.parameters),
            "Non-zero": f"{count(model.nonzero)} ({percent(model.nonzero / max(model.parameters, 1))})",
            "Sparsity": f"{percent(model.sparsity.prunable)} of prunable weights, "
            f"{percent(model.sparsity.total)} of all parameters",
            **({"Size": f"{count(model.bytes)} bytes"} if model.bytes is not None else {}),
            **({"MACs": f"{count(model.macs)} for an image"} if model.macs is not None else {}),
            **({"Forward-only work": _PREPACKED} if model.forward_only == "prepacked" else {}),
        },
    }
