"""A run becomes a bundle that MONAI runs by itself."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from trainlib import load_config, predict
from trainlib.bundle.writing import write_bundle
from trainlib.errors import ConfigError
from trainlib.folders.results import load_run

# A finder that refuses trainlib, as in an environment that does not have it.
_WITHOUT = """
import sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "trainlib":
            raise ModuleNotFoundError("No module named 'trainlib'")
sys.meta_path.insert(0, Refused())
"""


def monai_alone(bundle: Path, *arguments: str) -> None:
    """Run a bundle with MONAI's command line, where trainlib cannot be imported."""
    pytest.importorskip("ignite")
    pytest.importorskip("fire")
    code = f"{_WITHOUT}\nimport runpy\nsys.argv[1:] = {['run', *arguments]!r}\n"
    code += "runpy.run_module('monai.bundle', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=bundle,
        env=os.environ,
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


def compare(run: Path, bundle: Path, out: Path) -> None:
    config = load_run(run).config
    arguments = ["--config_file", "configs/inference.yaml", "--dataset_dir", config.data.root]
    arguments += ["--csv", str(config.data_path(config.data.test_csv or "")), "--output_dir", str(out / "monai")]
    monai_alone(bundle, *arguments)
    expected = list(predicted_by_trainlib(run, out / "trainlib"))
    assert len(expected) >= 2
    assert any(voxels.any() for _, voxels, _ in expected)
    for name, voxels, affine in expected:
        if name.endswith(".png"):
            np.testing.assert_array_equal(np.asarray(Image.open(out / "monai" / name)), voxels)
            continue
        found = nib.load(out / "monai" / name)
        np.testing.assert_array_equal(np.asanyarray(found.dataobj), voxels)
        np.testing.assert_allclose(found.affine, affine, atol=1e-5)


def test_monai_alone_writes_the_voxels_that_trainlib_predicts(run: Path, tmp_path: Path) -> None:
    compare(run, write_bundle(run, tmp_path / "bundle"), tmp_path)


def test_pictures_and_slices_are_written_in_their_own_size(flat_run: Path, tmp_path: Path) -> None:
    compare(flat_run, write_bundle(flat_run, tmp_path / "bundle"), tmp_path)


def test_patched_network_and_transforms_come_along_as_scripts(patched_run: Path, tmp_path: Path) -> None:
    bundle = write_bundle(patched_run, tmp_path / "bundle")
    found = {path.name for path in (bundle / "scripts").iterdir()}
    assert found == {"__init__.py", "nets.py", "network.py", "saving.py", "settings.json", "steps.py"}
    assert "import" not in [
        line.split()[0] for line in (bundle / "scripts" / "nets.py").read_text().splitlines() if "trainlib" in line
    ]
    assert str(patched_run.parent) not in "".join(path.read_text() for path in (bundle / "scripts").iterdir())
    compare(patched_run, bundle, tmp_path)


def test_a_classification_gives_the_probabilities_that_trainlib_predicts(classifier_run: Path, tmp_path: Path) -> None:
    bundle = write_bundle(classifier_run, tmp_path / "bundle")
    opened = load_run(classifier_run)
    config = opened.config
    monai_alone(
        bundle, "--config_file", "configs/inference.yaml", "--dataset_dir", config.data.root,
        "--csv", str(config.data_path("test.csv")), "--output_dir", str(tmp_path / "monai"),
    )  # fmt: skip
    predict(config, opened.checkpoint, out=tmp_path / "trainlib")
    with (tmp_path / "trainlib" / "predictions.csv").open() as file:
        expected = {Path(row["image"]).name: row for row in csv.DictReader(file)}
    with (tmp_path / "monai" / "predictions.csv").open() as file:
        header, *rows = csv.reader(file)
    assert header == ["image", *(f"probability_{cls}" for cls in config.data.classes)]
    found = {Path(name).name: values for name, *values in rows}
    assert found.keys() == expected.keys()
    for name, values in found.items():
        wanted = [float(expected[name][f"probability_{cls}"]) for cls in config.data.classes]
        np.testing.assert_allclose(list(map(float, values)), wanted, atol=1e-5)
    assert not (bundle / "configs" / "train.yaml").exists()
    assert "There is no `configs/train.yaml`" in (bundle / "docs" / "README.md").read_text()


