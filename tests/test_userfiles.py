import pickle
import subprocess
import sys

import pytest

from sparsescope import userfiles
from sparsescope.errors import InputError, OptionError
from sparsescope.userfiles import file_digests, import_file, imported_files, is_object_spec, load_object, object_name


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(userfiles, "_IMPORTED", {})
    monkeypatch.setattr(userfiles, "_APART", set())
    monkeypatch.setattr(userfiles, "_OURS", set())


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.py"
    path.write_text("runs = []\n\nclass Box:\n    size = 3\n\ndef build():\n    return Box()\n\nconstant = 5\n")
    return path


@pytest.mark.parametrize("spec", ["a.py:f", "/x y/a.py:f", "a:f", "a.b.c:f", "C:\\x\\a.py:f"])
def test_object_specs(spec):
    assert is_object_spec(spec)


@pytest.mark.parametrize(
    "spec", ["a.py", "f", ":f", "a:", "a b:f", "a.py:f()", "a..b:f", "npz:data/x.npz", "", "a.py:"]
)
def test_other_specs(spec):
    assert not is_object_spec(spec)
    with pytest.raises(OptionError, match=r"Expected FILE\.py:name or package\.module:name, but got"):
        load_object(spec)


def test_objects_of_files_and_modules(file, monkeypatch):
    assert load_object(f"{file}:constant") == 5
    assert load_object("os.path:join") is __import__("os").path.join
    monkeypatch.chdir(file.parent)
    assert load_object("net.py:Box") is load_object(f"{file}:Box")


def test_an_unchanged_file_runs_once_and_a_changed_one_again(file):
    import_file(file).runs.append(1)
    assert import_file(file).runs == [1]

    file.write_text(file.read_text().replace("size = 3", "size = 4"))  # same size, perhaps the same second

    assert import_file(file).runs == []
    assert load_object(f"{file}:build")().size == 4
    assert not (file.parent / "__pycache__").exists()


def test_files_of_one_name_are_told_apart(file, tmp_path):
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "net.py"
    other.write_text("constant = 6")

    assert (load_object(f"{file}:constant"), load_object(f"{other}:constant")) == (5, 6)
    assert imported_files() == (str(file), str(other))


def test_objects_can_be_unpickled_in_another_process(file):
    box = load_object(f"{file}:build")()
    box.size = 7
    code = (
        "import pickle, sys; from sparsescope.userfiles import import_file; "
        f"[import_file(path) for path in {imported_files()!r}]; "
        "sys.stdout.write(str(pickle.loads(sys.stdin.buffer.read()).size))"
    )

    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(box), capture_output=True, check=True)

    assert done.stdout == b"7"


def test_neighbours_can_be_imported_but_hide_nothing(tmp_path):
    (tmp_path / "neighbour_of_net.py").write_text("value = 8")
    (tmp_path / "colorsys.py").write_text("raise RuntimeError('not this one')")
    (tmp_path / "net.py").write_text(
        "import colorsys\n\ndef now():\n"
        "    from neighbour_of_net import value\n    return value, colorsys.rgb_to_yiq(0, 0, 0)\n"
    )
    for name in ("neighbour_of_net", "colorsys"):
        sys.modules.pop(name, None)

    assert load_object(f"{tmp_path}/net.py:now")() == (8, (0, 0, 0))


def test_the_source_can_be_inspected(file):
    import inspect

    assert inspect.getsource(load_object(f"{file}:Box")).startswith("class Box:")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            "x = 1\ny = undefined\n",
            r"net\.py could not be imported: NameError: name 'undefined' is not defined \(line 2\)\.",
        ),
        ("def f(:\n", r"net\.py could not be imported: SyntaxError: .+ \(line 1\)\."),
        ("import no_such_package\n", r"ModuleNotFoundError: No module named 'no_such_package' \(line 1\)\."),
        ("\nimport json\njson.loads('{')\n", r"JSONDecodeError: .+ \(line 3\)\."),
        ("import sys\nsys.exit(0)\n", "it ends the program. Put what only a script should do under `if __name__"),
        ("x = '\0'", r"could not be imported: SyntaxError|could not be imported: ValueError"),
    ],
)
def test_a_file_that_cannot_be_imported(tmp_path, source, text):
    path = tmp_path / "net.py"
    path.write_text(source)
    before = set(sys.modules)
    with pytest.raises(InputError, match=text):
        load_object(f"{path}:f")
    assert imported_files() == ()
    assert not [name for name in set(sys.modules) - before if "sparsescope_user" in name]


