"""`trainlib ensemble`, and `trainlib predict` on what it makes."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from tests.ensemble.conftest import make_config
from tests.report.helpers import Page
from tests.test_cli import witnessed
from trainlib.cli.ensemble import _show
from trainlib.ensemble.summary import Figure
from trainlib.folders.ensemble import OVER_FOLDS, POOLED, read_ensemble

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, phantom: Path, cli: Cli) -> tuple[Path, str]:
    """The folder of an ensemble of two folds that the command trained, and what it printed."""
    folder = tmp_path_factory.mktemp("cli")
    make_config(folder, phantom, trainer={"max_epochs": 2}, report={"resamples": 200})
    found = cli("ensemble", "-c", folder / "config.yaml", "--folds", "2", "data.batch_size=3")
    assert found.returncode == 0, found.stderr
    return folder / "runs" / "tiny", found.stdout


def test_the_command_prints_a_line_for_each_epoch_the_figures_and_the_folder(done: tuple[Path, str]) -> None:
    folder, output = done
    lines = output.splitlines()
    for name in ("fold_1", "fold_2"):
        assert [line for line in lines if line.startswith(f"{name}  epoch 1/2  train/loss ")]
        assert [line for line in lines if line.startswith(f"{name}  epoch 2/2  train/loss ")]
    assert not [line for line in lines if line.startswith("epoch ")]
    summary = pd.read_csv(folder / "summary.csv", keep_default_na=False).query("metric == 'dice' and `class` == ''")
    for row in summary.itertuples():
        [line] = [line for line in lines if f" {row.model} " in line and f"{float(row.value):.3f}" in line][:1]
        assert " 9 " in line or " 5 " in line or " 4 " in line or " 3 " in line
    assert lines[-1] == f"ensemble     {folder}"
    assert lines[-2] == f"report       {folder / 'report.html'}"


def test_what_a_member_tells_is_in_its_own_log(done: tuple[Path, str]) -> None:
    folder, output = done
    assert "Run folder:" not in output
    assert f"Run folder: {folder / 'fold_2'}" in (folder / "fold_2" / "logs" / "trainlib.log").read_text()


def test_each_member_and_fold_has_a_report_that_names_the_ensemble(done: tuple[Path, str]) -> None:
    folder, _ = done
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    links = [attributes["href"] for attributes in page.attributes("a") if not str(attributes["href"]).startswith("#")]
    names = ("fold_1/report.html", "fold_1/held_out/report.html", "test/report.html")
    assert set(names) <= set(links)
    for name in set(links):
        assert (folder / str(name)).is_file()
    assert "<h1>tiny / fold_1 / held_out</h1>" in (folder / "fold_1/held_out/report.html").read_text(encoding="utf-8")


def test_the_snapshot_of_a_member_keeps_the_command(done: tuple[Path, str]) -> None:
    folder, _ = done
    command = (folder / "fold_1" / "snapshot" / "command.txt").read_text()
    assert command.startswith("trainlib ensemble -c ")
    assert command.strip().endswith("--folds 2 data.batch_size=3")


def test_the_same_command_again_says_what_is_finished(done: tuple[Path, str], cli: Cli) -> None:
    folder, output = done
    again = cli("ensemble", "-c", folder.parent.parent / "config.yaml", "--folds", "2", "data.batch_size=3")
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[1:3] == ["fold_1 is finished already.", "fold_2 is finished already."]
    assert again.stdout.splitlines()[-5:] == output.splitlines()[-5:]


def test_another_setting_is_refused_with_its_key(done: tuple[Path, str], cli: Cli) -> None:
    folder, _ = done
    config = folder.parent.parent / "config.yaml"
    found = cli("ensemble", "-c", config, "--folds", "2")
    assert found.returncode == 2
    assert found.stderr.splitlines()[-1] == (
        f"data.batch_size is 2, but the ensemble {folder} was begun with 3. Give this ensemble a name of its own "
        "(run.name=...)."
    )


def test_predict_takes_the_folder_of_an_ensemble(
    done: tuple[Path, str], cli: Cli, tmp_path: Path, phantom: Path
) -> None:
    folder, _ = done
    image = phantom / pd.read_csv(phantom / "test.csv")["image"][0]
    pd.DataFrame({"image": [image]}).to_csv(tmp_path / "new.csv", index=False)
    options = ("--out", tmp_path / "out", "--method", "staple", "--probabilities", "--uncertainty")
    found = cli("predict", folder, "--csv", tmp_path / "new.csv", *options, "data.num_workers=0")
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[-1] == f"predictions  {tmp_path / 'out'}"
    [row] = pd.read_csv(tmp_path / "out" / "predictions.csv").to_dict("records")
    mean = np.asarray(nib.load(tmp_path / "out" / row["probabilities"]).dataobj)
    uncertainty = np.asarray(nib.load(tmp_path / "out" / row["uncertainty"]).dataobj)
    assert uncertainty == pytest.approx(-(mean * np.log(np.maximum(mean, 1e-30))).sum(axis=-1), abs=1e-5)
    differences = [line for line in found.stdout.splitlines() if line.startswith("data.predict_csv: now")]
    assert len(differences) == 1


def test_report_takes_the_folder_of_an_ensemble(done: tuple[Path, str], cli: Cli) -> None:
    folder, _ = done
    (folder / "report.html").unlink()
    found = cli("report", folder)
    assert found.stdout.strip() == str(folder / "report.html")
    assert "Ensemble report" in (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("test", "{folder}"), "{folder} is an ensemble, which `trainlib predict` takes. Name one of its members."),
        (
            ("predict", "{folder}", "--ckpt_path", "last"),
            "--ckpt_path: an ensemble predicts with the best checkpoint of every member. Leave it out.",
        ),
        (
            ("predict", "{folder}/fold_1", "--uncertainty", "--method", "vote"),
            "--uncertainty: only an ensemble has it. Name the folder of one or leave it out.",
        ),
        (("ensemble", "-c", "{config}"), "Give either --folds or --seeds, as in `trainlib ensemble -c config.yaml "),
        (("ensemble", "-c", "{config}", "--folds", "1"), "--folds: expected at least 2, found 1. `trainlib fit` "),
        (("ensemble", "-c", "{config}", "--folds", "2", "--seeds", "2"), "Give either --folds or --seeds"),
        (("ensemble", "--folds", "2"), "-c is missing."),
        (("ensemble", "-c", "{config}", "--folds", "2", "--paralel", "2"), "--paralel is neither an option nor a "),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(
    done: tuple[Path, str], cli: Cli, arguments: tuple[str, ...], sentence: str
) -> None:
    folder, _ = done
    names = {"folder": folder, "config": folder.parent.parent / "config.yaml"}
    found = cli(*(word.format(**names) for word in arguments))
    assert found.returncode == 2
    assert sentence.format(**names) in found.stderr
    assert "Traceback" not in found.stderr


def test_help_and_mistakes_in_the_config_come_without_torch(tmp_path: Path, phantom: Path) -> None:
    found = witnessed("ensemble", "--help")
    assert found.returncode == 0
    assert "with torch: " not in found.stdout.replace("without torch: ", "")
    make_config(tmp_path, phantom)
    found = witnessed("ensemble", "-c", tmp_path / "config.yaml", "--folds", "3", "data.batch_sise=3")
    assert found.returncode == 2
    [line] = [line for line in found.stderr.splitlines() if "batch_sise" in line]
    assert line.startswith("without torch: ")


def test_members_that_cannot_be_divided_end_with_status_2_and_leave_nothing(
    tmp_path: Path, phantom: Path, cli: Cli
) -> None:
    make_config(tmp_path, phantom)
    found = cli("ensemble", "-c", tmp_path / "config.yaml", "--folds", "10")
    assert found.returncode == 2
    assert found.stderr.splitlines()[-1] == "--folds 10: there are only 9 cases in training and validation together."
    assert list((tmp_path / "runs").iterdir()) == []


def test_the_mean_of_the_folds_comes_with_their_deviation_and_the_pooled_figure_apart(
    done: tuple[Path, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    folder, _ = done
    ensemble = read_ensemble(folder)
    classification = replace(ensemble, config=ensemble.config.model_copy(update={"task": "classification"}))
    figures = [
        Figure("cv", model, "", metric, value, math.nan, math.nan, std, 120)
        for model, value, std in ((OVER_FOLDS, 1.0, 0.0), (POOLED, 0.667, math.nan))
        for metric in ("auroc", "accuracy", "balanced_accuracy", "f1")
    ]
    _show(classification, figures)
    mean, pooled = (
        [cell.strip() for cell in line.split("\N{BOX DRAWINGS LIGHT VERTICAL}")]
        for line in capsys.readouterr().out.splitlines()[3:5]
    )
    assert mean[2:5] == ["mean of folds", "120", "1.000 ± 0.000"]
    assert pooled[2:5] == ["all folds", "120", "0.667"]


@pytest.mark.slow
def test_processes_of_torchrun_are_refused_at_once(tmp_path: Path, phantom: Path) -> None:
    make_config(tmp_path, phantom)
    module = ("-m", "trainlib", "ensemble", "-c", str(tmp_path / "config.yaml"), "--folds", "2")
    found = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *module],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert found.returncode != 0
    sentence = "`trainlib ensemble` takes one process. Start it without torchrun or srun."
    assert found.stderr.count(sentence) == 1
    assert not (tmp_path / "runs").exists()
