"""Phantoms for classification: balanced, told apart by shape alone, and learned quickly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from monai.networks.nets import DenseNet
from PIL import Image
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from trainlib.data.phantom import FINDINGS, make_classification_dataset
from trainlib.data.phantom.findings import MIN_SIZE, draw_findings

SPLITS = ("train", "valid", "test")


def read_rows(folder: Path) -> list[dict[str, Any]]:
    return [row for split in SPLITS for row in pd.read_csv(folder / f"{split}.csv").to_dict("records")]


def read(path: Path) -> np.ndarray:
    if path.suffix == ".png":
        with Image.open(path) as image:
            return np.asarray(image)
    return np.asarray(nib.load(path).dataobj)


def findings(folder: Path, **arguments: Any) -> Path:
    return make_classification_dataset(folder, **{"spatial_dims": 2, "file_format": "png", **arguments})


def test_every_split_holds_every_class_equally_often(tmp_path: Path) -> None:
    folder = findings(tmp_path / "set")
    for split, count in zip(SPLITS, (48, 24, 24), strict=True):
        table = pd.read_csv(folder / f"{split}.csv")
        assert list(table.columns) == ["image", "label"]
        assert table["label"].value_counts().to_dict() == dict.fromkeys(FINDINGS, count // 3)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
    assert found == {row["image"] for row in read_rows(folder)} | {f"{split}.csv" for split in SPLITS}


def test_every_combination_of_findings_is_as_frequent_as_the_others(tmp_path: Path) -> None:
    folder = findings(tmp_path / "set", multilabel=True)
    for split, count in zip(SPLITS, (48, 24, 24), strict=True):
        table = pd.read_csv(folder / f"{split}.csv")
        assert list(table.columns) == ["image", *FINDINGS]
        assert set(table[FINDINGS].to_numpy().ravel()) == {0, 1}
        assert (table.value_counts(FINDINGS) == count // 8).all()
        assert len(table.value_counts(FINDINGS)) == 8


def test_the_class_does_not_follow_from_the_number_of_the_case(tmp_path: Path) -> None:
    # Data type and orientation repeat every 3 and 4 cases; a class that did so too could be read off the header.
    labels = [row["label"] for row in read_rows(findings(tmp_path / "set", cases=(90, 0, 0)))]
    for period in (3, 4):
        for place in range(period):
            assert set(labels[place::period]) == set(FINDINGS)


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("dims", [2, 3])
def test_every_image_shows_as_many_objects_as_its_row_says(
    tmp_path: Path, dims: int, multilabel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[list[np.ndarray]] = []

    def spy(*arguments: Any, **keywords: Any) -> list[np.ndarray]:
        drawn.append(draw_findings(*arguments, **keywords))
        return drawn[-1]

    monkeypatch.setattr("trainlib.data.phantom.classification.draw_findings", spy)
    folder = make_classification_dataset(
        tmp_path / "set", spatial_dims=dims, cases=(16, 0, 0), multilabel=multilabel, seed=1
    )
    for row, masks in zip(read_rows(folder), drawn, strict=True):
        assert len(masks) == (sum(row[name] for name in FINDINGS) if multilabel else 1)
        assert all(mask.any() for mask in masks)
        assert sum(mask.sum() for mask in masks) == np.any(masks, axis=0).sum()  # none covers another


@pytest.mark.parametrize("dims", [2, 3])
def test_kinds_differ_in_shape_and_not_in_volume(dims: int) -> None:
    shape = {2: (80, 80), 3: (48, 48, 48)}[dims]
    volumes = {}
    for name in FINDINGS:
        masks = [
            draw_findings([name], shape, np.ones(dims), np.random.default_rng((dims, seed)))[0] for seed in range(20)
        ]
        volumes[name] = np.mean([mask.sum() for mask in masks])
        filled = [ndimage.binary_fill_holes(mask) for mask in masks]
        holes = [full.sum() - mask.sum() for full, mask in zip(filled, masks, strict=True)]
        # A ball has the least surface for its volume.
        surface = [full.sum() - ndimage.binary_erosion(full).sum() for full in filled]
        roughness = np.mean([s / full.sum() ** (1 - 1 / dims) for s, full in zip(surface, filled, strict=True)])
        assert (min(holes) > 0.3 * masks[0].sum()) == (name == "hollow")
        assert name == "hollow" or max(holes) < 0.02 * masks[0].sum()
        if name == "smooth":
            ball = roughness
        assert (roughness > 1.25 * ball) == (name == "spiculated")
    assert max(volumes.values()) < 1.05 * min(volumes.values())


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", FINDINGS)
def test_objects_lie_inside_the_image_and_show_in_the_smallest_one(dims: int, name: str) -> None:
    inner = tuple([slice(1, -1)] * dims)
    for seed in range(30):
        [mask] = draw_findings([name], (MIN_SIZE,) * dims, np.ones(dims), np.random.default_rng(seed))
        assert mask.sum() > 4
        assert name != "hollow" or ndimage.binary_fill_holes(mask).sum() > mask.sum()
        [mask] = draw_findings([name], (40,) * dims, np.ones(dims), np.random.default_rng(seed))
        assert mask.sum() == mask[inner].sum()


def test_brightness_and_size_of_the_image_tell_nothing(tmp_path: Path) -> None:
    folder = findings(tmp_path / "set", cases=(300, 0, 0))
    table = pd.read_csv(folder / "train.csv")
    images = [read(folder / path).astype(float) for path in table["image"]]
    for measure in (np.mean, np.std, np.median, np.size, lambda image: image.std() / image.mean()):
        values = [measure(image) for image in images]
        for name in FINDINGS:
            assert 0.38 < roc_auc_score(table["label"] == name, values) < 0.62


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Threads that wait for each other on busy cores cost more than they save."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_a_small_network_learns_the_classes_within_seconds(tmp_path: Path) -> None:
    folder = findings(tmp_path / "set")
    data = {}
    for split in ("train", "test"):
        table = pd.read_csv(folder / f"{split}.csv")
        images = np.zeros((len(table), 1, 44, 44), dtype=np.float32)
        for image, path in zip(images, table["image"], strict=True):
            values = read(folder / path).astype(np.float32)
            image[0, : values.shape[0], : values.shape[1]] = (values - values.mean()) / values.std()
        data[split] = torch.as_tensor(images), torch.as_tensor([FINDINGS.index(label) for label in table["label"]])

    torch.manual_seed(0)
    network = DenseNet(2, 1, 3, init_features=16, growth_rate=8, block_config=(2, 2, 2))

    def auroc() -> float:
        network.eval()
        with torch.no_grad():
            scores = network(data["test"][0]).softmax(dim=1).numpy()
        network.train()
        return float(roc_auc_score(data["test"][1], scores, multi_class="ovr"))

    assert 0.3 < auroc() < 0.7
    steps = 60
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    image, label = data["train"]
    for _ in range(steps):
        chosen = torch.randperm(len(image))[:8]
        loss = torch.nn.functional.cross_entropy(network(image[chosen]), label[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    assert auroc() > 0.9


@pytest.mark.parametrize("dims", [2, 3])
def test_nifti_varies_in_orientation_spacing_and_data_type(tmp_path: Path, dims: int) -> None:
    folder = make_classification_dataset(tmp_path / "set", spatial_dims=dims, cases=(12, 0, 0))
    images = [nib.load(folder / row["image"]) for row in read_rows(folder)]
    assert {len(image.shape) for image in images} == {dims}
    assert len({"".join(nib.aff2axcodes(image.affine)) for image in images}) == {2: 3, 3: 4}[dims]
    assert len({image.header.get_zooms() for image in images}) == 12
    kinds = {np.dtype(np.float32), np.dtype({2: np.uint8, 3: np.int16}[dims])}
    assert {image.get_data_dtype() for image in images} == kinds


def test_channels_show_the_finding_bright_and_dark(tmp_path: Path) -> None:
    folder = findings(tmp_path / "set", channels=2, cases=(9, 0, 0))
    for row in read_rows(folder):
        assert list(row) == ["image_0", "image_1", "label"]
        bright, dark = (read(folder / row[f"image_{i}"]).astype(float) for i in range(2))
        tilt = [ndimage.gaussian_filter(image, 1.5) - np.median(image) for image in (bright, dark)]
        assert np.corrcoef(tilt[0].ravel(), tilt[1].ravel())[0, 1] < 0


def test_colour_pictures_have_three_channels(tmp_path: Path) -> None:
    folder = findings(tmp_path / "set", rgb=True, multilabel=True, cases=(8, 0, 0))
    assert all(read(folder / row["image"]).shape[2:] == (3,) for row in read_rows(folder))


@pytest.mark.parametrize("multilabel", [False, True])
def test_same_seed_writes_the_same_files(tmp_path: Path, multilabel: bool) -> None:
    one, two, other = (
        findings(tmp_path / name, cases=(8, 3, 3), multilabel=multilabel, seed=seed)
        for name, seed in (("one", 1), ("two", 1), ("other", 2))
    )
    files = [path.relative_to(one) for path in one.rglob("*.*")]
    assert len(files) == 17
    assert all((one / file).read_bytes() == (two / file).read_bytes() for file in files)
    assert all((one / file).read_bytes() != (other / file).read_bytes() for file in files if file.suffix == ".png")


def test_a_case_does_not_depend_on_how_many_others_there_are(tmp_path: Path) -> None:
    few, many = findings(tmp_path / "few", cases=(2, 0, 0)), findings(tmp_path / "many", cases=(4, 1, 1))
    assert read_rows(few) == read_rows(many)[:2]
    for row in read_rows(few):
        np.testing.assert_array_equal(read(few / row["image"]), read(many / row["image"]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"spatial_dims": 4}, "`spatial_dims` to be 2 or 3, but got 4"),
        ({"cases": (1, -1, 0)}, "`cases` to be three counts"),
        ({"shape": (16, 12)}, "`shape` to be 2 sizes of at least 16 voxels"),
        ({"rgb": True, "channels": 2}, "`rgb` with"),
    ],
)
def test_impossible_arguments_are_named(tmp_path: Path, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        findings(tmp_path / "set", **arguments)
    assert not (tmp_path / "set").exists()