def test_a_failed_change_keeps_the_module_that_worked(file):
    module = import_file(file)
    file.write_text("1 / 0")
    with pytest.raises(InputError, match="ZeroDivisionError"):
        import_file(file)
    assert sys.modules[module.__name__] is module


def test_no_file_and_no_module(tmp_path):
    with pytest.raises(InputError, match=r"Expected a Python file at .*x\.py, but it cannot be read: No such file"):
        load_object(f"{tmp_path}/x.py:f")
    with pytest.raises(
        InputError, match=r"ModuleNotFoundError: No module named 'absent'\. Is it installed, or on PYTHONPATH"
    ):
        load_object("absent.module:f")


@pytest.mark.parametrize(
    ("name", "text"),
    [("biuld", "Did you mean 'build'"), ("zzz", r"It defines Box, build\.$")],
)
def test_a_name_that_is_not_there(file, name, text):
    with pytest.raises(InputError, match=rf"net\.py has no '{name}'\. {text}"):
        load_object(f"{file}:{name}")


def test_a_file_without_functions(tmp_path):
    (tmp_path / "empty.py").write_text("import os\n")
    with pytest.raises(InputError, match=r"has no 'f'\. It defines no functions or classes\."):
        load_object(f"{tmp_path}/empty.py:f")


def test_names_of_specs():
    assert [object_name(spec) for spec in ("a.py:f", "a.b:g", "omp", "npz:x.npz")] == ["f", "g", "omp", "npz:x.npz"]


def test_files_that_are_no_part_of_a_network(file):
    assert load_object(f"{file}:constant", of_network=False) == 5
    assert imported_files() == (str(file),) and file_digests() == ()
    file.write_text(file.read_text().replace("constant = 5", "constant = 6"))
    assert load_object(f"{file}:constant", of_network=False) == 6 and file_digests() == ()
    load_object(f"{file}:build")
    (counted,) = file_digests()
    assert load_object(f"{file}:constant", of_network=False) == 6 and file_digests() == (counted,)


def test_a_file_runs_again_when_a_neighbour_has_changed(tmp_path):
    (tmp_path / "net_deep.py").write_text("value = 1")
    (tmp_path / "net_near.py").write_text("from net_deep import value\nclass Near: pass")
    (tmp_path / "net_other.py").write_text("class Other: pass")
    (tmp_path / "net.py").write_text("from net_near import value, Near\nfrom net_other import Other\n")
    spec = f"{tmp_path}/net.py"
    assert load_object(f"{spec}:value") == 1
    near, other = load_object(f"{spec}:Near"), load_object(f"{spec}:Other")

    (tmp_path / "net_deep.py").write_text("value = 2")  # of the same size, in the same second

    assert load_object(f"{spec}:value") == 2
    assert load_object(f"{spec}:Near") is not near
    assert load_object(f"{spec}:Other") is other  # it imports nothing that changed
    assert not (tmp_path / "__pycache__").exists()
    for name in ("net_deep", "net_near", "net_other"):
        sys.modules.pop(name)


def test_a_neighbour_that_somebody_else_loaded_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    (tmp_path / "net_near.py").write_text("class Near: pass")
    (tmp_path / "net.py").write_text("from net_near import Near\n")
    mine = __import__("net_near").Near
    assert load_object(f"{tmp_path}/net.py:Near") is mine

    (tmp_path / "net_near.py").write_text("class Near: x = 2")

    assert load_object(f"{tmp_path}/net.py:Near") is mine
    sys.modules.pop("net_near")
