"""Valid files to start from, and files of valid form with odd contents."""

import io
import json
import random
import warnings
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save as safetensors_bytes
from torch import nn

from sparsescope import Classifier, prune, save_checkpoint
from sparsescope.architectures.digits_cnn import digits_cnn
from tests.fuzz.mutations import INTEGERS, TEXTS

__all__ = [
    "checkpoints",
    "images",
    "masks",
    "npz",
    "odd_checkpoint",
    "program",
    "write_broden",
    "write_corrupted",
    "write_probe",
]

LETTERS = ("circle", "square")
RECIPE = """epochs = 2
learning_rate = 0.1
schedule = "step"
milestones = [1]
nesterov = true
"""
SWEEP = """name = "mine"
data = "digits"
architecture = "digits_cnn"
small = "digits_cnn_small"
methods = ["omp", "snip"]
rounds = [1, 3, 5]
seeds = [0, 1]
scope = "global"

[training]
recipe = "digits"
epochs = 8

[options.snip]

[evaluation]
preset = "quick"
ood = ["noise:uniform"]
only = ["accuracy", "ece"]
confidence = 0.9
margins = {accuracy = 0.02}
metrics.ece.n_bins = 10
"""
CONFIG = """preset = "quick"
verdict = ["accuracy", "ece"]
confidence = 0.95
replicates = 200
paper_tolerance = 0.01

[margins]
accuracy = 0.02
nll = "5%"

[metrics.fgsm_accuracy]
epsilon = 0.03

[metrics.fidelity]
samples = 200

[metrics.ece]
n_bins = 15
"""


def checkpoints(folder: Path) -> list[bytes]:
    """Return the bytes of a network in every format that is read."""
    torch.manual_seed(0)
    network = digits_cnn()
    state = network.state_dict()
    save_checkpoint(folder / "own.pt", Classifier(network), architecture="digits_cnn")
    found = [(folder / "own.pt").read_bytes()]
    nested = {"epoch": 3, "state_dict": state, "args": {"lr": 0.1, "list": [1, 2, (3, "x")]}, "history": [0.1] * 20}
    for content, options in ((state, {}), (nested, {}), (state, {"_use_new_zipfile_serialization": False})):
        buffer = io.BytesIO()
        torch.save(content, buffer, **options)
        found.append(buffer.getvalue())
    return [*found, safetensors_bytes(state), npz({name: tensor.numpy() for name, tensor in state.items()})]


def program(ending: str, folder: Path) -> bytes:
    """Return a small network as a program: `.pt2`, `.ts` or `.onnx`."""
    network, path = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 2)).eval(), folder / "seed"
    shown, path = torch.rand(2, 1, 8, 8), path.with_suffix(ending)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters' own
        if ending == ".pt2":
            torch.export.save(torch.export.export(network, (shown,)), path)
        elif ending == ".ts":
            torch.jit.trace(network, shown).save(path)
        else:
            torch.onnx.export(network, (shown,), path, dynamo=True, verbose=False, external_data=False)
    return path.read_bytes()


def masks(folder: Path) -> list[bytes]:
    """Return the bytes of a mask in every format that is read."""
    torch.manual_seed(0)
    mask = prune("omp", digits_cnn(), sparsity=0.8)
    mask.save(folder / "mask.safetensors")
    buffer = io.BytesIO()
    torch.save(dict(mask.items()), buffer)
    arrays = npz({name: kept.numpy().astype(np.uint8) for name, kept in mask.items()}, compressed=True)
    return [(folder / "mask.safetensors").read_bytes(), buffer.getvalue(), arrays]


