"""Networks of timm with their weights: folders as `save_for_hf` writes them, and names of what lies in local caches."""

import math
from pathlib import Path
from typing import Any, ClassVar

import torch
from typing_extensions import override

from sparsescope.checkpoints.folders import PUBLISHED
from sparsescope.checkpoints.kinds.base import Kind, Opened, Request
from sparsescope.checkpoints.kinds.folder import config_of, filled, quiet, warnings_of, weights_of
from sparsescope.errors import ArtefactError, OptionError
from sparsescope.preprocessing import Preprocessing
from sparsescope.values import is_whole

__all__ = ["Timm"]

_ASKS_FOR_FILES = ("checkpoint_path", "cache_dir", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "file")


class Timm(Kind):
    """A network of timm whose `config.json` says how it is built, and how its images are prepared."""

    name: ClassVar[str] = "timm folder"
    how: ClassVar[str] = "`timm.models.save_for_hf(network, 'DIR')`; also `timm:NAME`, for weights in the local cache"
    packages: ClassVar[tuple[str, ...]] = ("timm",)
    extra: ClassVar[str] = "models"
    prefix: ClassVar[str] = "timm:"
    prunable: ClassVar[bool] = True

    @override
    def recognizes(self, path: Path) -> bool:
        config = (config_of(path) or {}) if path.is_dir() else {}
        return "architecture" in config and config.keys().isdisjoint(("model_type", "auto_map"))

    @override
    def read(self, request: Request) -> Opened:
        if request.path.is_dir():
            return _opened(config_of(request.path) or {}, request.path)
        with quiet():
            return _opened(*_cached(request.place))


def _opened(config: dict[str, Any], weights: Path) -> Opened:
    """Return the network that a configuration describes, with the weights in a folder or a file."""
    import timm
    from timm.data.config import resolve_data_config

    stated = config.get("pretrained_cfg", config)
    architecture, options = _described(config, stated, weights)
    artefact = weights_of(weights)
    with quiet():
        network: Any = timm.create_model(architecture, pretrained=False, **options)
        artefact = filled(network.float(), artefact, f"timm's {architecture}")
        data = resolve_data_config(pretrained_cfg=stated, model=network)  # type: ignore[no-untyped-call]
    size, fraction = data["input_size"][-1], data["crop_pct"] or 1.0
    preprocessing = Preprocessing(
        tuple(map(float, data["mean"])),
        tuple(map(float, data["std"])),
        size,
        math.floor(size / fraction),
        data["interpolation"],
    )
    return Opened(
        network.eval(),
        f"timm's {architecture}",
        artefact.sha256,
        preprocessing,
        "timm's pretrained_cfg",
        _classes(config, stated, network.num_classes),
        bytes=artefact.bytes,
        warnings=(*warnings_of(artefact), *_differently(data["crop_mode"])),
    )


def _described(config: dict[str, Any], stated: Any, weights: Path) -> tuple[str, dict[str, Any]]:
    """Return the architecture's name and its options; raises ArtefactError for what timm does not have."""
    import timm

    architecture, options = config.get("architecture"), config.get("model_args") or {}
    if not isinstance(architecture, str) or ":" in architecture or not timm.is_model(architecture.partition(".")[0]):
        raise ArtefactError(f"{weights}: timm {timm.__version__} has no architecture {architecture!r}.")
    if not isinstance(stated, dict) or not isinstance(options, dict):
        raise ArtefactError(f"{weights}: expected pretrained_cfg and model_args in config.json to be objects.")
    if asked := [name for name in _ASKS_FOR_FILES if name in options]:
        raise ArtefactError(f"{weights}: config.json asks for other files ({asked[0]} in model_args): not loaded.")
    classes: Any = config.get("num_classes", stated.get("num_classes"))
    if not is_whole(classes) or classes < 1:
        raise ArtefactError(f"{weights}: config.json has num_classes {classes!r}, so it is no classifier.")
    channels = (stated.get("input_size") or (3,))[0]
    return architecture, {"num_classes": classes, "in_chans": channels, **options}


def _cached(name: str) -> tuple[dict[str, Any], Path]:
    """Return the configuration and the file of weights that timm publishes, where it was downloaded before."""
    import timm
    from huggingface_hub import try_to_load_from_cache

    if ":" in name or not timm.is_model(name.partition(".")[0]):
        raise OptionError(f"timm has no architecture {name!r}, and there is no such folder.")
    record: Any = timm.get_pretrained_cfg(name)
    names = (record.hf_hub_filename,) if record.hf_hub_filename else PUBLISHED
    found = [try_to_load_from_cache(record.hf_hub_id, file) for file in names if record.hf_hub_id]
    if record.url:
        found.append(str(Path(torch.hub.get_dir()) / "checkpoints" / record.url.rpartition("/")[2]))
    for file in found:
        if isinstance(file, str) and Path(file).is_file():
            return {"architecture": record.architecture, "pretrained_cfg": record.to_dict()}, Path(file)
    where = f"{record.hf_hub_id} of the Hugging Face hub" if record.hf_hub_id else record.url or "nowhere"
    raise ArtefactError(
        f"The weights of timm:{name} ({where}) are not on this machine, and nothing is downloaded unasked. Download "
        f"them with timm.create_model({name!r}, pretrained=True)."
    )


def _classes(config: dict[str, Any], stated: dict[str, Any], count: int) -> tuple[str, ...]:
    """Return the names of the outputs, of a list or by number; empty unless all are there."""
    names = config.get("label_names") or config.get("labels") or stated.get("label_names") or stated.get("labels") or ()
    if isinstance(names, dict):
        names = [names.get(str(number)) for number in range(count)]
    return tuple(map(str, names)) if len(names) == count and all(names) else ()


def _differently(crop_mode: str) -> tuple[str, ...]:
    if crop_mode == "center":
        return ()
    return (
        f"its publisher brings images to their size in another way (crop_mode {crop_mode}); here the shorter side is "
        "resized, and the center cropped: only square images are the same",
    )
