"""What the documentation shows is done: every command of every page, in a project such as it speaks of."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.docs.pages import PAGES, Block, Command, blocks, blocks_of, commands_in, prose
from trainlib.data.phantom import make_classification_dataset, make_dataset

pytestmark = pytest.mark.slow
Cli = Callable[..., subprocess.CompletedProcess[str]]

NOT_RUN = {
    "make": "test_init.py and continuous integration do",
    "pip": "it needs a network",
    "docker": "it needs a container",
    "if": "test_pages.py runs the whole script with stand-ins",
    "srun": "test_pages.py runs the whole script with stand-ins; tests/processes has SLURM's variables",
    "torchrun": "tests/processes does",
    "trainer.devices=4": "it needs four GPUs",
    "--address": "it needs a cluster",
}
"""First word, or another word, of commands that are not run, and why."""
CHANGED = {
    "trainer.max_epochs=50": "trainer.max_epochs=3",
    "trainer.check_val_every_n_epoch=5": "trainer.check_val_every_n_epoch=1",
    "data.cache_dir=/scratch/trainlib": "data.cache_dir=scratch",
    "/data/liver": "data/liver",
    "/data/breast": "data/breast",
    "/data/breast/findings.csv": "data/breast/findings.csv",
    "/data/moles": "data/moles",
    "ct/*.nii.gz": "images/*.nii.gz",
    "seg/*.nii.gz": "labels/*.nii.gz",
    "DIR": "../data/liver",
    "DIR/cases.csv": "../data/liver/cases.csv",
    "OUT": "../out",
}
"""Words that stand for what a reader has, or would take long."""
ADDED = {
    ("README.md", "optimizer.AdamW.lr=1e-3"): ["run.name=changed"],
    ("data.md", "split"): ["--overwrite"],
    ("reliability.md", "split"): ["--overwrite"],
    ("projects.md", "ct/*.nii.gz"): ["--task", "segmentation"],
    ("ensembles.md", "--seeds"): ["run.name=seeds"],
    ("tuning.md", "tune"): ["tune.trials=2"],
}
"""Page and a word of a command -> what is added to it, so that it can follow the one before in one folder."""
LAID_OVER = {"finetuning.md": 0, "bundles.md": 0, "tuning.md": 0}
"""Page -> its block of YAML that belongs to its commands."""
MAY_FAIL = {"doctor": (0, 1)}
"""Command -> statuses that tell something of the machine."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> Path:
    """A project as the pages speak of one: data, the config of the README made small, and a run of it."""
    folder = tmp_path_factory.mktemp("project")
    data = make_dataset(folder / "data" / "liver", cases=(6, 3, 3), shape=(24, 24, 16))
    for path in [*data.glob("*/*.nii.gz")]:
        path.rename(path.with_name(path.name.replace("case_", "patient_")))
    for table in data.glob("*.csv"):
        table.write_text(table.read_text().replace("case_", "patient_"))
    shutil.copy(data / "test.csv", data / "cases.csv")
    (folder / "new.csv").write_text((data / "test.csv").read_text().replace("images/", "data/liver/images/"))
    shutil.copytree(data / "images", folder / "images")
    shutil.copytree(data / "labels", folder / "labels")
    _write_findings(folder / "data" / "breast")
    for name in ("benign", "malignant"):
        shutil.copytree(folder / "data" / "breast" / "images", folder / "data" / "moles" / name)
    text = next(block for block in blocks("yaml") if block.page.name == "README.md").text
    content = yaml.safe_load(text.replace("[96, 96, 96]", "[24, 24, 16]"))
    content["data"] |= {"num_workers": 0}
    content |= {"trainer": {"max_epochs": 1}, "emissions": None, "progress": None}
    (folder / "config.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    done = cli("fit", "-c", "config.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def _write_findings(folder: Path) -> None:
    """Write pictures, and one table of all their classes."""
    made = make_classification_dataset(folder / "made", spatial_dims=2, cases=(12, 6, 6))
    tables = [(made / f"{split}.csv").read_text().splitlines() for split in ("train", "valid", "test")]
    (made / "images").rename(folder / "images")
    shutil.rmtree(made)
    (folder / "findings.csv").write_text("\n".join([tables[0][0], *(row for table in tables for row in table[1:])]))


@pytest.fixture
def place(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project, and the working directory."""
    copy = tmp_path / "project"
    shutil.copytree(project, copy)
    monkeypatch.chdir(copy)
    return copy


def to_be_run(page: Path) -> list[tuple[Block, Command]]:
    """List the commands of a page that are run."""
    shown = [(block, command) for block in blocks_of(page) if block.language == "sh" for command in commands_in(block)]
    return [(block, command) for block, command in shown if not set(NOT_RUN) & {command.called, *command.words}]


@pytest.mark.parametrize("page", [page for page in PAGES if to_be_run(page)], ids=lambda page: page.name)
def test_the_commands_of_a_page_do_what_they_are_for(page: Path, place: Path, cli: Cli) -> None:
    if page.name == "tuning.md":
        pytest.importorskip("ray")
    if page.name == "ensembles.md":  # whose folder has the name of the run
        shutil.rmtree(place / "runs" / "liver")
    laid_over = _lay_over(page, place)
    for block, command in to_be_run(page):
        here = place
        words = [CHANGED.get(word, word) for word in command.words]
        for (name, word), more in ADDED.items():
            words += more if name == page.name and word in command.words else []
        if page.name == "bundles.md" and command.trainlib[1:2] == ("-c",):
            shutil.copytree("liver_bundle", "bundles/spleen_ct_segmentation", dirs_exist_ok=True)
        if laid_over and "config.yaml" in words:
            words[words.index("config.yaml") : words.index("config.yaml") + 1] = ["config.yaml", "-c", laid_over]
        if command.called == "cd":
            continue  # what follows it is not run
        if command.called == "python":
            here = place / "liver_bundle"
            words[0] = sys.executable
        if command.trainlib:
            done = cli(*words[words.index("trainlib") + 1 :], cwd=here)
        else:
            done = subprocess.run(words, cwd=here, capture_output=True, text=True, check=False, env={**os.environ})
        wanted = MAY_FAIL.get(command.trainlib[0] if command.trainlib else "", (0,))
        assert done.returncode in wanted, f"{block.page.name}: {shlex.join(words)}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
    if page.name == "bundles.md":
        assert {name for name in listed(page) if not (place / "liver_bundle" / name).exists()} == set()


def listed(page: Path) -> set[str]:
    """List the names in the listing of a folder."""
    names = set(re.findall(r"^ {6}(\S+)  +\S.*$", prose(page), flags=re.MULTILINE))
    assert len(names) > 5
    return names


def _lay_over(page: Path, place: Path) -> str:
    """Write the block of YAML that the commands of a page need; nothing where there is none."""
    if page.name not in LAID_OVER:
        return ""
    block = [block for block in blocks_of(page) if block.language == "yaml"][LAID_OVER[page.name]]
    (place / "shown.yaml").write_text(block.text)
    return "shown.yaml"


def test_a_run_folder_has_what_the_readme_lists(project: Path) -> None:
    names = listed(ROOT / "README.md")
    assert {"report.html", "snapshot/", "predictions/"} <= names
    absent = {name for name in names if not (project / "runs" / "liver" / name).exists()}
    assert absent == {"progress.gif"}  # the config of the project draws none


def test_the_viewers_show_what_the_page_shows(place: Path) -> None:
    pytest.importorskip("ipywidgets")
    pytest.importorskip("pydicom")
    from tests.viewer.test_dicom import write_series

    write_series(place / "dicom" / "patient_01", number=1, name="thorax")
    (place / "images" / "patient_001.nii.gz").rename(place / "images" / "patient_01.nii.gz")
    (place / "labels" / "patient_001.nii.gz").rename(place / "labels" / "patient_01.nii.gz")
    programs = [block.text for block in blocks("python") if block.page.name == "viewers.md"]
    assert len(programs) == 4
    names: dict[str, Any] = {}
    for text in programs:
        *before, last = text.strip().splitlines()
        exec("\n".join(before), names)
        assert eval(last, names) is not None
