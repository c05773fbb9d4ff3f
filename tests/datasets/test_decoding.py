"""Pictures are decoded by the formats that are expected alone, up to a size, and no program is ever started."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sparsescope.datasets import open_images
from sparsescope.datasets.decoding import decode, read_label_map
from sparsescope.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
PROGRAM = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 6\n%%EndComments\n{ } loop\n%%EOF\n"


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.tif", "x.ppm"])
def test_no_program_is_started_for_a_picture(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*arguments: object, **options: object) -> None:
        raise AssertionError(f"started {arguments}")

    monkeypatch.setattr("subprocess.Popen", started)
    (tmp_path / name).write_bytes(PROGRAM)
    with pytest.raises(DataError, match=rf"{name} cannot be read \(it is none of JPEG, PNG, .*or damaged\)"):
        open_images(f"folder:{tmp_path}")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "GIF", "WEBP"])
def test_any_of_the_formats_under_any_name(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "x.JPEG"
    picture = Image.fromarray(PIXELS).convert("P") if kind == "GIF" else Image.fromarray(PIXELS)
    picture.save(file, kind, **({"lossless": True} if kind == "WEBP" else {}))
    np.testing.assert_array_equal(decode(file), picture.convert("RGB"))


def test_tiff_where_the_name_says_so(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "x.tif")
    np.testing.assert_array_equal(decode(tmp_path / "x.tif"), PIXELS)
    (tmp_path / "x.tif").rename(tmp_path / "x.png")
    with pytest.raises(ValueError, match="none of"):
        decode(tmp_path / "x.png")


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 7072, 7072, 1, 0, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(DataError, match=r"7072 x 7072 pixels, and at most 50,000,000 are read"):
        open_images(f"folder:{tmp_path}")


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_animation_is_refused_and_one_frame_is_not(tmp_path: Path, kind: str) -> None:
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    frames[0].save(tmp_path / "x.png", kind, save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match="it is animated; save one frame of it"):
        decode(tmp_path / "x.png")
    frames[0].save(tmp_path / "x.png", kind)
    assert decode(tmp_path / "x.png").size == (5, 6)


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    """A pipe would be waited for."""
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(DataError, match=r"x\.png cannot be read \(it is no regular file\)"):
        open_images(f"folder:{tmp_path}")


def test_label_maps_keep_their_numbers(tmp_path: Path) -> None:
    """JPEG does not, and Pillow would cut 16 bits a channel off at 8."""
    file = tmp_path / "x.png"
    Image.fromarray(PIXELS).save(file, "JPEG")
    with pytest.raises(ValueError, match="none of PNG, BMP, PPM, GIF"):
        read_label_map(file)
    rows = b"".join(b"\0" + bytes(6 * 5) for _ in range(6))
    buffer = io.BytesIO(b"")
    buffer.write(b"\x89PNG\r\n\x1a\n")
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 5, 6, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    for kind, data in chunks:
        buffer.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
    file.write_bytes(buffer.getvalue())
    with pytest.raises(ValueError, match="16 bits a channel"):
        read_label_map(file)
