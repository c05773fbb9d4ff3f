"""Folders of Hugging Face: `config.json`, weights, and the image processor's configuration, read by transformers."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import override

from sparsescope.checkpoints.kinds.base import Kind, Opened, Request
from sparsescope.checkpoints.kinds.folder import config_of, quiet, warnings_of, weights_of
from sparsescope.checkpoints.kinds.processors import Prepared, prepared_by
from sparsescope.checkpoints.layout import Artefact, readings
from sparsescope.errors import ArtefactError

__all__ = ["HuggingFace"]

_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
_PLACEHOLDER = re.compile(r"LABEL_\d+")
_SHOWN = 4


class HuggingFace(Kind):
    """An image classifier of transformers, with how its images are prepared and what its classes are called."""

    name: ClassVar[str] = "Hugging Face folder"
    how: ClassVar[str] = "`network.save_pretrained('DIR')` and `processor.save_pretrained('DIR')`; also `hf:DIR`"
    packages: ClassVar[tuple[str, ...]] = ("transformers",)
    extra: ClassVar[str] = "transformers"
    prefix: ClassVar[str] = "hf:"
    prunable: ClassVar[bool] = True

    @override
    def recognizes(self, path: Path) -> bool:
        config = config_of(path) if path.is_dir() else {}
        return config is None or not config.keys().isdisjoint(("model_type", "auto_map"))

    @override
    def read(self, request: Request) -> Opened:
        folder = request.path
        config = config_of(folder)
        if not config:
            came = "is damaged" if config is None else "is not there"
            raise ArtefactError(f"{folder}: config.json, as save_pretrained writes it, {came}. Copy the whole folder.")
        if "auto_map" in config:
            raise ArtefactError(
                f"{folder} names code of its own (auto_map in config.json), which is not run. Give the network as "
                "TorchScript, as a program of torch.export or as ONNX."
            )
        artefact = weights_of(folder)
        with _silent():
            network = _network(folder, artefact)
            prepared = _prepared(folder, network)
        if prepared.order is not None:
            network.register_forward_pre_hook(Reordered(prepared.order))
        return Opened(
            network,
            f"transformers' {type(network).__name__}",
            artefact.sha256,
            prepared.preprocessing,
            "its image processor",
            _classes(network),
            bytes=artefact.bytes,
            warnings=(*warnings_of(artefact), *prepared.warnings),
        )


class Reordered:
    """A hook that brings channels to the order that a network takes: for each of its own, that of the image."""

    def __init__(self, order: tuple[int, ...]) -> None:
        self.order = order

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the inputs with the images' channels in order."""
        return inputs[0][:, list(self.order)], *inputs[1:]


def _network(folder: Path, artefact: Artefact) -> Any:
    """Return the classifier with its weights, of the first reading of them that leaves none of it untrained."""
    from transformers import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING, AutoConfig

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if type(config) not in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING:
        raise ArtefactError(f"{folder} is a {config.model_type}, of which transformers has no image classifier.")
    known = MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING[type(config)]
    choices = known if isinstance(known, tuple) else (known,)
    kind = next((choice for choice in choices if choice.__name__ in (config.architectures or ())), choices[0])
    problems = []
    for reading in readings(artefact):
        network, found = kind.from_pretrained(
            None,
            config=config,
            state_dict=dict(reading.tensors),
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            dtype=torch.float32,
            attn_implementation="eager",
        )
        parts = {
            "missing": sorted(found["missing_keys"]),
            "of another shape": sorted(str(entry[0]) for entry in found["mismatched_keys"]),
            "unknown to it": sorted(found["unexpected_keys"]),
        }
        if not any(parts.values()):
            return network.eval()
        problems.append(parts)
    parts = min(problems, key=lambda each: sum(map(len, each.values())))
    said = "; ".join(
        f"{len(names)} {how}: {', '.join(names[:_SHOWN])}{', …' if len(names) > _SHOWN else ''}"
        for how, names in parts.items()
        if names
    )
    raise ArtefactError(f"{artefact.path} does not fit the {kind.__name__} that config.json describes: {said}.")


def _prepared(folder: Path, network: Any) -> Prepared:
    from transformers import AutoImageProcessor

    if not any((folder / name).is_file() for name in _PROCESSORS) and network.config.model_type != "timm_wrapper":
        return Prepared()
    processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return prepared_by(processor, getattr(network.config, "num_channels", None) or 3)


def _classes(network: Any) -> tuple[str, ...]:
    numbered = network.config.id2label or {}
    names = tuple(str(numbered.get(output, "")) for output in range(network.config.num_labels))
    return () if not all(names) or all(map(_PLACEHOLDER.fullmatch, names)) else names


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Hide progress bars too."""
    with quiet():
        from transformers.utils import logging

        shown = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        try:
            yield
        finally:
            if shown:
                logging.enable_progress_bar()
