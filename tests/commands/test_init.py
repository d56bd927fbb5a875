"""`trainlib init`: what it writes fits the data, works as it is, and replaces nothing."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import nbformat
import nibabel as nib
import numpy as np
import pytest
import torch
import yaml
from jsonschema import ValidationError
from jsonschema.validators import validator_for
from PIL import Image

import trainlib
from trainlib import load_config
from trainlib.build.components import build_loss, build_model, build_optimizer
from trainlib.build.pipelines import build_pipeline
from trainlib.check.checks import check_data
from trainlib.commands.init import Project, Request, init
from trainlib.commands.init.templates import flow
from trainlib.config.load import read_config
from trainlib.errors import InputError
from trainlib.preflight import component_problems, quick_problems
from trainlib.run import fit

Cli = Callable[..., subprocess.CompletedProcess[str]]
KINDS = [("segmentation", 2), ("segmentation", 3), ("classification", 2), ("classification", 3)]
ONE_BATCH = ["trainer.max_epochs=1", "trainer.limit_train_batches=1", "data.limit_cases=4", "data.num_workers=0"]
QUICK = [*ONE_BATCH, "emissions=null", "progress=null", "report=null"]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No repository around the folder of the test."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


# Two of the four differ in task and dimensions; the others take as long again.
PARAMS = [
    pytest.param(kind, id="{}-{}d".format(*kind), marks=[pytest.mark.slow] * slow)
    for kind, slow in zip(KINDS, (True, False, False, True), strict=True)
]


@pytest.fixture(scope="module", params=PARAMS)
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with generated data."""
    task, dims = request.param
    return init(Request(tmp_path_factory.mktemp("project") / "demo", task=task, dims=dims, demo=True))


