"""The drawn scenes: their masks checked against the pixels that a network sees."""

import pickle
import time
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsescope.datasets.probes.palette import colours
from sparsescope.datasets.probes.shapes import Shapes
from sparsescope.errors import DataError

SIZES = [(3, 32, 32), (1, 28, 28), (3, 24, 40)]
FIGURES = ("disc", "oval", "square", "triangle", "cross", "ring", "star", "bar", "crescent")


def masks_of(probe, index, category=None):
    return {
        probe.concepts[number].name: mask
        for number, mask in zip(*probe.labels(index), strict=True)
        if category in (None, probe.concepts[number].category)
    }


@pytest.mark.parametrize("shape", SIZES)
def test_a_colour_is_exactly_where_its_pixels_are(shape):
    """Every pixel's nearest palette entry is the one colour whose mask is True there."""
    probe = Shapes(shape)
    names, palette = zip(*colours(shape[0]).items(), strict=True)
    for index in range(0, 400, 4):
        pixels = probe.read([index])[0].permute(1, 2, 0).numpy()
        nearest = np.linalg.norm(pixels[:, :, None] - np.array(palette), axis=3).argmin(axis=2)
        masks = masks_of(probe, index, "color")
        assert sum(mask.astype(int) for mask in masks.values()).tolist() == np.ones(shape[1:], int).tolist()
        for name, mask in masks.items():
            np.testing.assert_array_equal(mask, nearest == names.index(name))


@pytest.mark.parametrize("shape", SIZES)
def test_scenes_objects_and_parts_fit_together(shape):
    probe = Shapes(shape)
    for index in range(0, 400, 4):
        scenes, objects, parts = (masks_of(probe, index, kind) for kind in ("scene", "object", "part"))
        assert all(mask.all() for mask in scenes.values())
        assert len({"plain-s", "horizon-s", "patterned-s"} & set(scenes)) == 1
        assert not {"single-s", "crowded-s"} <= set(scenes)
        assert ("sky" in objects or "ground" in objects) == ("horizon-s" in scenes)
        assert not any((one & other).any() for one, other in combinations(objects.values(), 2))

        def within(part, *names, objects=objects, parts=parts):
            union = np.any([objects[name] for name in names if name in objects], axis=0)
            return not (parts.get(part, np.False_) & ~union).any()

        assert within("corner", "square", "triangle", "star")
        assert within("end", "bar", "cross", "crescent")
        assert within("rim", "disc", "oval", "square", "triangle", "cross", "star")
        if "single-s" in scenes and "hole" in parts:
            assert not (parts["hole"] & objects["ring"]).any()


def test_a_texture_shows_two_colours_and_a_rim_its_own():
    """In scenes of one figure on a plain ground, the figure's colours can be counted."""
    probe = Shapes((3, 48, 48))
    seen = set()
    for index in range(400):
        masks = masks_of(probe, index)
        if not {"plain-s", "single-s"} <= set(masks):
            continue
        figure = next(masks[name] for name in FIGURES if name in masks)
        used = {name: (mask & figure).sum() / figure.sum() for name, mask in masks.items() if name.endswith("-c")}
        used = {name: share for name, share in used.items() if share}
        textures = masks_of(probe, index, "texture")
        if textures:
            assert [mask.tolist() for mask in textures.values()] == [figure.tolist()]
            assert len(used) == 2
            assert min(used.values()) >= 0.15
        elif "rim" in masks:
            assert len(used) == 2
            assert any((masks[name] & figure == masks["rim"]).all() for name in used)
        else:
            assert len(used) == 1
        ground = {name for name, mask in masks.items() if name.endswith("-c") and (mask & ~figure).any()}
        assert not ground & set(used)  # so that the figure stands out
        seen.add("texture" if textures else "rim" if "rim" in masks else "flat")
    assert seen == {"texture", "rim", "flat"}


