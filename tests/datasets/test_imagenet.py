import zipfile

import numpy as np
import pytest
from PIL import Image

from sparsescope.datasets import open_benchmark, open_images
from sparsescope.datasets.imagenet import synsets
from sparsescope.errors import DataError, SparsescopeWarning

FISH, SHARK, COCK, TOILET_PAPER = "n01440764", "n01484850", "n01514668", "n15075141"


def write(folder, *synsets_, size=(8, 8)):
    for seed, synset in enumerate(synsets_):
        (folder / synset).mkdir(parents=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / synset / "1.png")
    return folder


def test_the_synsets_are_the_thousand_in_order():
    assert len(synsets()) == len(set(synsets())) == 1000
    assert list(synsets()) == sorted(synsets())
    assert (synsets()[0], synsets()[2], synsets()[7], synsets()[999]) == (FISH, SHARK, COCK, TOILET_PAPER)


def test_the_synsets_fit_torchvisions_names(shared_data):
    """The archive's file names say both: n01440764_tench.JPEG."""
    from torchvision.models import ResNet50_Weights

    with zipfile.ZipFile(shared_data / "imagenet" / "val1000_224.zip") as archive:
        stems = [name.rpartition("/")[2].removesuffix(".JPEG") for name in archive.namelist() if "." in name]
    named = {stem[:9]: stem[10:].replace("_", " ").lower() for stem in stems}
    published = [name.lower() for name in ResNet50_Weights.IMAGENET1K_V2.meta["categories"]]
    alike = [named[synset] == name for synset, name in zip(synsets(), published, strict=True)]
    assert np.mean(alike) > 0.85  # spelling differs for some; in another order next to none would fit


def test_folders_of_some_classes_keep_the_models_numbers(tmp_path):
    benchmark = open_benchmark(f"imagenet:{write(tmp_path, TOILET_PAPER, SHARK)}", resize=8, crop=8)
    assert benchmark.test.labels.tolist() == [2, 999]
    assert benchmark.classes[2] == "great white shark"
    assert len(benchmark.classes) == 1000
    assert benchmark.outputs is None


def test_val_and_train_lie_in_one_folder_and_need_not_have_the_same_classes(tmp_path):
    write(tmp_path / "val", SHARK)
    write(tmp_path / "train", FISH, SHARK)
    benchmark = open_benchmark(f"imagenet:{tmp_path}", resize=8, crop=8)
    assert benchmark.test.labels.tolist() == [2]
    assert benchmark.train.labels.tolist() == [0, 2]


def test_images_are_resized_to_256_and_cropped_to_224_unless_told_otherwise(tmp_path):
    spec = f"imagenet:{write(tmp_path, FISH, size=(300, 400))}"
    assert open_images(spec).shape == (3, 224, 224)
    assert open_images(spec, crop=64).shape == (3, 64, 64)


@pytest.mark.parametrize("scheme", ["imagenet-a", "imagenet-r"])
def test_subsets_are_numbered_by_themselves_and_cut_the_outputs(tmp_path, scheme):
    write(tmp_path, TOILET_PAPER, COCK, SHARK)
    with pytest.warns(SparsescopeWarning, match=r"the published set has 200 classes, but .* has 3"):
        benchmark = open_benchmark(f"{scheme}:{tmp_path}", resize=8, crop=8)
    assert benchmark.test.labels.tolist() == [0, 1, 2]
    assert benchmark.outputs == (2, 7, 999)
    assert benchmark.classes == ("great white shark", "cock", "toilet tissue")
    assert benchmark.test.source.endswith("(outputs cut to its 3 classes)")


def test_the_whole_subset_gives_no_warning(tmp_path):
    write(tmp_path, *synsets()[::5])
    assert open_benchmark(f"imagenet-r:{tmp_path}", resize=8, crop=8).outputs == tuple(range(0, 1000, 5))


def test_imagenet_o_stands_beside_the_validation_images_of_its_classes(tmp_path):
    write(tmp_path / "o", FISH, COCK)
    write(tmp_path / "val", FISH, SHARK)
    with pytest.warns(SparsescopeWarning, match="the published set has 200 classes"):
        benchmark = open_benchmark(
            f"imagenet:{tmp_path / 'val'}", ood=[f"imagenet-o:{tmp_path / 'o'}", "textures"], resize=40, crop=40
        )
    assert benchmark.ood_outputs == {"imagenet-o": (0, 7)}
    assert list(benchmark.ood) == ["imagenet-o", "textures"]


@pytest.mark.filterwarnings("ignore:.*the published set has 200 classes")
def test_imagenet_o_beside_other_data_or_as_test_set_is_refused(tmp_path):
    spec = f"imagenet-o:{write(tmp_path, FISH, COCK)}"
    with pytest.raises(DataError, match="expected test images imagenet:DIR, but got digits"):
        open_benchmark("digits", ood=[spec])
    with pytest.raises(DataError, match=r"has none of the classes\. Use it with --ood"):
        open_benchmark(spec)
    with pytest.raises(DataError, match="expected test images imagenet:DIR, but got imagenet-r:"):
        open_benchmark(f"imagenet-r:{tmp_path}", ood=[spec], resize=8, crop=8)


def test_other_folders_are_refused(tmp_path):
    write(tmp_path / "mixed", FISH, "n00000001")
    with pytest.raises(DataError, match=r"such as n01440764, in .*, but 1 are not: n00000001\.$"):
        open_benchmark(f"imagenet:{tmp_path / 'mixed'}")
    write(tmp_path / "animals", "cat")
    with pytest.raises(DataError, match=r"1 are not: cat. A folder of other classes is folder:DIR"):
        open_benchmark(f"imagenet:{tmp_path / 'animals'}")
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "ILSVRC2012_val_00000001.JPEG").touch()
    with pytest.raises(DataError, match="sort them into class folders first"):
        open_benchmark(f"imagenet:{tmp_path / 'flat'}")
    with pytest.raises(DataError, match=r"expected a folder, but .* does not exist"):
        open_benchmark(f"imagenet-r:{tmp_path / 'none'}")
