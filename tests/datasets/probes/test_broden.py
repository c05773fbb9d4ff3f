"""Broden folders: hand-made ones with every quirk of the format, a literal reader, and the builder's own statistics."""

import pickle
import re
import tracemalloc
from itertools import islice

import numpy as np
import pytest
import torch
from PIL import Image
from reference_broden import read_broden, read_labels

from sparsescope.benchmark import Concept
from sparsescope.datasets import open_probe
from sparsescope.errors import DataError

SHAPE = (3, 4, 6)

INDEX = """image,split,ih,iw,sh,sw,scene,object,part,material
a/one.jpg,train,8,12,2,3,7;8,a/one_object.png,a/one_part_1.png;a/one_part_2.png,
a/two.jpg,val,8,12,2,3,,a/two_object.png;7,,300
a/none.jpg,val,8,12,2,3,,,,0
a/three.jpg,val,8,12,1,1,8,,,
"""
LABELS = """number,name,category,frequency,coverage,syns
2,sky,object(2),2,1.0,
300,glass,material(1);object(2),1,1.0,pane
301,wheel,part(1),1,0.2,
7,street,scene(2),2,2.0,
8,glass,scene(2),2,2.0,
9,unseen,object(0),0,0,
"""
CATEGORIES = "name,first,last,count,frequency\nscene,7,8,2,4\nobject,2,9,3,2\npart,301,301,1,1\nmaterial,300,300,1,1\n"