@pytest.mark.parametrize("shape", [(1, 40, 40), (3, 24, 60)])
def test_positions_say_where_a_figure_is(shape):
    probe, counted = Shapes(shape), 0
    for index in range(400):
        masks = masks_of(probe, index)
        if "single-s" not in masks:
            continue
        name = next(name for name in FIGURES if name in masks)
        # The bounding box's middle, of figures that the border does not cut; a crescent's is beside its centre.
        rows, columns = (np.flatnonzero(masks[name].any(axis=axis)) for axis in (1, 0))
        cut = rows[0] == 0 or columns[0] == 0 or rows[-1] == shape[1] - 1 or columns[-1] == shape[2] - 1
        if cut or name == "crescent":
            continue
        vertical, horizontal = (
            (found[0] + found[-1] + 1) / size - 1 for found, size in zip((rows, columns), shape[1:], strict=True)
        )
        for position, far in (("left", -horizontal), ("right", horizontal), ("upper", -vertical), ("lower", vertical)):
            if abs(far - 0.3) > 0.15:
                assert (position in masks) == (far > 0.3)
            if position in masks:
                np.testing.assert_array_equal(masks[position], masks[name])
                counted += 1
    assert counted > 10


@pytest.mark.parametrize("channels", [1, 3])
def test_every_concept_is_met_often(channels):
    probe = Shapes((channels, 32, 32))
    images, pixels = np.zeros(len(probe.concepts), int), np.zeros(len(probe.concepts))
    for index in range(len(probe)):
        indices, masks = probe.labels(index)
        assert indices.dtype == np.int64
        assert (np.diff(indices) > 0).all()
        assert masks.dtype == bool
        assert masks.any(axis=(1, 2)).all()
        images[indices] += 1
        pixels[indices] += masks.sum(axis=(1, 2))
    assert len(probe) == 400
    assert len(probe.concepts) == (40 if channels == 1 else 46)
    assert len({concept.name for concept in probe.concepts}) == len(probe.concepts)
    assert list(dict.fromkeys(concept.category for concept in probe.concepts)) == [
        *("scene", "object", "part", "color", "texture", "position")
    ]
    assert images.min() >= 40
    assert (pixels / images).min() > 20  # of 1,024


@pytest.mark.parametrize("channels", [1, 3])
def test_a_scene_looks_alike_at_every_size(channels):
    """The middle pixel of each 3 x 3 at 96 px lies where the pixel at 32 px does: figures must agree there."""
    small, large = Shapes((channels, 32, 32)), Shapes((channels, 96, 96))
    differing = total = 0
    for index in range(0, 400, 8):
        for category in ("scene", "object", "part"):
            ours, theirs = masks_of(small, index, category), masks_of(large, index, category)
            for name in set(ours) | set(theirs):
                one = ours.get(name, np.zeros((32, 32), bool))
                other = theirs.get(name, np.zeros((96, 96), bool))[1::3, 1::3]
                differing, total = differing + (one != other).sum(), total + one.size
    assert differing / total < 1e-4


def test_an_image_depends_on_nothing_but_its_index_and_shape():
    probe, again = Shapes((3, 16, 16)), pickle.loads(pickle.dumps(Shapes((3, 16, 16), images=30)))
    order = [29, 3, 3, 0]
    together = probe.read(order)
    alone = torch.cat([again.read(np.array([index])) for index in order])
    assert (together == alone).all()
    assert together.dtype == torch.float32
    for index in order:
        for one, other in zip(probe.labels(index), again.labels(index), strict=True):
            np.testing.assert_array_equal(one, other)
    assert len(torch.unique(probe.read(range(400)).flatten(1), dim=0)) == 400
    with pytest.raises(IndexError):
        again.read([30])


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([1, 3]), st.integers(1, 40), st.integers(1, 40), st.integers(0, 399))
def test_any_size(channels, height, width, index):
    probe = Shapes((channels, height, width))
    image = probe.read([index])
    assert image.shape == (1, channels, height, width)
    assert float(image.min()) >= 0
    assert float(image.max()) <= 1
    indices, masks = probe.labels(index)
    assert masks.shape == (len(indices), height, width)
    assert masks.any(axis=(1, 2)).all()


def test_the_fingerprint_follows_shape_and_number():
    shapes = [(3, 16, 16), (1, 16, 16), (3, 16, 20)]
    prints = {*(Shapes(shape).fingerprint for shape in shapes), Shapes(shapes[0], images=399).fingerprint}
    assert len(prints) == 4
    assert Shapes(shapes[0]).fingerprint in prints


def test_it_is_fast():
    probe = Shapes((3, 32, 32))
    begin = time.process_time()
    for index in range(40):
        probe.read([index])
        probe.labels(index)
    assert (time.process_time() - begin) / 80 < 0.005  # about 0.001 s


def test_other_channels():
    with pytest.raises(DataError, match="expected a model with 1 or 3 input channels, but it takes 4"):
        Shapes((4, 8, 8))
