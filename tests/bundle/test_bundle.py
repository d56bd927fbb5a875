"""A run becomes a bundle with the parts that MONAI defines."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from trainlib import load_config
from trainlib.bundle.references import loss_of, pipeline_of
from trainlib.bundle.standalone import imported
from trainlib.bundle.writing import write_bundle
from trainlib.config.component import Component
from trainlib.errors import ConfigError
from trainlib.folders.results import load_run


def test_patched_network_and_transforms_come_along_as_scripts(patched_run: Path, tmp_path: Path) -> None:
    bundle = write_bundle(patched_run, tmp_path / "bundle")
    found = {path.name for path in (bundle / "scripts").iterdir()}
    packed = {"cases.py", "formats.py", "naming.py", "saving.py"}
    assert found == packed | {"__init__.py", "nets.py", "network.py", "settings.json", "steps.py"}
    for path in (bundle / "scripts").glob("*.py"):
        assert "trainlib" not in imported(path.read_text())
    assert str(patched_run.parent) not in "".join(path.read_text() for path in (bundle / "scripts").iterdir())


def test_a_bundle_is_tried_without_leaving_a_trace(
    patched_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    bundle = write_bundle(patched_run, tmp_path / "bundle")
    assert not [*bundle.rglob("__pycache__")]
    assert not sys.dont_write_bytecode
    assert str(bundle) not in sys.path
    assert "scripts" not in sys.modules


def test_a_bundle_has_the_parts_that_monai_defines(run: Path, tmp_path: Path) -> None:
    from monai.bundle import ConfigWorkflow

    bundle = write_bundle(run, tmp_path / "bundle")
    for part in ("LICENSE", "docs/README.md", "configs/train.yaml", "models/model.pt", "models/model.ts"):
        assert (bundle / part).stat().st_size > 100
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    scores = load_run(run).scores("test")
    assert metadata["eval_metrics"]["dice"] == pytest.approx(scores["dice"])
    assert f"| dice | {scores['dice']:.4g} |" in (bundle / "docs" / "README.md").read_text()
    assert "- cases: 6 for training, 3 for validation and 3 for test" in (bundle / "docs" / "README.md").read_text()
    files = {"meta_file": str(bundle / "configs" / "metadata.json"), "logging_file": False}
    for name, kind in (("inference", "infer"), ("train", "train")):
        workflow = ConfigWorkflow(str(bundle / "configs" / f"{name}.yaml"), workflow_type=kind, **files)
        found = [n for n, p in workflow.properties.items() if p["required"] and p["id"] not in workflow.parser]
        assert found == []


def test_the_metadata_have_what_the_schema_of_monai_asks_for(run: Path, tmp_path: Path) -> None:
    metadata = json.loads((write_bundle(run, tmp_path / "bundle") / "configs" / "metadata.json").read_text())
    texts = ("version", "monai_version", "pytorch_version", "numpy_version", "task", "description", "authors")
    assert all(isinstance(metadata[name], str) and metadata[name] for name in (*texts, "copyright", "schema"))
    assert metadata["version"] in metadata["changelog"]
    for tensors in metadata["network_data_format"].values():
        for tensor in tensors.values():
            assert isinstance(tensor["num_channels"], int)
            assert all(isinstance(side, int) for side in tensor["spatial_shape"])
            assert [*tensor["channel_def"]] == [str(i) for i in range(tensor["num_channels"])]
            assert isinstance(tensor["is_patch_data"], bool)


def test_the_scripted_network_gives_the_output_of_the_run(run: Path, tmp_path: Path) -> None:
    from trainlib.bundle.trained import open_trained

    bundle = write_bundle(run, tmp_path / "bundle")
    trained = open_trained(run)
    scripted = torch.jit.load(bundle / "models" / "model.ts")
    torch.testing.assert_close(scripted(trained.example), trained.logits(trained.example), rtol=0, atol=1e-4)


def test_weights_of_the_loss_stay_a_tensor(run: Path) -> None:
    from monai.bundle import ConfigParser

    config = load_run(run).config
    loss = config.loss.model_copy(update={"kwargs": config.loss.kwargs | {"weight": [0.5, 1.0, 2.0]}})
    told = loss_of(config.model_copy(update={"loss": loss}))
    built = ConfigParser({"device": "$torch.device('cpu')", "loss": told}).get_parsed_content("loss")
    assert built.cross_entropy.weight.tolist() == [0.5, 1.0, 2.0]


def test_a_bundle_can_be_an_archive(run: Path, tmp_path: Path) -> None:
    archive = write_bundle(run, tmp_path / "bundle", zipped=True)
    assert archive == tmp_path / "bundle.zip"
    assert "bundle/configs/inference.yaml" in zipfile.ZipFile(archive).namelist()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle.zip"]
    with pytest.raises(ConfigError, match=r"bundle\.zip exists already"):
        write_bundle(run, tmp_path / "bundle.zip", zipped=True)


def test_what_is_there_is_not_replaced(run: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    with pytest.raises(ConfigError, match="exists already"):
        write_bundle(run, tmp_path / "bundle")
    with pytest.raises(ConfigError, match="is not a run folder"):
        write_bundle(tmp_path, tmp_path / "other")


@pytest.mark.parametrize(
    "component",
    [
        {"post": [{"trainlib.bundle.packed.saving.SavePredictiond": {"output_dir": "x"}}]},
        {"post": [{"AsDiscreted": {"to_onehot": "@x"}}]},
    ],
)
def test_what_cannot_be_in_a_bundle_is_refused(run: Path, component: dict[str, Any]) -> None:
    config = load_run(run).config
    [(section, [step])] = component.items()
    found = Component.model_validate(step)
    changed = config.model_copy(update={"transforms": config.transforms.model_copy(update={section: [found]})})
    with pytest.raises(ConfigError, match=r"is part of trainlib|would take the value '@x' for an expression"):
        pipeline_of(changed, section)


def test_no_place_of_this_machine_is_in_a_bundle(run: Path, patched_run: Path, tmp_path: Path) -> None:
    for i, source in enumerate((run, patched_run)):
        bundle = write_bundle(source, tmp_path / str(i))
        texts = [path.read_text() for path in bundle.rglob("*") if path.suffix in (".yaml", ".json", ".md", ".py")]
        assert load_config(source / "config.yaml").data.root not in "".join(texts)
        assert yaml.safe_load((bundle / "configs" / "inference.yaml").read_text())["bundle_root"] == "."
