"""Folders of Hugging Face, written by transformers: the same answers, images as published, and clear refusals."""

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from published import FAMILIES, answers, halved, hugging_face, images, save_hugging_face, write_data
from torch import Tensor

from sparsescope.checkpoints import load_classifier
from sparsescope.checkpoints.kinds.hugging_face import _silent
from sparsescope.cli.group import sparsescope
from sparsescope.errors import ArtefactError, OptionError


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published") / "vit"
    save_hugging_face(folder, *hugging_face("ViT"))
    return folder


@pytest.fixture
def copied(vit: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(vit, tmp_path / "vit"))


def prepared(processor: Any, pixels: Tensor, **options: Any) -> Tensor:
    with _silent():
        values: Tensor = processor(list(pixels), return_tensors="pt", **options)["pixel_values"]
    return values


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layout", ["one file", "shards", "torch"])
def test_the_answers_are_those_of_the_source(
    tmp_path: Path, family: str, layout: str, capfd: pytest.CaptureFixture[str]
) -> None:
    network, processor = hugging_face(family)
    folder = tmp_path / "published"
    save_hugging_face(folder, network, processor, max_shard_size="10kB" if layout == "shards" else "1GB")
    assert (folder / "model.safetensors.index.json").is_file() == (layout == "shards")
    if layout == "torch":
        from safetensors.torch import load_file

        torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    classifier = load_classifier(folder)
    pixels = images()
    with classifier.prepared():
        found = classifier(pixels / 255)
    expected = answers(network, prepared(processor, pixels, do_resize=False))
    assert expected.std() > 0.01
    assert torch.allclose(found, expected, atol=1e-5, rtol=1e-5)
    assert classifier.sparsity.total < 0.01 and classifier.origin.publisher == "its image processor"
    assert capfd.readouterr() == ("", "")


def test_images_are_prepared_as_published(tmp_path: Path) -> None:
    """A photograph of 256 × 192 px, prepared by the processor and by what was read of it."""
    from torchvision.transforms.v2 import functional

    network, processor = hugging_face("ConvNext")
    save_hugging_face(tmp_path / "a", network, processor)
    classifier = load_classifier(f"hf:{tmp_path / 'a'}")
    stated = classifier.origin.stated
    assert stated is not None and (stated.resize, stated.size, stated.interpolation) == (36, 32, "bicubic")
    photograph = functional.resize(images(1), [192, 256])
    resized = functional.resize(photograph, [36], functional.InterpolationMode.BICUBIC)
    ours = functional.center_crop(resized, [32]) / 255
    with classifier.prepared():
        found = classifier(ours)
    assert torch.allclose(found, answers(network, prepared(processor, photograph)), atol=1e-4)


def test_squeezed_images_get_a_word(vit: Path) -> None:
    (warning,) = load_classifier(vit).warnings
    assert warning.startswith("its publisher squeezes whole images to 32 × 32 px, whatever their shape; here ")


@pytest.mark.parametrize(
    "settings",
    [
        {"do_rescale": False},
        {"do_normalize": False},
        {"rescale_factor": 1 / 127.5},
        {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.3, 0.2, 0.1]},
    ],
)
def test_every_normalization_is_the_processors(copied: Path, settings: dict[str, Any]) -> None:
    place = copied / "preprocessor_config.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | settings))
    with _silent():
        from transformers import AutoImageProcessor

        processor = AutoImageProcessor.from_pretrained(copied, local_files_only=True)
    classifier, pixels = load_classifier(copied), images()
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (classifier.mean, classifier.std))
    assert torch.allclose((pixels / 255 - mean) / std, prepared(processor, pixels), rtol=1e-4, atol=1e-4)


def test_classes_and_their_placeholders(copied: Path) -> None:
    assert load_classifier(copied).classes == ()
    config = json.loads((copied / "config.json").read_text())
    names = {str(number): name for number, name in enumerate("abcde")}
    (copied / "config.json").write_text(json.dumps(config | {"id2label": names}))
    assert load_classifier(copied).classes == tuple("abcde")


@pytest.mark.parametrize("remove", [True, False], ids=["zeros", "masks"])
def test_a_pruned_network_is_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remove: bool) -> None:
    monkeypatch.chdir(tmp_path)
    network, processor = hugging_face("ViT")
    save_hugging_face(Path("dense"), network, processor)
    state = {name: tensor.clone() for name, tensor in halved(network, remove=remove).state_dict().items()}
    Path("sparse").mkdir()
    save_hugging_face(Path("sparse"), network, processor, state_dict=state)
    write_data(tmp_path)
    call = ["evaluate", "dense", "hf:sparse", "--data", "npz:data.npz", "--metric", "accuracy", "--metric", "ece"]
    done = CliRunner().invoke(sparsescope, [*call, "--no-cache", "--out", "report", "--quiet"])
    assert done.exit_code == 0, done.output
    document = json.loads(Path("report/evaluation.json").read_text())
    dense, sparse = document["models"]
    assert sparse["sparsity"]["prunable"] == pytest.approx(0.5, abs=0.02) and dense["sparsity"]["prunable"] < 0.01
    assert document["verdicts"]["sparse"]["outcome"] in ("pass", "fail", "inconclusive")
    expected = answers(network, prepared(processor, images()))
    classifier = load_classifier("sparse")
    with classifier.prepared():
        assert torch.allclose(classifier(images() / 255), expected, atol=1e-5)


