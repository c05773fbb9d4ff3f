"""What the units of a layer respond to, for several models side by side: dissections, tables and a page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import sparsescope
from sparsescope.architectures import resolve
from sparsescope.benchmark import ProbeSet
from sparsescope.checkpoints import stored_size
from sparsescope.classifier import Classifier
from sparsescope.dissection import Dissection, DissectionSettings, Portrait, dissect, portraits, store_concepts
from sparsescope.dissection.activations import Progress
from sparsescope.errors import InputError, NotEvaluated, OptionError
from sparsescope.evaluation.bootstrap import bootstrap, estimate
from sparsescope.evaluation.checks import check_models, images_to_show
from sparsescope.evaluation.task import images_of, stored_data
from sparsescope.files import csv_table, write_atomically
from sparsescope.measurements.concept_overlap import overlap_arrays
from sparsescope.metrics.composition import Composition, overlap_units
from sparsescope.reporting.dissection import ModelNeurons, dissection_page
from sparsescope.reporting.incomplete import Failures
from sparsescope.reporting.neurons import pick_units
from sparsescope.reporting.pictures import Picture
from sparsescope.results.details import CompositionDetails
from sparsescope.units import Estimate, FloatArray, Units

__all__ = ["dissect_side_by_side", "input_shape", "write_dissections"]

COLUMNS = ("unit", "formula", "iou", "length", "label", "label_iou", "dead", "gap")
PICTURES = 4
"""Images shown of a unit."""
CONFIDENCE, REPLICATES = 0.95, 2000


def input_shape(
    model: str | Path, classifier: Classifier, data: str | None = None, size: int | None = None
) -> tuple[int, int, int]:
    """Return the (C, H, W) that a model file's network takes.

    Height and width are `size`; else those of `data`'s images; else those that the checkpoint states, its data's, or
    the usual ones of its architecture.

    Raises:
        OptionError: none of these is known.
    """
    if size is None and data is not None:
        return images_of(data, classifier).shape
    size = size or stored_size(model)
    if size is None and (stored := stored_data(model)) is not None:
        return images_of(stored, classifier).shape
    if size is None and classifier.origin.architecture is not None:
        usual = resolve(classifier.origin.architecture).preprocessing
        size = usual.size if usual is not None else None
    if size is None:
        raise OptionError(f"Expected --size PX or --data SPEC: {model} does not say which images its network takes.")
    return classifier.channels or len(classifier.mean), size, size


def dissect_side_by_side(
    classifiers: Sequence[Classifier],
    probe: ProbeSet,
    settings: DissectionSettings,
    *,
    seed: int = 0,
    batch_size: int = 32,
    device: str | None = None,
    progress: Progress | None = None,
) -> list[Dissection]:
    """Dissect every model on the same probe set, with the same shuffles behind the null; see `dissection.dissect`.

    Args:
        classifiers: the models, dense first.
        probe: images with labelled concepts.
        settings: layer and sizes; without a layer, each model's last map.
        seed: key of the shuffles.
        batch_size: images per forward pass.
        device: where the networks compute; None: where they are.
        progress: called with (share of the work done, number of models, what is done).

    Raises:
        InputError: a network that cannot take the images, a layer that is not there or gives no map, values that are
            not finite, or labels that cannot be used.
    """
    check_models(classifiers, images_to_show(probe), device, reads=["activations"])
    if progress is not None:
        progress(0, len(classifiers), "Reading labels")
    store = store_concepts(probe)
    found = []
    for number, classifier in enumerate(classifiers):
        tell = _teller(progress, number, classifier.name, len(classifiers))
        try:
            with classifier.prepared(device):
                result = dissect(
                    classifier,
                    probe,
                    settings=settings,
                    seed=seed,
                    batch_size=batch_size,
                    store=store,
                    progress=tell,
                )
        except NotEvaluated as error:
            raise InputError(f"{classifier.name} cannot be dissected: {error}.") from error
        found.append(result)
    return found


def _teller(progress: Progress | None, number: int, name: str, models: int) -> Progress | None:
    """One model's progress as a part of all: images make its first half, units its second."""
    if progress is None:
        return None
    return lambda done, total, what: progress(
        number + 0.5 * (done / total + (what == "units")), models, f"{name}: {int(done)} of {int(total)} {what}"
    )


