"""The viewer in a notebook that is executed from the first cell to the last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def test_a_notebook_shows_the_controls_and_the_picture(tmp_path: Path) -> None:
    pytest.importorskip("ipywidgets")
    pytest.importorskip("ipykernel")
    nbclient: Any = pytest.importorskip("nbclient")
    nbformat: Any = pytest.importorskip("nbformat")
    cell = "import numpy as np, trainlib\ntrainlib.view(np.zeros((20, 30, 10)), np.ones((20, 30, 10)))"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    nbclient.NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    [shown] = [output["data"] for output in notebook.cells[0]["outputs"] if "data" in output]
    view = "application/vnd.jupyter.widget-view+json"
    assert shown[view]["model_id"]
    models = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"].values()
    names = {model["model_name"] for model in models}
    assert {"IntSliderModel", "FloatRangeSliderModel", "ImageModel", "VBoxModel"} <= names
