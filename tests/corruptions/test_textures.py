import numpy as np
import pytest
from PIL import Image

from sparsescope.corruptions import corrupt
from sparsescope.corruptions.textures import frost_textures
from sparsescope.errors import DataError


def test_drawn_frost_is_bright_varied_and_always_the_same():
    textures = frost_textures(None, 1, (224, 224))
    assert len(textures) == 5
    for texture in textures:
        assert texture.shape == (512, 512, 3)
        assert 80 < texture.mean() < 220
        assert 15 < texture.std(axis=(0, 1)).mean() < 60
        grey = texture.mean(axis=2)
        assert np.abs(np.diff(grey, axis=0)).mean() > 3  # crisp, not only haze
    frost_textures.__globals__["_drawn"].cache_clear()
    for texture, again in zip(textures, frost_textures(None, 1, (224, 224)), strict=True):
        np.testing.assert_array_equal(texture, again)


def test_drawn_frost_has_the_tones_of_the_published_textures(shared_data):
    ours, published = frost_textures(None, 1, (224, 224)), frost_textures(shared_data / "frost", 1, (224, 224))
    for texture, other in zip(ours, published, strict=True):
        assert np.abs(texture.mean(axis=(0, 1)) - other.mean(axis=(0, 1))).max() < 15
        assert texture.std() / other.std() == pytest.approx(1, abs=0.35)


@pytest.mark.parametrize(("step", "size"), [(5, (32, 32)), (5, (64, 64)), (1, (300, 500)), (1, (9, 600))])
def test_drawn_frost_is_larger_than_the_image(step, size):
    for texture in frost_textures(None, step, size):
        assert texture.shape[0] > size[0] and texture.shape[1] > size[1]


def write(folder, numbers, shape=(60, 70, 3)):
    for number in numbers:
        Image.fromarray(np.full(shape, 10 * number, np.uint8)).save(folder / f"frost{number}.png")


def test_the_sixth_texture_is_not_used(tmp_path):
    write(tmp_path, range(1, 7), (400, 400, 3))
    seen = corrupt(np.zeros((200, 8, 8, 3), np.uint8), "frost", 3, parameters="imagenet", frost=tmp_path)
    assert set(np.unique(seen)) == {int(0.7 * 10 * number) for number in range(1, 6)}


def test_a_missing_texture_is_named(tmp_path):
    write(tmp_path, (1, 2, 4, 5))
    with pytest.raises(DataError, match=r"Expected the frost textures frost1 to frost5 .* frost3 is not there"):
        corrupt(np.zeros((1, 8, 8, 3), np.uint8), "frost", 1, frost=tmp_path)


def test_a_texture_smaller_than_the_image(tmp_path):
    write(tmp_path, range(1, 6))
    with pytest.raises(DataError, match=r"textures of at least 80 x 80 pixels, but .* has one of 60 x 70"):
        corrupt(np.zeros((1, 80, 80, 3), np.uint8), "frost", 1, frost=tmp_path)