def write_dissections(
    found: Sequence[Dissection],
    classifiers: Sequence[Classifier],
    probe: ProbeSet,
    directory: Path,
    settings: DissectionSettings,
    *,
    top: int = 12,
    seed: int = 0,
    batch_size: int = 32,
    device: str | None = None,
    failures: dict[str, Exception] | None = None,
) -> dict[str, Path]:
    """Write a table of all units for each model, then a page of the best ones.

    Args:
        found: what `dissect_side_by_side` returned.
        classifiers: the models.
        probe: the probe set.
        directory: folder to write to; it must exist.
        settings: those of the dissections, for the page.
        top: how many of each model's best units the page shows.
        seed: key of the bootstrap over the probe images.
        batch_size: images per forward pass, for the pictures.
        device: where the networks compute, for the pictures; None: where they are.
        failures: where to put what of the page could not be made, by its name: the rest is written, and the page says
            what it lacks. None: the first of them is raised once everything else is written.

    Returns:
        file name -> path: `units.csv` (`units-MODEL.csv` of several models), `dissection.html`.
    """
    names = {result.model: f"units-{result.model}.csv" if len(found) > 1 else "units.csv" for result in found}
    paths = {names[result.model]: directory / names[result.model] for result in found}
    for result in found:
        write_atomically(paths[names[result.model]], _table(result))
    lost, page = Failures(), directory / "dissection.html"
    page.unlink(missing_ok=True)  # of another dissection: these tables are not its own
    with lost.of("The page"):
        models = _neurons(found, classifiers, probe, settings, names, top, seed, batch_size, device, lost)
        facts = _facts(probe, settings)
        text = dissection_page(
            models, facts, top=top, confidence=CONFIDENCE, version=sparsescope.__version__, failures=lost
        )
        write_atomically(page, text.encode())
        paths[page.name] = page
    if failures is None:
        for error in lost.values():
            raise error
    else:
        failures.update(lost)
    return paths


def _neurons(
    found: Sequence[Dissection],
    classifiers: Sequence[Classifier],
    probe: ProbeSet,
    settings: DissectionSettings,
    tables: Mapping[str, str],
    top: int,
    seed: int,
    batch_size: int,
    device: str | None,
    failures: Failures,
) -> list[ModelNeurons]:
    """What the page shows of every model; pictures that cannot be made cost only themselves."""
    metric = Composition(**asdict(settings) | {"layer": None})
    units = {result.model: overlap_units(overlap_arrays(result)) for result in found}
    means, differences = _estimates(metric, units, seed)
    models = []
    for result, classifier in zip(found, classifiers, strict=True):
        details = CompositionDetails.model_validate(metric.details(units[result.model]))
        shown = [unit for group in pick_units(details, top).values() for unit in group]
        pictures: dict[int, list[Picture]] = {}
        with failures.of(f"The pictures of {result.model}"), classifier.prepared(device):
            drawn = portraits(classifier, probe, result, shown, PICTURES, batch_size=batch_size)
            pictures = {unit: [_picture(item) for item in row] for unit, row in drawn.items()}
        mean, difference = means.get(result.model), differences.get(result.model)
        models.append(ModelNeurons(result.model, tables[result.model], details, mean, difference, pictures))
    return models


def _picture(portrait: Portrait) -> Picture:
    return Picture(portrait.image, portrait.pixels, portrait.fires, portrait.holds, portrait.iou)


def _estimates(
    metric: Composition, units: dict[str, Units], seed: int
) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """Mean IoU of every model that has live units, and the differences to the first: formulas fixed, images drawn."""
    alive = {name: rows for name, rows in units.items() if not rows.common["dead"].all()}
    (draws,) = bootstrap([(metric, alive)], REPLICATES, seed)
    values = {name: metric.value(rows) for name, rows in alive.items()}

    def estimated(value: float, replicates: FloatArray, name: str, *, bounded: bool) -> Estimate:
        bounds = metric.bounds if bounded else (None, None)
        return estimate(value, replicates, alive[name], confidence=CONFIDENCE, kind=metric.interval, bounds=bounds)

    first = next(iter(units))
    return (
        {name: estimated(values[name], draws[name], name, bounded=True) for name in alive},
        {
            name: estimated(values[name] - values[first], draws[name] - draws[first], name, bounded=False)
            for name in alive
            if first in alive and name != first
        },
    )


def _facts(probe: ProbeSet, settings: DissectionSettings) -> dict[str, str]:
    """What the page says of the probe set and the options."""
    shape, labels = (" × ".join(map(str, sizes)) for sizes in (probe.shape, probe.label_shape))
    options = {name: value for name, value in asdict(settings).items() if name != "layer"}
    return {
        "Probe set": f"{probe.source}: {len(probe):,} images of {shape}, {len(probe.concepts)} concepts",
        "Label maps": labels,
        "Options": ", ".join(f"{name} = {value}" for name, value in options.items()),
    }


def _table(found: Dissection) -> bytes:
    rows = ({**row, "dead": str(row["dead"]).lower()} for row in found.rows())
    return csv_table(COLUMNS, ([row[name] for name in COLUMNS] for row in rows))