def test_a_bundle_has_the_parts_that_monai_defines(run: Path, tmp_path: Path) -> None:
    from monai.bundle import ConfigWorkflow

    bundle = write_bundle(run, tmp_path / "bundle")
    for part in ("LICENSE", "docs/README.md", "configs/train.yaml", "models/model.pt", "models/model.ts"):
        assert (bundle / part).stat().st_size > 100
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    scores = load_run(run).scores("test")
    assert metadata["eval_metrics"]["dice"] == pytest.approx(scores["dice"])
    assert f"| dice | {scores['dice']:.4g} |" in (bundle / "docs" / "README.md").read_text()
    files = {"meta_file": str(bundle / "configs" / "metadata.json"), "logging_file": False}
    for name, kind in (("inference", "infer"), ("train", "train")):
        workflow = ConfigWorkflow(str(bundle / "configs" / f"{name}.yaml"), workflow_type=kind, **files)
        missing = {"infer": [], "train": []}
        found = [n for n, p in workflow.properties.items() if p["required"] and p["id"] not in workflow.parser]
        assert found == missing[kind]


def test_the_scripted_network_gives_the_output_of_the_run(run: Path, tmp_path: Path) -> None:
    from trainlib.bundle.trained import open_trained

    bundle = write_bundle(run, tmp_path / "bundle")
    trained = open_trained(run)
    scripted = torch.jit.load(bundle / "models" / "model.ts")
    torch.testing.assert_close(scripted(trained.example), trained.logits(trained.example), rtol=0, atol=1e-4)


def test_the_training_goes_on_with_monai_alone(run: Path, tmp_path: Path) -> None:
    bundle = write_bundle(run, tmp_path / "bundle")
    root = load_run(run).config.data.root
    arguments = ["--config_file", "configs/train.yaml", "--dataset_dir", root, "--max_epochs", "1"]
    monai_alone(bundle, *arguments, "--output_dir", str(tmp_path / "out"))
    before = torch.load(bundle / "models" / "model.pt", weights_only=True)
    after = torch.load(tmp_path / "out" / "model.pt", weights_only=True)
    after = after.get("model", after)
    assert after.keys() == before.keys()
    assert any((after[name] != before[name]).any() for name in before)


def test_a_bundle_can_be_an_archive(run: Path, tmp_path: Path) -> None:
    archive = write_bundle(run, tmp_path / "bundle", zipped=True)
    assert archive == tmp_path / "bundle.zip"
    assert "bundle/configs/inference.yaml" in zipfile.ZipFile(archive).namelist()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle.zip"]


def test_what_is_there_is_not_replaced(run: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    with pytest.raises(ConfigError, match="exists already"):
        write_bundle(run, tmp_path / "bundle")
    with pytest.raises(ConfigError, match="is not a run folder"):
        write_bundle(tmp_path, tmp_path / "other")


def test_a_script_that_needs_trainlib_is_refused(patched_run: Path, tmp_path: Path) -> None:
    from trainlib.bundle.scripts import standalone
    from trainlib.errors import PatchError

    script = tmp_path / "model.py"
    script.write_text("from trainlib.metrics import summary\n\n\ndef get_model(config):\n    return summary\n")
    with pytest.raises(PatchError, match=r"model.py:1: a bundle must run without trainlib, and summary comes from it"):
        standalone(script)


def test_no_place_of_this_machine_is_in_a_bundle(run: Path, patched_run: Path, tmp_path: Path) -> None:
    for i, source in enumerate((run, patched_run)):
        bundle = write_bundle(source, tmp_path / str(i))
        texts = [path.read_text() for path in bundle.rglob("*") if path.suffix in (".yaml", ".json", ".md", ".py")]
        assert load_config(source / "config.yaml").data.root not in "".join(texts)
        assert yaml.safe_load((bundle / "configs" / "inference.yaml").read_text())["bundle_root"] == "."
