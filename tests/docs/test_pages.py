"""What the documentation shows exists: every command, setting, config, name, link and sentence."""

from __future__ import annotations

import ast
import csv
import inspect
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import lightning
import pytest
import typer
import yaml

import trainlib
from tests.conftest import ROOT
from tests.docs.pages import PAGES, Block, Command, blocks, blocks_of, commands, in_code, prose
from trainlib import load_config
from trainlib.cli import app
from trainlib.cli.arguments import _settings
from trainlib.config.load import read_config
from trainlib.config.schema import Config
from trainlib.preflight import component_problems

TESTED = {"sh", "yaml", "python", "csv"}
"""Languages of blocks; each has a test below."""
LISTINGS = {"runs/liver/", "liver_bundle/"}
"""Folders that are listed in indented blocks; `test_running` compares them with real ones."""
WRAPPERS = {"trainlib", "srun", "torchrun", "docker"}
"""What trainlib is called by."""
OTHERS = {"make", "pip", "cd", "python", "rm", "if"}
"""What else a shell is told."""
CLI: Any = typer.main.get_command(app)
NOT_INSTALLED = ("MLFlowLogger",)
"""Components of packages that are no dependency of the tests."""
ABSENT = ("bundles/spleen_ct_segmentation",)
"""Folders that only a reader has; `test_running` makes them."""
FILES = (".html", ".yaml", ".csv", ".log", ".gif", ".ckpt", ".pt", ".ts", ".onnx", ".py", ".json", ".ipynb")