def npz(arrays: dict[str, np.ndarray], *, compressed: bool = False) -> bytes:
    """Return the bytes of an archive of arrays."""
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def odd_checkpoint(rng: random.Random) -> bytes:
    """Return what torch.save makes of odd tensors and containers under the names of a real network."""
    state = dict(digits_cnn().state_dict())
    for name in rng.sample(list(state), rng.choice((1, 1, 2, 5))):
        state[name] = _odd(rng, state[name], 0)
    content: Any = state
    if rng.random() < 0.5:
        content = {rng.choice(("state_dict", "model", "mask", "net", "x")): state, "mask": _odd(rng, None, 0)}
    if rng.random() < 0.3:
        content = {"format": rng.choice(("sparsescope.checkpoint/1", "sparsescope.checkpoint/2")), **content}
        for name in ("architecture", "architecture_options", "preprocessing", "task", "history", "state_dict", "mask"):
            if rng.random() < 0.4:
                content[name] = rng.choice((state, _odd(rng, None, 0), {"mean": [0.5], "std": [_odd(rng, None, 2)]}))
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=rng.random() < 0.8)
    return buffer.getvalue()


def _odd(rng: random.Random, tensor: Any, depth: int) -> Any:
    """Return a value of a type that torch.load gives back without running code."""
    kinds = ("number", "text", "none", "tensor", "cast", "shape", "huge", "sparse", "list", "dict", "many", "deep")
    kind = rng.choice(kinds[:8] if depth > 2 else kinds)
    like = (
        tensor if isinstance(tensor, torch.Tensor) else torch.ones(rng.choice(((), (3,), (2, 3), (0,), (16, 1, 3, 3))))
    )
    if kind == "number":
        return rng.choice((0, -1, 1.5, float("nan"), float("inf"), True, 10**30, 2**63, np.float64(2), 1 + 2j))
    if kind == "text":
        return rng.choice(TEXTS)
    if kind == "tensor":
        return torch.full_like(like, rng.choice((0, 1, 2, -1, 300))) if rng.random() < 0.5 else like * float("nan")
    if kind == "cast":
        dtypes = (
            torch.bool, torch.uint8, torch.int8, torch.int64, torch.float16, torch.bfloat16, torch.float64,
            torch.complex64, torch.uint16, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2,
        )  # fmt: skip
        return like.to(rng.choice(dtypes))
    if kind == "shape":
        return like.reshape(-1)[: rng.randrange(like.numel() + 1)] if rng.random() < 0.5 else like.unsqueeze(0)
    if kind == "huge":
        return torch.ones(1).expand(rng.choice((10**4, 10**7, 10**12)))
    if kind == "sparse":
        rows = like.reshape(1, -1).float() if rng.random() < 0.5 else torch.eye(3)
        return rng.choice((like.float().to_sparse, rows.to_sparse_csr, lambda: _quantized(rows)))()
    if kind == "list":
        return [_odd(rng, tensor, depth + 1) for _ in range(rng.randrange(4))]
    if kind == "dict":
        kinds = (dict, OrderedDict) if depth else (dict, OrderedDict, Counter)
        keys = (rng.choice((*TEXTS[:30], 3, None, ("a", 1), "mean", "weight")) for _ in range(rng.randrange(4)))
        return rng.choice(kinds)({key: _odd(rng, tensor, depth + 1) for key in keys})
    value: Any = [like]
    for _ in range(rng.choice((5, 40, 90, 150, 400))):
        value = [value] * 2 if kind == "many" else [value]
    return value


def _quantized(rows: torch.Tensor) -> torch.Tensor:
    return torch.quantize_per_tensor(rows, 0.1, 0, torch.qint8)