@pytest.mark.parametrize("keep", [0, 5, 100, 5000])
@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "preprocessor_config.json"])
def test_truncated_files(copied: Path, name: str, keep: int) -> None:
    content = (copied / name).read_bytes()
    (copied / name).write_bytes(content[: min(keep, len(content) - 3)])
    with pytest.raises(ArtefactError, match=str(copied)):
        load_classifier(copied)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"num_hidden_layers": 3}, r"does not fit the ViTForImageClassification .* 16 missing: vit\.layers\.2"),
        ({"hidden_size": 32}, "of another shape: classifier.weight"),
        ({"num_hidden_layers": 1}, "unknown to it"),
        ({"id2label": {"0": "a", "1": "b"}}, "2 of another shape: classifier.bias"),
        ({"model_type": "bert"}, "is a bert, of which transformers has no image classifier"),
        ({"model_type": "unheard-of"}, "could not be read as Hugging Face folder"),
        ({"hidden_size": "x"}, "could not be read as Hugging Face folder"),
        ({"auto_map": {"AutoModelForImageClassification": "code.Net"}}, "names code of its own"),
    ],
)
def test_another_configuration(copied: Path, changed: dict[str, Any], text: str) -> None:
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | changed))
    with pytest.raises(ArtefactError, match=text):
        load_classifier(copied)


def test_what_is_not_there(tmp_path: Path, copied: Path) -> None:
    for place in (f"hf:{tmp_path / 'absent'}", f"hf:{tmp_path}"):
        with pytest.raises(ArtefactError, match=r"config\.json, as save_pretrained writes it, is not there"):
            load_classifier(place)
    (copied / "model.safetensors").unlink()
    with pytest.raises(ArtefactError, match="to hold one file of weights"):
        load_classifier(copied)


def test_a_lost_shard(tmp_path: Path) -> None:
    save_hugging_face(tmp_path / "a", *hugging_face("ViT"), max_shard_size="10kB")
    shard = sorted((tmp_path / "a").glob("*.safetensors"))[1]
    content = shard.read_bytes()
    shard.write_bytes(content[:-1])
    with pytest.raises(ArtefactError, match=f"{shard.name} is a damaged or truncated safetensors file"):
        load_classifier(tmp_path / "a")
    shutil.copy(sorted((tmp_path / "a").glob("*.safetensors"))[0], shard)
    with pytest.raises(ArtefactError, match=rf"{shard.name} lacks .*, which model\.safetensors\.index\.json says"):
        load_classifier(tmp_path / "a")
    shard.unlink()
    with pytest.raises(ArtefactError, match=f"names {shard.name}, which is not there"):
        load_classifier(tmp_path / "a")


def test_without_transformers(vit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r"pip install 'sparsescope\[transformers\]'"):
        load_classifier(vit)


def test_state_dicts_and_masks_go_with_the_folder(vit: Path, tmp_path: Path) -> None:
    dense = load_classifier(vit)
    state = {name: tensor.clone() for name, tensor in dense.module.state_dict().items()}
    for name, tensor in state.items():
        if "mlp" in name:
            tensor.zero_()
    torch.save(state, tmp_path / "s.pt")
    sparse = load_classifier(tmp_path / "s.pt", dense=dense)
    assert sparse.mean == dense.mean and sparse.sparsity.total > 0.1


def test_a_folder_is_pruned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ticket goes with the folder, whose network no architecture builds."""
    monkeypatch.chdir(tmp_path)
    save_hugging_face(Path("dense"), *hugging_face("ConvNext"))
    write_data(tmp_path)
    data = ["--data", "npz:data.npz", "--train", "npz:data.npz"]
    call = ["prune", "omp", "--dense", "dense", "--no-train", "--recipe", "digits", "--sparsity", "0.5", *data]
    done = CliRunner().invoke(sparsescope, [*call, "--out", "ticket.pt"])
    assert done.exit_code == 0, done.output
    dense = load_classifier("dense")
    ticket = load_classifier("ticket.pt", dense=dense)
    assert ticket.sparsity.prunable == pytest.approx(0.5, abs=0.01) and ticket.mean == dense.mean
    with pytest.raises(ArtefactError, match=r"ticket\.pt says that its network is transformers' ConvNext"):
        load_classifier("ticket.pt")
    for command in (
        ["dissect", "dense", "--length", "1", "--out", "d", "--size", "32", "--probe", "shapes"],
        ["explain", "dense", "--image", "0", "--samples", "8", "--superpixels", "grid", "--out", "a.png", *data[:2]],
        ["inspect", "dense"],
    ):
        done = CliRunner().invoke(sparsescope, command)
        assert done.exit_code == 0, done.output
