"""The two notebooks of a project: they run as they are, in a kernel, and show what they say."""

from __future__ import annotations

import ast
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pandas as pd
import pytest

import trainlib
from trainlib.commands.init import Project, Request, init
from trainlib.commands.init.facts import unknown
from trainlib.commands.init.notebooks import notebooks
from trainlib.data.phantom import FINDINGS
from trainlib.run import fit

KINDS = [("segmentation", 2), ("segmentation", 3), ("classification", 2), ("classification", 3)]
QUICK = ["trainer.max_epochs=2", "trainer.limit_train_batches=1", "data.num_workers=0"]
QUICK += ["emissions=null", "progress=null", "report=null"]
VIEW = "application/vnd.jupyter.widget-view+json"


def sources(task: str, *, multilabel: bool = False) -> dict[str, list[str]]:
    facts = unknown("demo", task, 3)
    if multilabel:
        facts.data["label_cols"] = list(FINDINGS)
    cells = {path: json.loads(text)["cells"] for path, text in notebooks(facts).items()}
    return {path: ["".join(c["source"]) for c in found if c["cell_type"] == "code"] for path, found in cells.items()}


def imported(code: str) -> Iterator[tuple[str, str]]:
    """Yield module and name of everything that a cell takes from trainlib."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("trainlib"):
            yield from ((str(node.module), alias.name) for alias in node.names)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "trainlib":
            yield "trainlib", node.attr


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("task", ["segmentation", "classification"])
def test_cells_compile_and_take_what_there_is(task: str, multilabel: bool) -> None:
    taken = {
        name for cells in sources(task, multilabel=multilabel).values() for cell in cells for name in imported(cell)
    }
    assert {("trainlib", "view"), ("trainlib", "view_batch"), ("trainlib", "view_run")} <= taken
    assert [name for module, name in taken if not hasattr(importlib.import_module(module), name)] == []


def test_cells_are_no_longer_than_a_line_of_code_may_be() -> None:
    lines = [line for cells in sources("segmentation").values() for cell in cells for line in cell.splitlines()]
    assert max(map(len, lines)) <= 120


def test_findings_that_go_together_are_counted_each_by_itself() -> None:
    rows = {
        "label_mass": [1, 1, 0],
        "prediction_mass": [1, 0, 0],
        "label_cyst": [0, 0, 0],
        "prediction_cyst": [0, 1, 1],
    }
    data = SimpleNamespace(classes=["mass", "cyst"])
    names = {"pd": pd, "splits": ["test"], "run": SimpleNamespace(config=SimpleNamespace(data=data))}
    names["run"].cases = pd.DataFrame({"split": "test"} | rows)
    [cell] = [cell for cell in sources("classification", multilabel=True)["notebooks/run.ipynb"] if "crosstab" in cell]
    *lines, last = ast.parse(cell).body
    assert isinstance(last, ast.Expr)
    exec(compile(ast.Module(lines, []), "cell", "exec"), names)
    table = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    assert table.to_dict() == {
        "mass": {(0, 0): 1, (0, 1): 0, (1, 0): 1, (1, 1): 1},
        "cyst": {(0, 0): 1, (0, 1): 2, (1, 0): 0, (1, 1): 0},
    }


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: "{}-{}d".format(*kind))
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with generated data and a run."""
    task, dims = request.param
    project = init(Request(tmp_path_factory.mktemp("project") / "demo", task=task, dims=dims, demo=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.folder)
        fit(trainlib.load_config("config.yaml", QUICK))
    return project


def executed(project: Project, name: str) -> Any:
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(project.folder / "notebooks" / f"{name}.ipynb", as_version=4)
    resources = {"metadata": {"path": str(project.folder / "notebooks")}}  # where Jupyter starts its kernel
    nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()
    return notebook


def outputs(notebook: Any) -> list[dict[str, Any]]:
    return [dict(output["data"]) for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]


@pytest.mark.slow
def test_the_notebook_of_the_data_shows_tables_a_case_and_a_batch(trained: Project) -> None:
    shown = outputs(executed(trained, "data"))
    text = "\n".join(output["text/plain"] for output in shown)
    assert all(name in text for name in trained.facts.data["classes"])
    assert "images/case_000" in text
    assert all(f"{split} " in text for split in ("train", "valid", "test"))
    [case, batch] = [output for output in shown if VIEW in output]
    assert case["text/plain"].startswith("<viewer: case_000")
    assert batch["text/plain"].startswith("<viewer: train.csv:")


@pytest.mark.slow
def test_the_notebook_of_a_run_shows_curves_scores_and_the_worst_case(trained: Project) -> None:
    shown = outputs(executed(trained, "run"))
    text = "\n".join(output["text/plain"] for output in shown)
    assert str(trained.folder / "runs" / "demo") in text
    assert ("dice" if trained.facts.task == "segmentation" else "auroc") in text
    [cases] = [output for output in shown if VIEW in output]
    assert "(test): " in cases["text/plain"]
    assert any("image/png" in output and VIEW not in output for output in shown)  # the curves


@pytest.mark.slow
def test_without_a_run_the_notebook_says_how_to_get_one(tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient")
    project = init(Request(tmp_path / "demo", task="segmentation", dims=2, demo=True))
    with pytest.raises(
        nbclient.exceptions.CellExecutionError,
        match=r"There is no run with scores in .*runs\. Train one first: make fit",
    ):
        executed(project, "run")