def images(rng: random.Random) -> list[tuple[str, bytes]]:
    """Return (ending, bytes) of a small picture in every format that is read, and in some that are not."""
    pixels = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    found = []
    for mode, kind, ending in (
        ("RGB", "JPEG", "jpg"), ("CMYK", "JPEG", "jpg"), ("L", "JPEG", "jpeg"), ("RGB", "PNG", "png"),
        ("P", "PNG", "png"), ("RGBA", "PNG", "png"), ("1", "PNG", "png"), ("RGB", "BMP", "bmp"), ("RGB", "PPM", "ppm"),
        ("L", "PPM", "pgm"), ("RGB", "WEBP", "webp"), ("RGB", "TIFF", "tif"), ("P", "GIF", "png"),
        ("RGB", "EPS", "jpg"), ("RGB", "TGA", "jpg"),
    ):  # fmt: skip
        buffer = io.BytesIO()
        picture.convert(mode).save(buffer, kind)
        found.append((ending, buffer.getvalue()))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        buffer = io.BytesIO()
        picture.save(buffer, "TIFF", compression=compression)
        found.append(("tiff", buffer.getvalue()))
    deep = io.BytesIO()
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(deep, "PNG")
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 12\n%%EndComments\n{ } loop\n%%EOF\n"
    return [*found, ("png", deep.getvalue()), (rng.choice(("jpg", "png", "tif")), program)]


def write_probe(folder: Path) -> dict[str, bytes]:
    """Write a probe folder, and return its files by name."""
    numbers = np.array([[1, 1, 0], [2, 0, 2]], dtype=np.uint8)
    for place in ("images", "labels"):
        (folder / place).mkdir()
    for name in LETTERS:
        Image.fromarray(np.full((4, 6, 3), 99, np.uint8)).save(folder / "images" / f"{name}.png")
        Image.fromarray(numbers).save(folder / "labels" / f"{name}.png")
    labels = {"1": "sky", "2": {"name": "wheel", "category": "part"}, "7": "street", "255": None}
    (folder / "labels.json").write_text(json.dumps(labels))
    (folder / "image_labels.json").write_text(json.dumps({"circle.png": [7]}))
    return _all_files(folder)


def write_broden(folder: Path) -> dict[str, bytes]:
    """Write a folder as Broden's builder does, and return its files by name."""
    (folder / "images").mkdir()
    numbers = np.zeros((2, 3, 3), np.uint8)
    numbers[..., 0] = [[2, 2, 0], [3, 0, 3]]
    for name in LETTERS:
        Image.fromarray(np.full((4, 6, 3), 99, np.uint8)).save(folder / "images" / f"{name}.jpg")
        Image.fromarray(numbers).save(folder / "images" / f"{name}_object.png")
    rows = [f"{name}.jpg,train,4,6,2,3,7,{name}_object.png" for name in LETTERS]
    (folder / "index.csv").write_text("image,split,ih,iw,sh,sw,scene,object\n" + "\n".join(rows) + "\n")
    labels = ("2,sky,object(2)", "3,car,object(2);scene(1)", "7,street,scene(2)")
    (folder / "label.csv").write_text("number,name,category\n" + "\n".join(labels) + "\n")
    (folder / "category.csv").write_text("name,first,last\nscene,7,7\nobject,2,3\n")
    (folder / "c_object.csv").write_text("number,coverage\n2,0.5\n3,0.2\n")
    return _all_files(folder)


def write_corrupted(folder: Path, n: int, shape: tuple[int, int, int]) -> dict[str, bytes]:
    """Write stored corrupted copies of `n` images (H, W, C) with labels 0, 1, 0 …, and return the files by name."""
    rng = np.random.default_rng(0)
    for name in ("fog", "contrast"):
        np.save(folder / f"{name}.npy", rng.integers(0, 256, (5 * n, *shape), dtype=np.uint8))
    np.save(folder / "labels.npy", np.tile(np.arange(n) % 2, 5))
    files = {f"{name}.npy": {"severities": [1, 2, 3, 4, 5]} for name in ("fog", "contrast")}
    (folder / "sparsescope.json").write_text(json.dumps({"files": files}))
    return _all_files(folder)


def _all_files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def number(rng: random.Random) -> str:
    """Return a number as someone might write it."""
    return rng.choice((str(rng.choice(INTEGERS)), f"-{rng.choice(INTEGERS)}", str(rng.random()), *TEXTS[2:16]))
