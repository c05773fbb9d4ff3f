"""Networks of timm and ids of hubs: folders written by timm, caches laid out as huggingface_hub does it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from published import answers, halved, hugging_face, images, save_hugging_face, save_timm, timm_network, write_data

from sparsescope.checkpoints import load_classifier
from sparsescope.cli.group import sparsescope
from sparsescope.errors import ArtefactError, OptionError

NETWORKS: dict[str, dict[str, Any]] = {
    "resnet10t": {},
    "vit_tiny_patch16_224": {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2},
    "mobilenetv2_050": {},
    "convnext_atto": {"depths": (1, 1, 1, 1), "dims": (8, 8, 16, 16)},
    "test_efficientnet": {"in_chans": 3},
}


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published") / "vit"
    name = "vit_tiny_patch16_224"
    save_timm(folder, timm_network(name, **NETWORKS[name]), model_config={"label_names": list("abcde")})
    return folder


@pytest.fixture
def copied(vit: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(vit, tmp_path / "vit"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "hub"


def in_cache(cache: Path, name: str, folder: Path) -> None:
    """Put a folder where a download of it would be."""
    place, commit = cache / f"models--{name.replace('/', '--')}", "0123456789abcdef0123456789abcdef01234567"
    shutil.copytree(folder, place / "snapshots" / commit)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(commit)


def assert_same(place: str | Path, network: torch.nn.Module) -> None:
    classifier = load_classifier(place)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (classifier.mean, classifier.std))
    with classifier.prepared():
        found = classifier(images() / 255)
    expected = answers(network, (images() / 255 - mean) / std)
    assert expected.std() > 0.01 and torch.allclose(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_answers_are_those_of_the_source(tmp_path: Path, name: str) -> None:
    network = timm_network(name, **NETWORKS[name])
    save_timm(tmp_path / "a", network)
    assert_same(tmp_path / "a", network)


def test_what_the_folder_says(copied: Path) -> None:
    classifier = load_classifier(copied)
    stated = classifier.origin.stated
    assert stated is not None and (stated.mean, stated.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert (stated.size, stated.resize, stated.interpolation) == (32, 35, "bicubic")
    assert (classifier.classes, classifier.warnings) == (tuple("abcde"), ())
    config = json.loads((copied / "config.json").read_text())
    config["pretrained_cfg"]["crop_mode"] = "squash"
    (copied / "config.json").write_text(json.dumps(config))
    assert "crop_mode squash" in load_classifier(copied).warnings[0]


def test_a_pruned_network_is_evaluated(copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    network = halved(timm_network("vit_tiny_patch16_224", **NETWORKS["vit_tiny_patch16_224"]))
    save_timm(Path("sparse"), network)
    write_data(tmp_path)
    call = ["evaluate", "vit", "sparse", "--data", "npz:data.npz", "--metric", "accuracy", "--metric", "nll"]
    done = CliRunner().invoke(sparsescope, [*call, "--no-cache", "--out", "report", "--quiet"])
    assert done.exit_code == 0, done.output
    document = json.loads(Path("report/evaluation.json").read_text())
    assert document["models"][1]["sparsity"]["prunable"] == pytest.approx(0.5, abs=0.02)
    assert document["verdicts"]["sparse"]["outcome"] in ("pass", "fail", "inconclusive")


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"architecture": "resnet10t", "model_args": {}}, "does not fit timm's resnet10t, which config.json names"),
        ({"architecture": "vit_of_tomorrow"}, "has no architecture 'vit_of_tomorrow'"),
        ({"architecture": "hf-hub:somebody/else"}, "has no architecture"),
        ({"architecture": 3}, "has no architecture 3"),
        ({"num_classes": 0}, "is no classifier"),
        ({"model_args": {"checkpoint_path": "/etc/passwd"}}, "asks for other files"),
        ({"model_args": {"depth": "many"}}, "could not be read as timm folder"),
        ({"pretrained_cfg": []}, "to be objects"),
        ({"auto_map": {}}, "names code of its own"),
    ],
)
def test_another_configuration(copied: Path, changed: dict[str, Any], text: str) -> None:
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | changed))
    with pytest.raises(ArtefactError, match=text):
        load_classifier(copied)


@pytest.mark.parametrize("keep", [0, 5, 100, 5000])
@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_truncated_files(copied: Path, name: str, keep: int) -> None:
    content = (copied / name).read_bytes()
    (copied / name).write_bytes(content[: min(keep, len(content) - 3)])
    with pytest.raises(ArtefactError, match=str(copied)):
        load_classifier(copied)


def test_ids_of_the_hub(vit: Path, cache: Path, tmp_path: Path) -> None:
    in_cache(cache, "somebody/vit", vit)
    assert load_classifier("hf-hub:somebody/vit").name == "vit"
    network, processor = hugging_face("ResNet")
    save_hugging_face(tmp_path / "a", network, processor)
    in_cache(cache, "somebody/resnet", tmp_path / "a")
    assert_same("hf-hub:somebody/resnet@main", network)
    (tmp_path / "b").mkdir()
    in_cache(cache, "somebody/empty", tmp_path / "b")
    with pytest.raises(ArtefactError, match=r"has no config\.json .* Download all of it with: hf download"):
        load_classifier("hf-hub:somebody/empty")
    for absent in ("somebody/else", "a/b/c", "somebody/vit@v2"):
        with pytest.raises(
            ArtefactError, match=f"hf-hub:{absent} is not in the local cache, and nothing is downloaded"
        ):
            load_classifier(f"hf-hub:{absent}")


def test_names_of_timm(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"timm/test_vit\.r160_in1k of the Hugging Face hub\) are not on this"):
        load_classifier("timm:test_vit")
    with pytest.raises(OptionError, match="timm has no architecture 'nothing', and there is no such folder"):
        load_classifier("timm:nothing")
    import timm

    network = timm.create_model("test_vit").eval()
    save_timm(tmp_path / "a", network)
    in_cache(cache, "timm/test_vit.r160_in1k", tmp_path / "a")
    assert_same("timm:test_vit", network)
    assert load_classifier("timm:test_vit.r160_in1k").origin.stated is not None