def write_map(path, numbers):
    numbers = np.asarray(numbers)
    Image.fromarray(np.stack([numbers % 256, numbers // 256, np.full_like(numbers, 77)], 2).astype(np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path):
    images = tmp_path / "images" / "a"
    images.mkdir(parents=True)
    for name in ("one", "two", "none", "three"):
        pixels = np.random.default_rng(len(name)).integers(0, 256, (8, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(images / f"{name}.jpg")
    write_map(images / "one_object.png", [[2, 2, 0], [300, 0, 0]])
    write_map(images / "one_part_1.png", [[301, 0, 0], [0, 0, 301]])
    write_map(images / "one_part_2.png", [[301, 301, 0], [2, 0, 0]])
    write_map(images / "two_object.png", [[0, 0, 0], [0, 300, 2]])
    for name, text in (("index", INDEX), ("label", LABELS), ("category", CATEGORIES)):
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def shown(probe, index):
    indices, masks = probe.labels(index)
    assert indices.dtype == np.int64
    assert masks.dtype == bool
    assert (np.diff(indices) > 0).all()
    return {probe.concepts[number].name: mask.astype(int).tolist() for number, mask in zip(indices, masks, strict=True)}


def test_worked_by_hand(folder):
    probe = open_probe(f"broden:{folder}", SHAPE)
    assert (len(probe), probe.shape, probe.label_shape, probe.source) == (3, SHAPE, (2, 3), f"broden:{folder}")
    assert probe.concepts == (
        Concept("sky", "object"),
        Concept("street", "scene"),
        Concept("glass [scene]", "scene"),
        Concept("unseen", "object"),
        Concept("glass [material]", "material"),
        Concept("wheel", "part"),
    )
    everywhere = [[1, 1, 1], [1, 1, 1]]
    assert shown(probe, 0) == {
        "sky": [[1, 1, 0], [1, 0, 0]],  # the second layer of the parts joins the object's map
        "street": everywhere,
        "glass [scene]": everywhere,
        "glass [material]": [[0, 0, 0], [1, 0, 0]],
        "wheel": [[1, 1, 0], [0, 0, 1]],
    }
    assert shown(probe, 1) == {"sky": [[0, 0, 0], [0, 0, 1]], "street": everywhere, "glass [material]": everywhere}
    assert shown(probe, 2) == {"glass [scene]": everywhere}  # its sh x sw is 1 x 1: builders write that without maps


def test_columns_are_found_by_name_in_any_order_and_others_left_alone(folder):
    before = open_probe(f"broden:{folder}", SHAPE)
    rows = [row.split(",") for row in INDEX.splitlines()]
    turned = "\r\n".join(",".join([*row[::-1], "note" if row is rows[0] else "x"]) for row in rows)
    (folder / "other.csv").write_bytes(b"\xef\xbb\xbf" + turned.encode())  # as spreadsheets save it
    probe = open_probe(f"broden:{folder}/other.csv", SHAPE)
    assert [shown(probe, index) for index in range(3)] == [shown(before, index) for index in range(3)]
    assert (probe.read([0, 1, 2]) == before.read([0, 1, 2])).all()


def test_the_category_is_that_which_the_label_covers_most_of(folder):
    (folder / "c_object.csv").write_text("code,number,name,frequency,coverage\n1,300,glass,2,0.9\n2,2,sky,2,1\n")
    (folder / "c_material.csv").write_text("code,number,name,frequency,coverage\n1,300,glass,1,0.3\n")
    assert open_probe(f"broden:{folder}", SHAPE).concepts[4] == Concept("glass [object]", "object")
    (folder / "c_material.csv").write_text("code,number,name,frequency,coverage\n1,300,glass,1,0.9\n")
    assert open_probe(f"broden:{folder}", SHAPE).concepts[4].category == "material"  # the last of equals


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_shown_whole(folder, channels):
    """A wide picture becomes square, and its halves stay halves: nothing is cropped."""
    ramp = np.zeros((20, 40, 3), np.uint8)
    ramp[:, 20:] = (200, 100, 50)
    Image.fromarray(ramp).save(folder / "images" / "a" / "one.jpg", quality=100, subsampling=0)
    image = open_probe(f"broden:{folder}", (channels, 8, 8)).read([0])[0]
    assert image.shape == (channels, 8, 8)
    assert image.dtype == torch.float32
    expected = torch.tensor([200, 100, 50]) / 255 if channels == 3 else torch.tensor([0.299 * 200 + 58.7 + 5.7]) / 255
    assert image[:, :, :3].max() < 0.02
    torch.testing.assert_close(image[:, :, 5:], expected[:, None, None].expand(channels, 8, 3), atol=0.02, rtol=0)


def test_an_image_of_the_models_size_is_not_touched(folder):
    probe = open_probe(f"broden:{folder}", (3, 8, 12))
    pixels = np.asarray(Image.open(folder / "images" / "a" / "two.jpg"))
    np.testing.assert_array_equal((probe.read([1])[0] * 255).numpy(), pixels.transpose(2, 0, 1))
    assert (probe.read(np.array([2, 0])) == torch.cat([probe.read([2]), probe.read([0])])).all()


@pytest.mark.parametrize(
    ("file", "old", "new", "texts"),
    [
        ("index", INDEX, None, ["index.csv does not exist"]),
        ("label", LABELS, None, ["label.csv does not exist"]),
        ("category", CATEGORIES, None, ["category.csv does not exist"]),
        ("index", "image,split", "file,split", ["index.csv: no column image; its header is: file,split,ih,iw,sh,sw"]),
        ("index", "part,", "parts,", ["index.csv: no column part; its header is"]),
        (
            "index",
            INDEX,
            "",
            ["index.csv: no column image, sh, sw, scene, object, part, material; its header is: empt"],
        ),
        ("index", INDEX[INDEX.index("a/one") :], "", ["index.csv has no rows"]),
        ("index", INDEX[INDEX.index("a/one") : INDEX.index("a/none")], "", []),
        ("index", "7;8", "7;8;55", ["index.csv, line 2: label 55 is not in label.csv"]),
        ("index", "8,12,2,3,7;8", "8,12,x,3,7;8", ["index.csv, line 2: expected an image file and sizes", "'x'"]),
        ("index", "8,12,2,3,7;8", "8,12,4,3,7;8", ["of one size sh x sw, but line 2 has 4 x 3 and line 3 has 2 x 3"]),
        ("index", ",300\n", ",300,1\n", ["index.csv, line 3: expected 10 cells, as in the header"]),
        ("index", "a/one.jpg", "a/on.jpg", ["images/a/on.jpg does not exist"]),
        ("index", "one_part_2.png", "one_part_3.png", ["images/a/one_part_3.png does not exist"]),
        ("label", "\n2,sky", "\n0,sky", ["label.csv, line 2: expected a number from 1 to 65535, since 0 means", "'0'"]),
        ("label", "\n2,sky", "\n70000,sky", ["label.csv, line 2: expected a number from 1 to 65535"]),
        ("label", "\n9,", "\n7,", ["label.csv, line 7: number 7 comes twice"]),
        ("label", "wheel,part(1)", "wheel,", ["label.csv, line 4: expected a name and a category such as"]),
        ("category", "name,", "nom,", ["category.csv: no column name"]),
    ],
)
def test_broken_tables(folder, file, old, new, texts):
    path = folder / f"{file}.csv"
    if new is None:
        path.unlink()
    else:
        path.write_text(path.read_text().replace(old, new))
    if not texts:
        assert len(open_probe(f"broden:{folder}", SHAPE)) == 1
        return
    with pytest.raises(DataError, match=re.escape(f"broden:{folder}: expected a folder as Broden's builder")) as error:
        open_probe(f"broden:{folder}", SHAPE)
    assert all(text in str(error.value) for text in texts), str(error.value)


def test_everything_wrong_is_listed_at_once(folder):
    (folder / "category.csv").unlink()
    (folder / "label.csv").write_text(LABELS.replace("\n2,sky", "\n0,sky").replace("9,unseen,object(0)", "9,,"))
    with pytest.raises(DataError) as error:
        open_probe(f"broden:{folder}", SHAPE)
    lines = [line for line in str(error.value).splitlines() if line.startswith("- ")]
    assert len(lines) == 3
    (folder / "label.csv").unlink()
    with pytest.raises(DataError) as error:
        open_probe(f"broden:{folder}", SHAPE)
    assert [line.rpartition("/")[2] for line in str(error.value).splitlines()[1:]] == [
        *("category.csv does not exist", "label.csv does not exist")
    ]
    many = INDEX.splitlines()[0] + "\n" + "".join(f"a/{n}.jpg,train,8,12,2,3,7,,,\n" for n in range(30))
    for name, text in (("index", many), ("label", LABELS), ("category", CATEGORIES)):
        (folder / f"{name}.csv").write_text(text)
    with pytest.raises(DataError, match=r"a/9\.jpg does not exist\n- and 20 more$"):
        open_probe(f"broden:{folder}", SHAPE)


def test_an_index_without_any_label(folder):
    (folder / "index.csv").write_text(INDEX.splitlines()[0] + "\na/none.jpg,val,8,12,2,3,,,,0\n")
    with pytest.raises(DataError, match=r"index\.csv: no image has a label"):
        open_probe(f"broden:{folder}", SHAPE)


def test_tables_that_are_no_text(folder):
    (folder / "label.csv").write_bytes(b"number,name,category\n1,\xff,object\n")
    with pytest.raises(DataError, match=r"label\.csv cannot be read: .*utf-8"):
        open_probe(f"broden:{folder}", SHAPE)


def test_places_that_are_none(folder):
    with pytest.raises(DataError, match=r"expected a folder with index\.csv, but .*nowhere is none"):
        open_probe(f"broden:{folder}/nowhere", SHAPE)
    with pytest.raises(DataError, match=r"nowhere\.csv does not exist"):
        open_probe(f"broden:{folder}/nowhere.csv", SHAPE)
    (folder / "images").rename(folder / "pictures")
    with pytest.raises(DataError, match="images does not exist"):
        open_probe(f"broden:{folder}", SHAPE)
    with pytest.raises(DataError, match="1 or 3 channels, but the model takes 4"):
        (folder / "pictures").rename(folder / "images")
        open_probe(f"broden:{folder}", (4, 8, 8))


def test_files_that_break_are_named_as_they_are_read(folder):
    probe = open_probe(f"broden:{folder}", SHAPE)
    images = folder / "images" / "a"
    write_map(images / "one_object.png", [[2, 4000, 0], [300, 4001, 0]])
    with pytest.raises(
        DataError, match=r"one_object\.png to hold numbers of the label list .* also holds 4000, 4001\."
    ):
        probe.labels(0)
    write_map(images / "one_object.png", np.full((3, 3), 2))
    with pytest.raises(
        DataError,
        match=r"a label map of 2 x 3, the size of the set, but .*one_object\.png has 3 x 3 \(height x width\)",
    ):
        probe.labels(0)
    (images / "one_object.png").write_bytes((images / "two_object.png").read_bytes()[:50])
    with pytest.raises(DataError, match=r"one_object\.png cannot be read \("):
        probe.labels(0)
    Image.new("LA", (3, 2)).save(images / "one_object.png")
    with pytest.raises(DataError, match=r"one_object\.png cannot be read \(its pixels have mode LA"):
        probe.labels(0)
    (images / "one.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"one\.jpg cannot be read"):
        probe.read([0])
    (images / "one.jpg").unlink()
    with pytest.raises(DataError, match=r"one\.jpg cannot be read"):
        _ = probe.fingerprint


def test_the_fingerprint_follows_shape_tables_and_files(folder, tmp_path):
    def fingerprint(shape=SHAPE):
        return open_probe(f"broden:{folder}", shape).fingerprint

    before = fingerprint()
    assert fingerprint() == before
    assert pickle.loads(pickle.dumps(open_probe(f"broden:{folder}", SHAPE))).fingerprint == before
    prints = {before, fingerprint((1, 4, 6)), fingerprint((3, 6, 4))}
    (folder / "label.csv").write_text(LABELS.replace("wheel", "tyre"))
    prints.add(fingerprint())
    (folder / "index.csv").write_text(INDEX.replace(",7;8,", ",7,"))
    prints.add(fingerprint())
    write_map(folder / "images" / "a" / "two_object.png", [[0, 0, 0], [0, 2, 300]])
    prints.add(fingerprint())
    Image.new("RGB", (12, 8)).save(folder / "images" / "a" / "two.jpg")
    prints.add(fingerprint())
    assert len(prints) == 7


@pytest.mark.parametrize("seed", range(3))
def test_a_literal_reader_sees_the_same_in_random_layers(folder, seed):
    rng = np.random.default_rng(seed)
    for name in ("one_object", "one_part_1", "one_part_2", "two_object"):
        write_map(folder / "images" / "a" / f"{name}.png", rng.choice([0, 2, 7, 8, 9, 300, 301], (2, 3)))
    probe = open_probe(f"broden:{folder}", SHAPE)
    rows = [masks for path, masks in read_broden(folder) if path.stem != "none"]
    for index, expected in enumerate(rows[:2]):  # the third has sh x sw of its own
        indices, masks = probe.labels(index)
        assert [[2, 7, 8, 9, 300, 301][concept] for concept in indices] == sorted(expected)
        for number, mask in zip(sorted(expected), masks, strict=True):
            np.testing.assert_array_equal(mask, expected[number])


def test_a_literal_reader_sees_the_same(shared_data):
    folder = shared_data / "mini_broden"
    probe = open_probe(f"broden:{folder}/index_sm.csv", (3, 224, 224))
    numbers = [number for number, *_ in read_labels(folder)]
    assert len(probe) == 60
    for index, (path, masks) in enumerate(islice(read_broden(folder, "index_sm.csv"), 20)):
        indices, found = probe.labels(index)
        assert [numbers[concept] for concept in indices] == sorted(masks)
        for concept, mask in zip(indices, found, strict=True):
            np.testing.assert_array_equal(mask, masks[numbers[concept]])
        pixels = np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1) / np.float32(255)
        np.testing.assert_array_equal(probe.read([index])[0].numpy(), pixels)


def test_frequency_and_coverage_are_those_that_the_builder_counted(shared_data):
    folder = shared_data / "mini_broden"
    open_probe(f"broden:{folder}", (3, 32, 32)).read([0])  # imports the decoders
    tracemalloc.start()
    probe = open_probe(f"broden:{folder}", (3, 32, 32))
    frequency, coverage = np.zeros(len(probe.concepts), int), np.zeros(len(probe.concepts))
    for index in range(len(probe)):
        indices, masks = probe.labels(index)
        frequency[indices] += 1
        coverage[indices] += masks.mean(axis=(1, 2))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    labels = read_labels(folder)
    assert [concept.name for concept in probe.concepts] == [name for _, name, *_ in labels]
    assert frequency.tolist() == [count for *_, count, _ in labels]
    np.testing.assert_allclose(coverage, [share for *_, share in labels], atol=1e-6)
    assert {concept.category for concept in probe.concepts} == {"color", "object", "scene", "texture"}
    assert peak < 5e6  # names, and one image's masks: never the set


@pytest.mark.parametrize("name", ["/etc/passwd", "../label.csv", "a/../../label.csv"])
@pytest.mark.parametrize("column", ["one.jpg", "one_object.png"])
def test_an_index_names_files_below_its_images_alone(folder, name, column):
    (folder / "index.csv").write_text(INDEX.replace(f"a/{column}", name))
    with pytest.raises(DataError, match=rf"index.csv, line 2: expected files below images/, but got '{name}'"):
        open_probe(f"broden:{folder}", SHAPE)


def test_links_in_a_folder_are_followed(folder, tmp_path_factory):
    """A folder of links is how large sets are usually shared; an index cannot make one."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "a"
    (folder / "images" / "a").rename(elsewhere)
    (folder / "images" / "a").symlink_to(elsewhere)
    assert open_probe(f"broden:{folder}", SHAPE).read([0]).shape == (1, *SHAPE)


def test_label_maps_of_a_size_that_no_memory_has(folder):
    (folder / "index.csv").write_text(INDEX.replace("8,12,2,3", "8,12,99999,99999").replace("1,1,8", "99999,99999,8"))
    with pytest.raises(DataError, match="label maps of 99999 x 99999, more than 50,000,000 pixels"):
        open_probe(f"broden:{folder}", SHAPE)
