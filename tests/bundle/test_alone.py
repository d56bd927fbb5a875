"""MONAI by itself, where trainlib is not installed, predicts with a bundle what trainlib predicts."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tests.bundle.conftest import train
from tests.conftest import HIPPOCAMPUS, TINY
from trainlib import predict
from trainlib.bundle.writing import write_bundle
from trainlib.folders.results import load_run


def monai_alone(bundle: Path, monai_python: Callable[..., Path], *arguments: str) -> None:
    """Do what the README of a bundle says, in an environment that has what it says and nothing else."""
    install, run = re.findall(r"```sh\n(.*?)\n(.*?)\n```", (bundle / "docs" / "README.md").read_text(), re.DOTALL)[0]
    assert install.startswith("pip install ")
    python, module, *words = shlex.split(run.replace("\\\n", " "))
    assert (python, module) == ("python", "-m")
    places = words.index("--dataset_dir")
    done = subprocess.run(
        [monai_python(install.split()[2:]), "-m", *words[:places], *arguments],
        cwd=bundle,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-9000:]


def predicted_by_trainlib(run: Path, out: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    opened = load_run(run)
    predict(opened.config, opened.checkpoint, out=out)
    for path in sorted(out.glob("*.png")):
        yield path.name, np.asarray(Image.open(path)), np.eye(4)
    for path in sorted(out.glob("*.nii.gz")):
        image = nib.load(path)
        yield path.name, np.asanyarray(image.dataobj), image.affine


def compare(run: Path, bundle: Path, out: Path, monai_python: Callable[..., Path]) -> None:
    config = load_run(run).config
    arguments = ["--dataset_dir", config.data.root, "--csv", str(config.data_path(config.data.test_csv or ""))]
    monai_alone(bundle, monai_python, *arguments, "--output_dir", str(out / "monai"))
    expected = list(predicted_by_trainlib(run, out / "trainlib"))
    assert len(expected) >= 2
    assert any(len(np.unique(voxels)) > 1 for _, voxels, _ in expected)
    assert sorted(path.name for path in (out / "monai").iterdir()) == [name for name, _, _ in expected]
    for name, voxels, affine in expected:
        if name.endswith(".png"):
            np.testing.assert_array_equal(np.asarray(Image.open(out / "monai" / name)), voxels)
            continue
        found = nib.load(out / "monai" / name)
        np.testing.assert_array_equal(np.asanyarray(found.dataobj), voxels)
        np.testing.assert_array_equal(found.affine, affine)
        assert found.header.binaryblock == nib.load(out / "trainlib" / name).header.binaryblock


def test_trainlib_cannot_be_imported_where_bundles_are_tried(monai_python: Callable[..., Path]) -> None:
    code = "import multiprocessing, importlib.util as u; print(u.find_spec('monai') is None, u.find_spec('trainlib'))"
    done = subprocess.run(
        [monai_python(["monai"]), "-E", "-c", code], capture_output=True, text=True, check=True, cwd="/"
    )
    assert done.stdout.split() == ["False", "None"]


def test_monai_alone_writes_the_voxels_that_trainlib_predicts(
    run: Path, tmp_path: Path, monai_python: Callable[..., Path]
) -> None:
    compare(run, write_bundle(run, tmp_path / "bundle"), tmp_path, monai_python)


@pytest.mark.slow
@pytest.mark.skipif(not HIPPOCAMPUS.is_dir(), reason="the hippocampus data set is not here")
def test_monai_alone_writes_the_voxels_of_real_images(tmp_path: Path, monai_python: Callable[..., Path]) -> None:
    run = train(
        tmp_path,
        HIPPOCAMPUS,
        data={"classes": ["background", "anterior", "posterior"], "batch_size": 8, "cache": "none"},
        transforms=TINY["transforms"] | {"post": ["KeepLargestConnectedComponentd"]},
    )
    compare(run, write_bundle(run, tmp_path / "bundle"), tmp_path, monai_python)


@pytest.mark.slow
def test_images_that_share_a_file_name_get_predictions_of_their_own(
    run: Path, tmp_path: Path, monai_python: Callable[..., Path]
) -> None:
    config = load_run(run).config
    rows = (config.data_path("test.csv")).read_text().splitlines()[1:3]
    for i, row in enumerate(rows):
        (tmp_path / f"p{i}").mkdir()
        shutil.copy(config.data_path(row.split(",")[0]), tmp_path / f"p{i}" / "t1.nii.gz")
    (tmp_path / "cases.csv").write_text("image\np0/t1.nii.gz\n\n p1/t1.nii.gz\n")
    bundle = write_bundle(run, tmp_path / "bundle")
    monai_alone(bundle, monai_python, "--dataset_dir", str(tmp_path), "--output_dir", str(tmp_path / "out"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["p0_t1.nii.gz", "p1_t1.nii.gz"]


@pytest.mark.slow
def test_pictures_and_slices_are_written_in_their_own_size(
    flat_run: Path, tmp_path: Path, monai_python: Callable[..., Path]
) -> None:
    compare(flat_run, write_bundle(flat_run, tmp_path / "bundle"), tmp_path, monai_python)


@pytest.mark.slow
def test_patched_network_and_transforms_do_the_same_in_the_bundle(
    patched_run: Path, tmp_path: Path, monai_python: Callable[..., Path]
) -> None:
    compare(patched_run, write_bundle(patched_run, tmp_path / "bundle"), tmp_path, monai_python)


@pytest.mark.slow
def test_a_classification_gives_the_table_that_trainlib_predicts(
    classifier_run: Path, tmp_path: Path, monai_python: Callable[..., Path]
) -> None:
    bundle = write_bundle(classifier_run, tmp_path / "bundle")
    opened = load_run(classifier_run)
    config = opened.config
    arguments = ["--dataset_dir", config.data.root, "--csv", str(config.data_path("test.csv"))]
    monai_alone(bundle, monai_python, *arguments, "--output_dir", str(tmp_path / "monai"))
    predict(config, opened.checkpoint, out=tmp_path / "trainlib")
    expected = pd.read_csv(tmp_path / "trainlib" / "predictions.csv")
    found = pd.read_csv(tmp_path / "monai" / "predictions.csv")
    pd.testing.assert_frame_equal(found, expected, rtol=0, atol=1e-6)
    assert not (bundle / "configs" / "train.yaml").exists()
    assert "There is no `configs/train.yaml`" in (bundle / "docs" / "README.md").read_text()


@pytest.mark.slow
def test_the_training_goes_on_with_monai_alone(run: Path, tmp_path: Path, monai_python: Callable[..., Path]) -> None:
    bundle = write_bundle(run, tmp_path / "bundle")
    readme = bundle / "docs" / "README.md"
    readme.write_text(readme.read_text().replace("configs/inference.yaml --dataset", "configs/train.yaml --dataset"))
    root = load_run(run).config.data.root
    arguments = ["--dataset_dir", root, "--max_epochs", "1", "--output_dir", str(tmp_path / "out")]
    monai_alone(bundle, monai_python, *arguments)
    before = torch.load(bundle / "models" / "model.pt", weights_only=True)
    after = torch.load(tmp_path / "out" / "model.pt", weights_only=True)
    after = after.get("model", after)
    assert after.keys() == before.keys()
    assert any((after[name] != before[name]).any() for name in before)
