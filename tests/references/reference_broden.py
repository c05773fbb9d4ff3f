"""A literal reader of Broden's on-disk format; PNGs are decoded by the letter of their standard."""

import csv
import struct
import zlib
from pathlib import Path

import numpy as np

META = ("image", "split", "ih", "iw", "sh", "sw")


def decode_png(data):
    """Return the pixels (h, w, 3) of an RGB PNG of 8 bits that is not interlaced (ISO/IEC 15948)."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    position, packed = 8, b""
    while position < len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        body = data[position + 8 : position + 8 + length]
        if kind == b"IHDR":
            width, height, *rest = struct.unpack(">IIBBBBB", body)
            assert rest == [8, 2, 0, 0, 0]
        packed += body if kind == b"IDAT" else b""
        position += length + 12
    raw, stride = zlib.decompress(packed), 3 * width
    above, rows = [0] * stride, []
    for row in range(height):
        kind, *line = raw[row * (stride + 1) : (row + 1) * (stride + 1)]
        for x in range(stride):
            a, b, c = (line[x - 3] if x > 2 else 0), above[x], (above[x - 3] if x > 2 else 0)
            line[x] = (line[x] + (0, a, b, (a + b) // 2, paeth(a, b, c))[kind]) % 256
        rows.append(line)
        above = line
    return np.array(rows).reshape(height, width, 3)


def paeth(a, b, c):
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def read_broden(folder, index="index.csv"):
    """Yield, for every row of the index, (image path, {label number: bool (sh, sw)})."""
    folder = Path(folder)
    with (folder / index).open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        height, width = int(row["sh"]), int(row["sw"])
        masks = {}
        for category, cell in row.items():
            if category in META:
                continue
            for item in cell.split(";"):
                if item == "":
                    continue
                if item.isdigit():
                    label_map = np.full((height, width), int(item))
                else:
                    rgb = decode_png((folder / "images" / item).read_bytes())
                    label_map = rgb[:, :, 0] + 256 * rgb[:, :, 1]
                for number in set(label_map.ravel().tolist()) - {0}:
                    masks[number] = masks.get(number, np.zeros((height, width), bool)) | (label_map == number)
        yield folder / "images" / row["image"], masks


def read_labels(folder):
    """Return [(number, name, frequency, coverage)] of label.csv, in its order."""
    with (Path(folder) / "label.csv").open() as file:
        return [
            (int(row["number"]), row["name"], int(row["frequency"]), float(row["coverage"]))
            for row in csv.DictReader(file)
        ]
