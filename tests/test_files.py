"""Files are written completely or not at all."""

import time
from pathlib import Path

import pytest

from sparsescope.errors import InputError
from sparsescope.files import csv_table, is_inside, parse_toml, read_json, read_toml, replacing, write_atomically


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, b"one")
    write_atomically(str(path), b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt()])
def test_whatever_goes_wrong_the_older_file_stays_alone(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, b"older")
    with pytest.raises(type(error)), replacing(path) as partial:
        partial.write_bytes(b"half")
        raise error
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match=r"Cannot write .*a\.txt: No space left on device\."):
        write_atomically(tmp_path / "a.txt", b"x")
    assert not list(tmp_path.iterdir())


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file or directory"):
        write_atomically(tmp_path / "absent" / "a.txt", b"x")


def test_deep_and_large_texts_are_errors_and_no_crashes(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for text in ("[" * 100_000, "[" * 101 + "]" * 101, '{"a":' * 5000):
        path.write_text(text)
        with pytest.raises(ValueError, match="nested too deeply"):
            read_json(path)
    path.write_text(f"[{'[],' * 1_000_000}[]]")
    with pytest.raises(ValueError, match="more than 1,000,000 lists"):
        read_json(path)
    path.write_text("[" * 99 + "]" * 99)
    assert read_json(path)
    with path.open("wb") as file:
        file.truncate(2**25 + 1)
    with pytest.raises(ValueError, match="larger than 32,768 kB"):
        read_json(path)
    with pytest.raises(ValueError, match="larger than 256 kB"):
        read_toml(path)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5000,
        "a = " + "[" * 101 + "]" * 101,
        "a = " + "9" * 5000,
        "a." * 101 + "a = 1",
        '"." . ' * 120 + "a = 1",
    ],
)
def test_toml_that_would_break_its_reader(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_toml(text)


def test_toml_keys_of_100_000_parts_take_no_time() -> None:
    """Python's own reader takes minutes: its time grows with the square of the parts."""
    started = time.process_time()
    with pytest.raises(ValueError, match="more than 100 parts"):
        parse_toml("a." * 100_000 + "a = 1")
    parse_toml(f"grid = [{'0.25, ' * 20_000}]\nname = '{'a' * 100_000}'")
    assert time.process_time() - started < 2


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", ".."])
def test_paths_that_lead_out_of_their_folder(name: str) -> None:
    assert not is_inside(name)
    assert is_inside("a/b.png") and is_inside("..a/b..")


def test_cells_of_a_table() -> None:
    table = csv_table(["layer", "difference"], [["=HYPERLINK(1)", -0.5], ['conv"1\x1b[2J', None]])
    assert table.decode() == 'layer,difference\n\'=HYPERLINK(1),-0.5\n"conv""1\\x1b[2J",\n'