def ids(item: Any) -> str:
    return str(item.name if isinstance(item, Path) else item)


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_no_block_of_a_page_escapes_the_tests(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = blocks_of(page)
    assert {block.language for block in found} <= TESTED
    assert 2 * len(found) == len(re.findall(r"^ *(?:```|~~~)", text, flags=re.MULTILINE))
    listed = re.findall(r"(?:\A|\n)\n {4}(\S[^\n]*)\n(?: {4}.*\n)*", prose(page))
    assert {first.split()[0] for first in listed} <= LISTINGS
    assert "<pre" not in text


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_lines_can_be_read_in_an_editor(page: Path) -> None:
    if page.name != "config.md":
        limit = 180  # of a row of a table, which cannot be broken
        assert [line for line in page.read_text().splitlines() if len(line) > (limit if line[:1] == "|" else 128)] == []


def test_every_command_stands_in_the_table_of_the_readme() -> None:
    table = "\n".join(line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `trainlib"))
    first = " ".join(line.split("|")[1] for line in table.splitlines())
    assert set(re.findall(r"`(?:trainlib )?([a-z]+)", first)) == set(CLI.commands)


def test_every_page_is_linked_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert set(re.findall(r"\(([a-z]+\.md)\)", index)) == pages
    assert "(docs/README.md)" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", prose(page)):
        name, _, anchor = target.partition("#")
        if not name.startswith("http"):
            path = page.parent / name if name else page
            assert path.exists(), target
            assert not anchor or anchor in anchors(path), target


def anchors(page: Path) -> set[str]:
    """List the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("command", [command for command in commands() if command.trainlib], ids=ids)
def test_a_command_of_trainlib_has_its_options_and_settings(command: Command, tmp_path: Path) -> None:
    assert command.called in WRAPPERS
    name, *words = command.trainlib
    words = words[: words.index(">")] if ">" in words else words
    if "--help" in words:
        return
    assert name in CLI.commands
    if not words:  # it is only named
        return
    context = CLI.commands[name].make_context(name, words)
    if not context.command.context_settings.get("ignore_unknown_options"):
        assert not context.args
        return
    settings, rest = _settings(context)
    assert len(rest) <= 1
    load_config(based(tmp_path, {}), settings)


def based(folder: Path, shown: dict[str, Any]) -> list[Path]:
    """Write the data that a config needs, and what is shown over it."""
    data: dict[str, Any] = {"train_csv": "a.csv", "valid_csv": "b.csv", "channels": 1}
    if shown.get("task") != "classification":
        data["classes"] = ["background", "organ"]
    search = {"space": {"optimizer.AdamW.lr": {"loguniform": [1e-4, 1e-2]}}}
    (folder / "base.yaml").write_text(yaml.safe_dump({"data": data, "tune": search}))
    if not shown:
        return [folder / "base.yaml"]
    (folder / "shown.yaml").write_text(yaml.safe_dump(shown, sort_keys=False))
    return [folder / "base.yaml", folder / "shown.yaml"]


@pytest.mark.parametrize("command", [command for command in commands() if not command.trainlib], ids=ids)
def test_another_command_is_one_that_is_known(command: Command) -> None:
    assert command.called in OTHERS
    if command.called == "make":
        own = (ROOT / "Makefile").read_text()
        of_project = (ROOT / "trainlib/commands/init/templates/Makefile.j2").read_text()
        for target in command.words[1:]:
            assert re.search(
                rf"^{target}:.*##", own if command.where.startswith("README") else of_project, re.MULTILINE
            )


def test_extras_that_are_to_be_installed_exist() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {extra for page in PAGES for group in re.findall(r"trainlib\[([a-z,]+)\]", page.read_text())
             for extra in group.split(",")}  # fmt: skip
    assert named
    assert named <= set(project["optional-dependencies"])


@pytest.mark.parametrize("block", blocks("sh"), ids=ids)
def test_a_shell_can_read_a_block(block: Block) -> None:
    subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)


@pytest.mark.parametrize("block", blocks("yaml"), ids=ids)
def test_a_config_that_is_shown_can_be_built(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "patches", tmp_path / "patches")
    for script in blocks("python"):
        if "class RandInvertd" in script.text:
            (tmp_path / "my_transforms.py").write_text(script.text)
    monkeypatch.chdir(tmp_path)
    shown = yaml.safe_load(block.text)
    loaded = read_config(based(tmp_path, shown))
    assert loaded.problems == []
    if not any(name in block.text for name in ABSENT):
        assert [p.text for p in component_problems(loaded) if not any(name in p.text for name in NOT_INSTALLED)] == []


def test_the_sections_of_what_a_run_tells_show_the_defaults(tmp_path: Path) -> None:
    first = next(block for block in blocks("yaml") if block.page.name == "watching.md")
    shown = yaml.safe_load(first.text)
    defaults = load_config(based(tmp_path, {})).model_dump()
    assert len(shown) == 6
    assert {name: defaults[name] for name in shown} == shown


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_the_settings_that_a_page_names_exist(page: Path) -> None:
    trainer = inspect.signature(lightning.Trainer).parameters
    for span in in_code(page):
        key = span.split(": ")[0]
        if not re.fullmatch(r"[a-z_]+\.[a-z_]+(\.[a-z_]+)?", key) or key.endswith(FILES):
            continue
        section, name, *_ = key.split(".")
        if section == "trainer":
            assert name in trainer, span
        elif section in Config.model_fields and not section.startswith(("model", "loss", "optimizer", "inferer")):
            kinds: list[Any] = [Config.model_fields[section].annotation]
            kinds += getattr(kinds[0], "__args__", ())
            assert any(name in getattr(kind, "model_fields", ()) for kind in kinds), span


@pytest.mark.parametrize("block", blocks("python"), ids=ids)
def test_names_of_trainlib_in_a_program_exist(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "trainlib":
            assert hasattr(trainlib, node.attr)


def test_the_patches_that_are_shown_take_their_places(tmp_path: Path) -> None:
    from trainlib.build.check import origins

    shown = {re.findall(r"def get_(\w+)|class (\w+)", block.text)[0]: block.text
             for block in blocks("python") if block.page.name == "patches.md"}  # fmt: skip
    patch = {}
    for (kind, name), text in shown.items():
        patch["transforms" if name else kind] = str(tmp_path / f"{kind or name}.py")
        (tmp_path / f"{kind or name}.py").write_text(text)
    assert set(patch) == {"model", "loss", "optimizer", "transforms"}
    crop = {"RandSpatialCropd": {"roi_size": [32, 32, 32]}}
    content = {"patch": patch, "transforms": {"train": [crop, {"RandInvertd": {"prob": 1.0}}]}}
    loaded = read_config(based(tmp_path, content))
    assert component_problems(loaded) == []
    assert loaded.config is not None
    found = origins(loaded.config)
    assert found["model"] == f"get_model from {tmp_path / 'model.py'}"
    assert found["transforms.train"].endswith(f"RandInvertd from {tmp_path / 'RandInvertd.py'}")


@pytest.mark.parametrize("block", blocks("csv"), ids=ids)
def test_a_table_has_cells_in_every_column(block: Block) -> None:
    header, *rows = csv.reader(block.text.splitlines())
    assert header[0] == "image"
    assert rows
    assert {len(row) for row in rows} == {len(header)}


def test_what_the_page_of_problems_quotes_trainlib_says() -> None:
    constants = {
        node.value if isinstance(node.value, str) else node.value.decode(errors="replace")
        for path in (ROOT / "trainlib").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    }
    page = (ROOT / "docs" / "problems.md").read_text()
    quoted = [" ".join(part.replace("\n> ", " ").split()) for part in re.findall(r"^> ((?:.*)(?:\n> .*)*)", page, re.M)]
    assert len(quoted) > 15
    unknown = [text for text in quoted if not any(text in constant for constant in constants)]
    assert unknown == []


@pytest.mark.parametrize(("status", "again"), [(143, True), (0, False), (1, False)])
def test_a_job_that_was_told_to_end_goes_into_the_queue_again(status: int, again: bool, tmp_path: Path) -> None:
    scripts = [block for block in blocks("sh") if "scontrol" in block.text]
    assert len(scripts) == 2
    for name, text in {
        "srun": 'while [ "${1#-}" != "$1" ]; do shift; done\nexec "$@"',
        "trainlib": f"exit {status}",
        "scontrol": 'echo "$@"',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    for script in scripts:
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_JOB_ID": "7"}
        done = subprocess.run(["bash", "-c", script.text], env=environment, capture_output=True, text=True, check=False)
        assert done.stdout == ("requeue 7\n" if again else "")
        assert done.stderr == ""