def errors_of(project: Project, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Check the data of a project, from its folder."""
    monkeypatch.chdir(project.folder)
    return [str(finding) for finding in check_data(load_config("config.yaml")).findings if finding.severity == "error"]


def settings(project: Project, name: str = "config.yaml") -> Any:
    return yaml.safe_load((project.folder / name).read_text())


def pictures(folder: Path, names: Sequence[str], values: Sequence[int] | None = None) -> None:
    """Write pictures that differ, or label maps that hold some values."""
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        array = np.random.default_rng(number).integers(0, 250, (24, 32), np.uint8)
        if values is not None:
            array = np.zeros((24, 32), np.uint8)
            array[: len(values)] = np.array(values)[:, None]
        Image.fromarray(array).save(folder / name)


def make(project: Project, *targets: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", *targets]
    text = {"capture_output": True, "text": True}
    return subprocess.run(command, cwd=project.folder, env=os.environ | environment, check=False, **text)


def nifti(path: Path, values: np.ndarray, spacing: tuple[float, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values, np.diag([*spacing, 1.0])), path)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Eight scans of two channels each, and label maps of 0, 2 and 5, stored from back to front."""
    folder = tmp_path / "scans"
    for number in range(8):
        label = np.zeros((40, 32, 21), np.uint8)
        label[10:20, 10:20, 5:15] = 2
        label[12:15, 12:15, 8:10] = 5
        nifti(folder / "labelsTr" / f"p{number}.nii.gz", label, (0.5, 0.8, 3.0))
        for channel in range(2):
            image = np.float32(label) + np.random.default_rng(number).random(label.shape, np.float32)
            nifti(folder / "imagesTr" / f"p{number}_{channel:04d}.nii.gz", image, (0.5, 0.8, 3.0))
    return folder


# What comes out works


def test_the_data_of_a_demo_pass_the_check_and_a_batch_is_trained(
    demo: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(demo.folder)
    assert [finding for finding in check_data(load_config("config.yaml")).findings if finding.severity != "note"] == []
    run = fit(load_config("config.yaml", QUICK))
    assert run.metrics["train/loss"].notna().all()
    assert set(run.cases["split"]) == {"valid", "test"}


@pytest.mark.slow
def test_the_smoke_training_needs_generated_data_alone(demo: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainlib.data.phantom import make_classification_dataset, make_dataset

    monkeypatch.chdir(demo.folder)
    make = make_dataset if demo.facts.task == "segmentation" else make_classification_dataset
    file_format = "nifti" if demo.facts.dims == 3 else "png"
    make(Path(".smoke/data"), spatial_dims=demo.facts.dims, file_format=file_format, cases=(6, 3, 3))
    config = load_config(["config.yaml", "smoke.yaml"], ["data.num_workers=0", "report=null"])
    assert Path(config.data.root) == demo.folder / ".smoke" / "data"
    run = fit(config)
    assert run.folder.path == demo.folder / ".smoke" / "runs" / "smoke"
    assert len(run.metrics) == 1


def test_an_editor_finds_no_mistake_by_the_schema(demo: Project) -> None:
    schema = json.loads((demo.folder / "schema.json").read_text())
    editor = validator_for(schema)(schema)
    for name in ("config.yaml", "smoke.yaml"):
        text = (demo.folder / name).read_text()
        assert text.splitlines()[0] == "# yaml-language-server: $schema=schema.json"
        content = yaml.safe_load(text)
        editor.validate(content)
        with pytest.raises(ValidationError, match="batchsize"):
            editor.validate(content | {"data": content["data"] | {"batchsize": 2}})


def test_every_example_of_a_patch_works(demo: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo.folder)
    text = Path("config.yaml").read_text()
    Path("patched.yaml").write_text(re.sub("^# ", "", text[text.index("# patch:") :], flags=re.MULTILINE))
    config = load_config(["config.yaml", "patched.yaml"], ["transforms.base=[ClipPercentilesd]"])
    assert set(config.patch.model_dump()) == {"transforms", "model", "loss", "optimizer"}
    assert all(path for _, path in config.patch)
    network = build_model(config)
    assert type(network).__name__ == ("BasicUNet" if demo.facts.task == "segmentation" else "ResNet")
    logits = network(torch.zeros(2, 1, *config.roi_size))
    target = torch.zeros(2, 1, *config.roi_size) if demo.facts.task == "segmentation" else torch.zeros(2).long()
    assert float(build_loss(config)(logits, target)) > 0
    assert type(build_optimizer(config, network.parameters())).__name__ == "SGD"
    image = torch.arange(1000.0).reshape(1, *(10,) * 3 if config.data.spatial_dims == 3 else (20, 50))
    clipped = build_pipeline(config, "base", with_label=False)({"image": image})["image"]
    assert (float(clipped.min()), float(clipped.max())) == pytest.approx((4.995, 994.005))


def test_each_line_of_the_patches_works_alone(demo: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo.folder)
    text = Path("config.yaml").read_text()
    for kind in ("transforms", "model", "loss", "optimizer"):
        begun = text.replace("\n# patch:", "\npatch:")
        Path("one.yaml").write_text(begun.replace(f"\n#   {kind}: patches/", f"\n  {kind}: patches/"))
        own = [] if kind != "transforms" else ["transforms.base=[LoadImaged,EnsureChannelFirstd,ClipPercentilesd]"]
        loaded = read_config("one.yaml", own)
        assert loaded.config is not None
        assert [name for name, path in loaded.config.patch if path] == [kind]
        assert [*quick_problems(loaded), *component_problems(loaded)] == []
    Path("one.yaml").unlink()


def test_the_example_of_a_transform_treats_channels_apart_and_leaves_labels_alone(tmp_path: Path) -> None:
    project = init(Request(tmp_path / "mine"))
    names = runpy.run_path(str(project.folder / "patches" / "transforms.py"))
    image = torch.stack([torch.arange(1001.0), 10 * torch.arange(1001.0)]).reshape(2, 7, 11, 13)
    done = names["ClipPercentilesd"](lower=10.0, upper=80.0)({"image": image, "label": image})
    bounds = [(channel.min().item(), channel.max().item()) for channel in done["image"]]
    assert np.allclose(bounds, [(100, 800), (1000, 8000)])
    assert done["label"] is image


def test_make_calls_the_commands(demo: Project) -> None:
    done = make(demo, "-n", "check", "fit", "report", "smoke", "RUN=runs/demo")
    kind = {"segmentation-2": " --dims 2", "segmentation-3": "", "classification-3": " --task classification"}
    options = kind.get(f"{demo.facts.task}-{demo.facts.dims}", " --dims 2 --task classification")
    commands = [line for line in done.stdout.splitlines() if line.startswith("trainlib")]
    assert commands == [
        "trainlib check -c config.yaml",
        "trainlib fit -c config.yaml",
        'trainlib report "runs/demo"',
        *([] if (demo.folder / ".smoke" / "data").exists() else [f"trainlib phantom .smoke/data{options}"]),
        "trainlib check -c config.yaml -c smoke.yaml",
        "trainlib fit -c config.yaml -c smoke.yaml",
    ]


def test_make_reports_the_run_that_began_last_whatever_its_name(tmp_path: Path) -> None:
    project = init(Request(tmp_path / "mine"))
    nothing = make(project, "report", TRAINLIB="false")
    assert (nothing.returncode, nothing.stderr.splitlines()[0]) == (2, "There is no run yet: make fit")
    for time, name in enumerate(("an older run", "the newest run", "another"), 1):
        (project.folder / "runs" / name).mkdir(parents=True)
        config = project.folder / "runs" / name / "config.yaml"
        config.touch()
        os.utime(config, (time, time if name != "another" else 0))
    assert make(project, "-n", "report").stdout.splitlines()[-1] == 'trainlib report "runs/the newest run"'


def test_make_finds_tensorboard_beside_trainlib(tmp_path: Path) -> None:
    project = init(Request(tmp_path / "mine"))
    for folder in ("environment", "path"):
        (tmp_path / folder).mkdir()
    for name in ("trainlib", "tensorboard"):
        (tmp_path / "environment" / name).touch(mode=0o755)
    (tmp_path / "path" / "trainlib").symlink_to(tmp_path / "environment" / "trainlib")
    for name in ("make", "sh", "ls", "head", "sed"):
        (tmp_path / "path" / name).symlink_to(shutil.which(name) or name)
    done = make(project, "-n", "tensorboard", PATH=str(tmp_path / "path"))
    assert done.stdout.splitlines() == [f'"{tmp_path}/environment/tensorboard" --logdir runs']


def test_the_workflow_installs_trainlib_and_calls_a_target_that_there_is(tmp_path: Path) -> None:
    project = init(Request(tmp_path / "mine"))
    workflow = settings(project, ".github/workflows/ci.yml")
    assert workflow[True] == ["push", "pull_request"]  # `on` to YAML 1.1, and to GitHub itself
    [job] = workflow["jobs"].values()
    steps = [step["run"].partition("#")[0].strip() for step in job["steps"] if "run" in step]
    assert steps == ["pip install -r requirements.txt", "make smoke"]
    requirements = (project.folder / "requirements.txt").read_text()
    assert f"trainlib=={trainlib.__version__}" in requirements.splitlines()
    assert make(project, "-n", "smoke").returncode == 0


@pytest.mark.slow
def test_make_smoke_passes_twice(scans: Path, tmp_path: Path) -> None:
    project = init(Request(tmp_path / "mine", data=scans))
    for _ in range(2):
        done = make(project, "smoke", TRAINLIB=f"{sys.executable} -m trainlib")
        assert done.returncode == 0, done.stderr
    assert [path.name for path in (project.folder / ".smoke" / "runs").iterdir() if path.name[0] != "."] == ["smoke"]


@pytest.mark.slow
def test_make_check_and_make_fit_pass(demo: Project) -> None:
    command = f"TRAINLIB={sys.executable} -m trainlib"
    words = ["make", "check", "fit", command]
    done = subprocess.run(words, cwd=demo.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [run] = [path for path in (demo.folder / "runs").glob("demo*") if (path / "report.html").is_file()]
    assert len((run / "logs" / "metrics.csv").read_text().splitlines()) == 21


# Notebooks


def test_the_notebooks_are_valid(demo: Project) -> None:
    for name in ("data", "run"):
        notebook = nbformat.read(demo.folder / "notebooks" / f"{name}.ipynb", as_version=4)
        nbformat.validate(notebook)
        assert all(not cell.get("outputs") for cell in notebook.cells)


def test_the_cells_of_the_notebooks_run(demo: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    matplotlib.use("Agg")
    shown: dict[str, tuple[object, ...]] = {}
    for name in ("view", "view_batch", "view_run"):  # they draw, which is tested with them
        monkeypatch.setattr(trainlib, name, lambda *given, name=name, **_: shown.update({name: given}), raising=False)
    monkeypatch.chdir(demo.folder)
    if not Path("runs").exists():
        fit(load_config("config.yaml", QUICK))
    for name in ("data", "run"):
        notebook = nbformat.read(f"notebooks/{name}.ipynb", as_version=4)
        monkeypatch.chdir(demo.folder / "notebooks")
        names: dict[str, object] = {}
        for cell in notebook.cells:
            if cell.cell_type == "code":
                exec(cell.source, names)
        assert Path.cwd() == demo.folder
    images, *labels = shown["view"]
    assert all(Path(str(image)).is_file() for image in images)  # type: ignore[attr-defined]
    assert len(labels) == (demo.facts.task == "segmentation")
    [loader] = shown["view_batch"]
    assert loader.batch_size == load_config("config.yaml").data.batch_size
    [run] = shown["view_run"]
    assert (run / "cases.csv").is_file()


# Data


def test_channels_classes_spacing_and_window_are_those_of_the_files(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = init(Request(tmp_path / "mine", data=scans))
    content = yaml.safe_load((project.folder / "config.yaml").read_text())
    data = content["data"]
    assert data["root"] == scans.as_posix()
    assert data["train_csv"] == (tmp_path / "mine" / "data" / "train.csv").as_posix()
    assert data["image_cols"] == ["image_0000", "image_0001"]
    assert data["classes"] == ["background", "class_2", "class_5"]
    assert data["label_map"] == {2: "class_2", 5: "class_5"}
    assert (data["spatial_dims"], data["channels"]) == (3, 1)
    steps = {next(iter(step)): step for step in content["transforms"]["base"] if isinstance(step, dict)}
    assert steps["Spacingd"] == {"Spacingd": {"pixdim": [0.5, 0.8, 3.0]}}
    assert content["transforms"]["train"][0] == {"SpatialPadd": {"spatial_size": [40, 32, 24]}}
    monkeypatch.chdir(project.folder)
    assert [f for f in check_data(load_config("config.yaml")).findings if f.severity == "error"] == []
    load_config(["config.yaml", "smoke.yaml"])
    assert "phantom .smoke/data --channels 2" in (project.folder / "Makefile").read_text()


def test_data_in_the_project_are_named_from_there(scans: Path, tmp_path: Path) -> None:
    shutil.move(scans, tmp_path / "mine" / "data")
    project = init(Request(tmp_path / "mine", data=tmp_path / "mine" / "data"))
    data = yaml.safe_load((project.folder / "config.yaml").read_text())["data"]
    assert (data["root"], data["train_csv"], data["test_csv"]) == ("data", "train.csv", "test.csv")


def test_generated_data_for_ci_keep_their_label_values_where_yours_are_others(scans: Path, tmp_path: Path) -> None:
    smoke = settings(init(Request(tmp_path / "mine", data=scans)), "smoke.yaml")["data"]
    assert smoke["classes"] == ["background", "organ", "lesion"]
    assert smoke["label_map"] == {2: 2, 5: "organ"}  # which an overlay cannot take away


def test_pictures_that_are_numbered_through_are_cases_and_no_channels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"cell_{number:04d}.PNG" for number in range(6)]
    pictures(tmp_path / "cells" / "images", names)
    pictures(tmp_path / "cells" / "masks", names, [128, 255])
    project = init(Request(tmp_path / "mine", data=tmp_path / "cells"))
    assert settings(project)["data"]["image_cols"] == ["image"]
    assert settings(project)["data"]["label_map"] == {128: "class_128", 255: "class_255"}
    assert errors_of(project, monkeypatch) == []


def test_images_of_several_formats_are_all_taken(tmp_path: Path) -> None:
    names = ["a.png", "b.JPG", "c.jpeg", "d.bmp"]
    pictures(tmp_path / "cells" / "images", names)
    pictures(tmp_path / "cells" / "labels", [f"{name[0]}.png" for name in names], [1])
    project = init(Request(tmp_path / "first", data=tmp_path / "cells"))
    assert project.division is not None
    assert project.division.rows[0].cells["all"] == "4"
    (tmp_path / "cells" / "images" / "read.me").touch()
    with pytest.raises(InputError, match=r"images: holds .JPG, .bmp, .jpeg and .png files, and others such as read.me"):
        init(Request(tmp_path / "second", data=tmp_path / "cells"))


def test_folders_named_after_classes_need_no_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("benign", "malignant"):
        pictures(tmp_path / "moles" / name, [f"{number}{name}.png" for number in range(4)], [len(name)])
    (tmp_path / "moles" / "notes").mkdir()
    with pytest.raises(InputError, match=r"labels .*--label 'PATTERN', or --task classification where whole images"):
        init(Request(tmp_path / "mine", data=tmp_path / "moles"))
    project = init(Request(tmp_path / "mine", task="classification", data=tmp_path / "moles"))
    data = settings(project)["data"]
    assert (data["label_cols"], data["classes"]) == (["label"], ["benign", "malignant"])
    rows = [line for csv in ("train", "valid", "test")
            for line in (project.folder / "data" / f"{csv}.csv").read_text().splitlines()[1:]]  # fmt: skip
    assert sorted(rows) == [f"{name}/{n}{name}.png,{name}" for name in ("benign", "malignant") for n in range(4)]


def test_single_slices_stored_as_volumes_are_two_dimensional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    label = np.zeros((24, 32, 1), np.uint8)
    label[4:12, 4:12] = 1
    for number in range(4):
        image = label + np.random.default_rng(number).random(label.shape, np.float32)
        nifti(tmp_path / "slices" / "images" / f"{number}.nii.gz", image, (0.5, 0.75, 6.0))
        nifti(tmp_path / "slices" / "labels" / f"{number}.nii.gz", label, (0.5, 0.75, 6.0))
    project = init(Request(tmp_path / "mine", data=tmp_path / "slices"))
    content = settings(project)
    assert content["data"]["spatial_dims"] == 2
    assert {"Spacingd": {"pixdim": [0.5, 0.75]}} in content["transforms"]["base"]
    assert errors_of(project, monkeypatch) == []


def test_the_column_of_the_patients_is_used_where_csvs_have_one(tmp_path: Path) -> None:
    from trainlib.data.phantom import make_classification_dataset

    folder = make_classification_dataset(tmp_path / "cells", spatial_dims=2, cases=(3, 3, 3))
    for number, name in enumerate(("Patient_ID", "group")):
        for csv in folder.glob("*.csv"):
            header, *rows = (line.split(",")[:2] for line in csv.read_text().splitlines())
            csv.write_text("\n".join(",".join(row) for row in [[*header, name], *([*row, row[0]] for row in rows)]))
        data = settings(init(Request(tmp_path / str(number), data=folder)))["data"]
        assert (data["label_cols"], data["group_col"]) == (["label"], name)


def test_a_project_around_its_data_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{number}.png" for number in range(4)]
    pictures(tmp_path / "mine" / "cells [1]" / "images", names)
    pictures(tmp_path / "mine" / "cells [1]" / "masks", names, [1])
    project = init(Request(tmp_path / "mine", data=tmp_path / "mine" / "cells [1]"))
    data = settings(project)["data"]
    assert (data["root"], data["train_csv"]) == ("cells [1]", "../data/train.csv")
    shutil.move(project.folder, tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert quick_problems(read_config("config.yaml")) == []
    ignored = subprocess.run(["git", "status", "--short"], capture_output=True, text=True, check=True).stdout
    assert "cells" not in ignored


@pytest.mark.parametrize(
    "name", ["liver, v2", "it's [1]", "{a}", "x: y", "#1", "2024", "1e3", "null", "yes", "a b", "ünï", 'a"b', "'"]
)
def test_a_name_is_read_as_it_is(name: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(f"run: {{name: {flow(name)}, root: runs}}   # a comment\n")
    loaded = read_config(tmp_path / "config.yaml")
    assert loaded.config is not None
    assert loaded.config.run.name == name


def test_classes_of_colour_pictures_come_from_a_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "pictures"
    (folder / "images").mkdir(parents=True)
    for number in range(12):
        Image.new("RGB", (50, 30), (number, 0, 0)).save(folder / "images" / f"{number}.jpg")
    rows = [f"{number},{'cat' if number % 2 else 'dog'}" for number in range(12)]
    (folder / "animals.csv").write_text("\n".join(["image,animal", *rows]))
    project = init(Request(tmp_path / "mine", task="classification", data=folder))
    content = yaml.safe_load((project.folder / "config.yaml").read_text())
    assert content["task"] == "classification"
    assert {name: content["data"][name] for name in ("label_cols", "classes", "spatial_dims", "channels")} == {
        "label_cols": ["animal"],
        "classes": ["cat", "dog"],
        "spatial_dims": 2,
        "channels": 3,
    }
    assert {"Resized": {"spatial_size": [64, 32]}} in content["transforms"]["base"]
    assert "phantom .smoke/data --dims 2 --task classification --rgb" in (project.folder / "Makefile").read_text()
    monkeypatch.chdir(project.folder)
    assert fit(load_config("config.yaml", QUICK)).metrics["train/loss"].notna().all()


def test_csvs_that_are_there_are_taken_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainlib.data.phantom import make_classification_dataset, make_dataset

    maps = make_dataset(tmp_path / "maps", cases=(3, 2, 1), channels=2, shape=(32, 24, 18))
    before = {path: path.read_bytes() for path in maps.rglob("*") if path.is_file()}
    project = init(Request(tmp_path / "first", data=maps))
    assert project.division is None
    data = yaml.safe_load((project.folder / "config.yaml").read_text())["data"]
    expected = {"image_cols": ["image_0", "image_1"], "label_cols": ["label"], "test_csv": "test.csv"}
    assert {name: data[name] for name in expected} == expected
    assert data["classes"] == ["background", "class_1", "class_2"]
    assert {path: path.read_bytes() for path in maps.rglob("*") if path.is_file()} == before
    monkeypatch.chdir(project.folder)
    assert [f for f in check_data(load_config("config.yaml")).findings if f.severity == "error"] == []

    cells = make_classification_dataset(tmp_path / "cells", spatial_dims=2, cases=(3, 3, 0), file_format="png")
    (cells / "test.csv").unlink()
    content = yaml.safe_load((init(Request(tmp_path / "second", data=cells)).folder / "config.yaml").read_text())
    assert (content["task"], content["data"]["spatial_dims"]) == ("classification", 2)
    assert content["data"]["classes"] == ["hollow", "smooth", "spiculated"]
    assert "test_csv" not in content["data"]


def test_an_interrupted_project_goes_on_with_the_csvs_it_made(scans: Path, tmp_path: Path) -> None:
    first = init(Request(tmp_path / "mine", data=scans))
    config = (first.folder / "config.yaml").read_text()
    csv = (first.folder / "data" / "train.csv").read_text()
    (first.folder / "config.yaml").unlink()
    with pytest.raises(InputError, match=r"has train.csv, valid.csv, test.csv already. Leave the options for files"):
        init(Request(tmp_path / "mine", data=scans, label="labelsTr/*.nii.gz"))
    again = init(Request(tmp_path / "mine", data=scans))
    assert again.written == ["config.yaml"]
    assert (first.folder / "config.yaml").read_text() == config
    assert (first.folder / "data" / "train.csv").read_text() == csv


def test_csvs_that_are_not_complete_are_neither_used_nor_replaced(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "mine" / "data").mkdir(parents=True)
    (tmp_path / "mine" / "data" / "train.csv").write_text("image,label\n")
    with pytest.raises(InputError, match=r"has train.csv alone. Add the CSVs that are missing"):
        init(Request(tmp_path / "mine", data=scans))
    assert (tmp_path / "mine" / "data" / "train.csv").read_text() == "image,label\n"


def test_options_that_only_split_has_are_not_asked_for_without_a_way_to_use_them(tmp_path: Path) -> None:
    pictures(tmp_path / "cells" / "images", ["a.png", "b.png", "c.png"])
    (tmp_path / "cells" / "all.csv").write_text("one,two,label\na,a,x\nb,b,y\nc,c,x\n")
    with pytest.raises(InputError, match=r"(?s)Choose one with --key.*Use `trainlib split` with these options"):
        init(Request(tmp_path / "mine", task="classification", data=tmp_path / "cells"))


def test_a_csv_whose_files_are_missing_is_told_with_the_row(scans: Path, tmp_path: Path) -> None:
    for split in ("train", "valid"):
        (scans / f"{split}.csv").write_text("image,label\nimagesTr/p0_0000.nii.gz,labelsTr/none.nii.gz\n")
    with pytest.raises(InputError, match=r"train.csv:2: column 'label': there is no file .*none.nii.gz"):
        init(Request(tmp_path / "mine", data=scans))


def test_columns_that_do_not_tell_what_they_are_must_be_named(tmp_path: Path) -> None:
    from trainlib.data.phantom import make_classification_dataset

    folder = make_classification_dataset(tmp_path / "cells", spatial_dims=2, cases=(3, 3, 3), multilabel=True)
    with pytest.raises(InputError, match=r"the columns are image, smooth, spiculated, hollow. Name that of the labels"):
        init(Request(tmp_path / "mine", data=folder))
    project = init(Request(tmp_path / "mine", data=folder, label_cols=("smooth", "hollow")))
    assert project.facts.multilabel
    assert project.facts.data["classes"] == ["smooth", "hollow"]


def test_without_data_the_config_lacks_nothing_but_the_csvs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for task, dims in KINDS:
        project = init(Request(tmp_path / f"{task}{dims}", task=task, dims=dims))
        monkeypatch.chdir(project.folder)
        loaded = read_config("config.yaml")
        texts = [problem.text for problem in quick_problems(loaded)]
        expected = [f"data.{split}_csv: there is no CSV file" for split in ("train", "valid", "test")]
        assert [text.split(" /")[0] for text in texts] == expected
        assert component_problems(loaded) == []


# What is there stays


def test_no_file_that_is_there_is_changed(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "notebooks").mkdir(parents=True)
    own = {"Makefile": "all:\n", ".gitignore": "", "README.md": "mine", "notebooks/data.ipynb": "{}"}
    for name, text in own.items():
        (folder / name).write_text(text)
    project = init(Request(folder, dims=2, demo=True))
    assert sorted(project.kept) == sorted(own)
    assert {name: (folder / name).read_text() for name in own} == own
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = init(Request(folder, dims=2, demo=True))
    assert again.written == []
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_other_files_go_with_a_config_that_is_there(tmp_path: Path) -> None:
    first = init(Request(tmp_path / "mine", task="classification", dims=2, demo=True))
    for name in first.written:
        if name != "config.yaml":
            (first.folder / name).unlink()
    again = init(Request(tmp_path / "mine"))
    assert again.kept == ["config.yaml"]
    assert "rm config.yaml" not in (again.folder / "README.md").read_text()
    assert "--dims 2 --task classification" in (again.folder / "Makefile").read_text()
    assert "CrossEntropyLoss" in (again.folder / "patches" / "loss.py").read_text()


def test_data_that_are_there_are_not_mixed_with_generated_ones(tmp_path: Path) -> None:
    (tmp_path / "mine" / "data").mkdir(parents=True)
    (tmp_path / "mine" / "data" / "scan.nii").touch()
    with pytest.raises(InputError, match=r"--demo: .*data holds files already"):
        init(Request(tmp_path / "mine", demo=True))
    assert sorted(path.name for path in (tmp_path / "mine").rglob("*")) == ["data", "scan.nii"]


# Git


def test_git_keeps_the_project_and_neither_data_nor_results_nor_credentials(tmp_path: Path) -> None:
    project = init(Request(tmp_path / "mine", dims=2, demo=True))
    for name in ("runs/demo/report.html", "pushover.json", ".env", "model.pt"):
        (project.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (project.folder / name).touch()
    added = subprocess.run(
        ["git", "add", "--all", "--verbose"], cwd=project.folder, capture_output=True, text=True, check=True
    )
    assert sorted(line.split("'")[1] for line in added.stdout.splitlines()) == sorted(project.written)
    assert project.git == "git: a new repository; nothing is committed yet."


def test_a_project_within_a_repository_gets_none_of_its_own(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    project = init(Request(tmp_path / "mine"))
    workflow = f" GitHub reads workflows in {tmp_path}/.github alone: move ci.yml there."
    assert project.git == f"git: the project belongs to the repository {tmp_path}.{workflow}"
    assert not (project.folder / ".git").exists()


def test_an_ignore_file_that_lets_patients_into_commits_is_told(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path / "mine"], check=True)
    (tmp_path / "mine" / ".gitignore").write_text("/runs/\n")
    project = init(Request(tmp_path / "mine"))
    warning = ".gitignore does not leave out data/ and .env: add them, lest patients get into a commit."
    assert project.git == f"git: the project belongs to the repository {tmp_path / 'mine'}. {warning}"
    assert (project.folder / ".gitignore").read_text() == "/runs/\n"


def test_a_repository_that_git_refuses_to_use_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / ".git").write_text("nonsense\n")
    project = init(Request(tmp_path / "mine"))
    assert re.fullmatch(r"git could not look for a repository: .*invalid gitfile.*", project.git)
    assert (tmp_path / "mine" / ".git").read_text() == "nonsense\n"


def test_without_git_the_project_is_made_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    project = init(Request(tmp_path / "mine"))
    assert project.git.startswith("git is not installed")
    assert (project.folder / "config.yaml").is_file()


# Mistakes


def test_all_mistakes_are_told_at_once_and_nothing_is_written(tmp_path: Path, cli: Cli) -> None:
    options = ("--demo", "--data", "nowhere", "--task", "classification", "--label", "labels/*.png")
    done = cli("init", "mine", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "--data nowhere: there is no such folder.",
        "--demo and --data: a project has generated data or yours. Leave one out.",
        "--label: label maps are for --task segmentation. Name the CSV of the classes with --label-csv.",
    ]
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "labels/*"}, "--label: name the folder of the data with --data."),
        ({"data": "empty"}, r"--data .*empty: does not show what is what. Name images \(looked for images, .*--image"),
        ({"data": "scans", "dims": 2}, r"--dims 2: the images of .*scans have 3 dimensions. Leave it out."),
    ],
)
def test_a_mistake_is_told_with_its_remedy(
    scans: Path, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    given = options | ({"data": tmp_path / str(options["data"])} if "data" in options else {})
    with pytest.raises(InputError, match=message):
        init(Request(tmp_path / "mine", **given))
    assert [path for path in (tmp_path / "mine").rglob("*") if path.is_file()] == []


def test_the_command_tells_what_it_made_and_what_comes_next(cli: Cli, scans: Path, tmp_path: Path) -> None:
    done = cli("init", "mine", "--data", "scans", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "mine: config.yaml, smoke.yaml, Makefile" in done.stdout
    assert done.stdout.splitlines()[-1] == "Next: cd mine; make check fit"
