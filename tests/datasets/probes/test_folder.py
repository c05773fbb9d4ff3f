"""Plain folders of images and label maps: every encoding of a map, layers, image labels, and what is refused."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sparsescope.benchmark import Concept
from sparsescope.datasets import open_probe
from sparsescope.datasets.probes.on_disk import read_label_map
from sparsescope.errors import DataError

SHAPE = (3, 6, 6)
MAP = np.array([[1, 1, 0, 0], [2, 2, 0, 0], [2, 2, 0, 3]])


@pytest.fixture
def folder(tmp_path):
    for name in ("images/sub", "labels/sub", "labels_parts"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("a.jpg", "b.png", "sub/a.webp"):
        Image.new("RGB", (8, 6), (250, 10, 10)).save(tmp_path / "images" / name)
    save(tmp_path / "labels" / "a.png", MAP.astype(np.uint8))
    save(tmp_path / "labels" / "sub" / "a.png", np.where(MAP == 3, 300, MAP).astype(np.uint16))
    save(tmp_path / "labels_parts" / "a.png", np.where(MAP == 0, 300, 1).astype(np.uint16))
    write_json(tmp_path / "labels.json", LABELS)
    write_json(tmp_path / "image_labels.json", {"b.png": 4, "a.jpg": [4, 2]})
    return tmp_path


LABELS = {"2": "car", "1": "sky", "300": {"name": "wheel", "category": "part"}, "4": {"name": "car"}, "3": None}


def save(path, array):
    Image.fromarray(array).save(path)


def write_json(path, content):
    path.write_text(json.dumps(content))


def shown(probe, index):
    return {probe.concepts[number].name: mask.astype(int) for number, mask in zip(*probe.labels(index), strict=True)}


def test_worked_by_hand(folder):
    probe = open_probe(f"probe:{folder}", SHAPE)
    assert (len(probe), probe.shape, probe.label_shape, probe.source) == (3, SHAPE, (3, 4), f"probe:{folder}")
    assert probe.concepts == (
        Concept("sky", "object"),
        Concept("car [object 2]", "object"),
        Concept("car [object 4]", "object"),
        Concept("wheel", "part"),
    )
    first = shown(probe, 0)
    np.testing.assert_array_equal(first["sky"], MAP > 0)  # from both layers
    np.testing.assert_array_equal(first["car [object 2]"], np.ones((3, 4)))  # the whole image's label covers the map's
    np.testing.assert_array_equal(first["wheel"], MAP == 0)
    assert list(shown(probe, 1)) == ["car [object 4]"]
    third = shown(probe, 2)
    assert list(third) == ["sky", "car [object 2]", "wheel"]
    np.testing.assert_array_equal(third["wheel"], MAP == 3)
    assert probe.read([0]).shape == (1, *SHAPE)


def test_a_map_that_changes_its_size_is_named(folder):
    probe = open_probe(f"probe:{folder}", SHAPE)
    save(folder / "labels" / "a.png", np.ones((4, 4), np.uint8))
    with pytest.raises(DataError, match=r"a label map of 3 x 4, the size of the set, but .*labels/a\.png has 4 x 4"):
        probe.labels(0)


def test_other_folders_are_left_alone(folder):
    before = open_probe(f"probe:{folder}", SHAPE).fingerprint
    (folder / "labelsets").mkdir()
    save(folder / "labelsets" / "z.png", MAP.astype(np.uint8))
    assert open_probe(f"probe:{folder}", SHAPE).fingerprint == before


def test_a_number_that_is_null_is_no_concept_and_no_error(folder):
    save(folder / "labels" / "a.png", np.full((3, 4), 3, np.uint8))
    (folder / "labels_parts" / "a.png").unlink()
    write_json(folder / "image_labels.json", {"b.png": [4, 3]})
    probe = open_probe(f"probe:{folder}", SHAPE)
    assert [list(shown(probe, index)) for index in (0, 1)] == [[], ["car [object 4]"]]
    assert probe.labels(0)[1].shape == (0, 3, 4)


def test_maps_of_many_sizes_are_brought_to_the_models(folder):
    """Each map is twice or three times the target in some direction, so its nearest pixels are known by hand."""
    large = np.kron(np.array([[1, 2], [300, 0]]), np.ones((9, 6), int)).astype(np.uint16)
    save(folder / "labels" / "sub" / "a.png", large)
    probe = open_probe(f"probe:{folder}", SHAPE)
    assert probe.label_shape == (6, 6)
    masks = shown(probe, 2)
    expected = np.kron(np.array([[1, 2], [300, 0]]), np.ones((3, 3), int))
    for name, number in (("sky", 1), ("car [object 2]", 2), ("wheel", 300)):
        np.testing.assert_array_equal(masks[name], expected == number)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 65535), st.sampled_from(["rgb", "16"]))
def test_every_number_survives_both_encodings(tmp_path_factory, height, width, highest, encoding):
    numbers = np.random.default_rng(highest).integers(0, highest + 1, (height, width))
    file = tmp_path_factory.mktemp("map") / "map.png"
    if encoding == "16":
        save(file, numbers.astype(np.uint16))
    else:
        save(file, np.stack([numbers % 256, numbers // 256, numbers % 7], axis=2).astype(np.uint8))
    np.testing.assert_array_equal(read_label_map(file), numbers)


def test_palettes_mean_their_indices_and_transparency_nothing(tmp_path):
    image = Image.fromarray(MAP.astype(np.uint8))
    image.putpalette([9, 8, 7] * 256)
    image.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_label_map(tmp_path / "palette.png"), MAP)
    save(tmp_path / "rgba.png", np.stack([MAP, 0 * MAP, MAP, 9 * MAP], axis=2).astype(np.uint8))
    np.testing.assert_array_equal(read_label_map(tmp_path / "rgba.png"), MAP)
    save(tmp_path / "two.png", MAP > 1)
    np.testing.assert_array_equal(read_label_map(tmp_path / "two.png"), MAP > 1)
    save(tmp_path / "deep.tif", (MAP + 70000).astype(np.int32))
    with pytest.raises(ValueError, match="numbers outside 0 to 65535"):
        read_label_map(tmp_path / "deep.tif")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda at: (at / "labels.json").unlink(), r"labels\.json does not exist"),
        (lambda at: (at / "labels.json").write_text("{"), r"labels\.json cannot be read: Expecting"),
        (lambda at: write_json(at / "labels.json", ["sky"]), r"expected an object \{…\}, but got a list"),
        (
            lambda at: write_json(at / "labels.json", {"0": "sky"}),
            "from 1 to 65535, since 0 means no label, but got '0'",
        ),
        (lambda at: write_json(at / "labels.json", {"one": "sky"}), "but got 'one'"),
        (lambda at: write_json(at / "labels.json", {"1": 5}), r"expected a name or .* for 1, but got 5"),
        (lambda at: write_json(at / "labels.json", {}), r"labels\.json names no labels"),
        (lambda at: write_json(at / "image_labels.json", {"a.jpg": [9], "b.png": 4}), "for a.jpg, but got .9."),
        (lambda at: write_json(at / "image_labels.json", {"c.jpg": [4], "b.png": 4}), "there is no image c.jpg"),
        (lambda at: (at / "image_labels.json").unlink(), r"b\.png has no label map .*labels/b\.png"),
        (lambda at: save(at / "labels" / "c.png", MAP.astype(np.uint8)), r"labels/c\.png has no image"),
        (lambda at: save(at / "images" / "a.png", MAP.astype(np.uint8)), r"a\.jpg and a\.png would share one label"),
        (lambda at: (at / "labels" / "a.png").write_text("no map"), r"labels/a\.png cannot be read"),
        (lambda at: (at / "images").rename(at / "pictures"), r"images has no images \(\.jpg"),
    ],
)
def test_what_is_wrong_is_said_on_opening(folder, change, text):
    change(folder)
    with pytest.raises(DataError, match=text) as error:
        open_probe(f"probe:{folder}", SHAPE)
    assert str(error.value).startswith(f"probe:{folder}: expected images/, labels/ and labels.json, but:\n- ")


def test_no_folder(tmp_path):
    with pytest.raises(DataError, match=r"expected a folder with images/, .* but .*nowhere is none"):
        open_probe(f"probe:{tmp_path}/nowhere", SHAPE)


def test_unknown_numbers_are_named_as_the_map_is_read(folder):
    save(folder / "labels" / "a.png", np.full((3, 4), 255, np.uint8))
    with pytest.raises(DataError, match=r"labels/a\.png to hold numbers of the label list or 0 .* also holds 255"):
        open_probe(f"probe:{folder}", SHAPE).labels(0)
