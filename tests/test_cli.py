"""The command line: what it says, when it says it, and its exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import trainlib
from tests.conftest import ROOT

WriteConfig = Callable[..., Path]
Cli = Callable[..., subprocess.CompletedProcess[str]]

# Runs the command line and notes at each line on stderr whether torch was imported by then.
WITNESS = """
import sys
class Witness:
    def __init__(self, stream): self.stream = stream
    def write(self, text):
        if text.strip():
            self.stream.write(("with torch: " if "torch" in sys.modules else "without torch: ") + text)
        else:
            self.stream.write(text)
    def flush(self): self.stream.flush()
sys.stderr, sys.stdout = Witness(sys.stderr), Witness(sys.stdout)
from trainlib.cli import main
main()
"""


def witnessed(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITNESS, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("arguments", [["--help"], ["fit", "--help"], ["predict", "--help"]])
def test_help_is_answered_without_torch(arguments: list[str]) -> None:
    done = witnessed(*arguments)
    assert done.returncode == 0
    assert "without torch: " in done.stdout
    assert "with torch: " not in done.stdout


def test_a_misspelt_key_is_told_before_torch_is_imported(write_config: WriteConfig) -> None:
    done = witnessed("fit", "-c", write_config(data={"batch_sise": 3}))
    assert "without torch: " in done.stderr
    [line] = [line for line in done.stderr.splitlines() if "batch_sise" in line]
    assert line.startswith("without torch: ")
    assert line.endswith("data.batch_sise is not a setting. Did you mean data.batch_size?")
    assert done.returncode == 2


def test_a_missing_csv_is_told_before_torch_is_imported(write_config: WriteConfig) -> None:
    done = witnessed("fit", "-c", write_config(data={"valid_csv": "vald.csv"}))
    [line] = [line for line in done.stderr.splitlines() if "vald.csv" in line]
    assert line.startswith("without torch: ")
    assert "data.valid_csv: there is no CSV file" in line
    assert done.returncode == 2


def test_five_mistakes_in_five_sections_are_told_in_one_run(tmp_path: Path, phantom: Path, cli: Cli) -> None:
    (tmp_path / "config.yaml").write_text(
        f"""\
run: {{nam: five}}
data:
  root: {phantom}
  train_csv: train.csv
  valid_csv: validation.csv
  classes: [background, organ, lesion]
model:
  UNet: {{chanels: [4, 8], strides: [2]}}
optimizer:
  AdamWW: {{lr: 0.01}}
trainer:
  num_epoch: 3
"""
    )
    done = cli("fit", "-c", "config.yaml", cwd=tmp_path)
    lines = done.stderr.splitlines()
    assert done.returncode == 2
    assert lines[-1].startswith("5 mistakes; nothing was started.")
    assert lines[0] == "config.yaml:1: run.nam is not a setting. Did you mean run.name?"
    assert "config.yaml:5: " in lines[1]
    assert "validation.csv" in lines[1]
    assert "config.yaml:8: model.UNet.chanels is not a keyword of UNet. Did you mean channels?" in lines
    assert "config.yaml:10: optimizer: AdamWW is not a known optimizer. Did you mean AdamW?" in lines
    assert lines[-2].startswith("config.yaml:12: trainer.num_epoch is not an argument of lightning.Trainer")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fit"], "-c is missing"),
        (["fit", "-c", "absent.yaml"], "absent.yaml: there is no such config file"),
        (["fit", "--ckpt_pat", "last"], "--ckpt_pat is neither an option nor a setting. Did you mean --ckpt_path?"),
        (["fit", "-c", "absent.yaml", "nonsense"], "nonsense: expected a setting such as trainer.max_epochs=5"),
        (["test", "absent"], "absent is not a run folder: it has no config.yaml"),
        (["predict", "-c", "absent.yaml"], "--ckpt_path is missing"),
        (["test"], "Name a run folder"),
    ],
)
def test_a_wrong_call_gets_one_sentence(cli: Cli, tmp_path: Path, arguments: list[str], sentence: str) -> None:
    done = cli(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_checkpoint_that_is_not_there_is_told(write_config: WriteConfig, cli: Cli) -> None:
    done = cli("test", "-c", write_config(), "--ckpt_path", "absent.ckpt")
    assert (done.returncode, done.stderr) == (2, "--ckpt_path: there is no checkpoint absent.ckpt.\n")


def test_print_config_gives_a_config_that_is_read_back(write_config: WriteConfig, cli: Cli, tmp_path: Path) -> None:
    first = cli("fit", "-c", write_config(), "trainer.max_epochs=7", "--seed=3", "--print_config").stdout
    (tmp_path / "printed.yaml").write_text(first)
    assert cli("fit", "-c", tmp_path / "printed.yaml", "--print_config").stdout == first
    assert trainlib.load_config(tmp_path / "printed.yaml").trainer == {"max_epochs": 7}
    assert trainlib.load_config(tmp_path / "printed.yaml").seed == 3


def test_schema_is_a_json_schema_that_names_the_settings_and_the_components(cli: Cli) -> None:
    schema = json.loads(cli("schema").stdout)
    assert "num_res_units" in json.dumps(schema["$defs"]["model"])
    assert "Cases in a training batch." in json.dumps(schema["$defs"]["DataSection"])


def test_commands_work_one_after_the_other(write_config: WriteConfig, cli: Cli, tmp_path: Path, phantom: Path) -> None:
    done = cli("fit", "-c", write_config())
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    run = tmp_path / "runs" / "tiny"
    assert str(run) in done.stdout
    assert "epoch 2/2" in done.stdout
    for command in ("validate", "test"):
        assert cli(command, run).returncode == 0
    assert cli("test", "-c", write_config(), "--ckpt_path", "best").returncode == 0
    new = phantom / "new.csv"
    pd.read_csv(phantom / "test.csv")[["image"]].head(1).to_csv(new, index=False)
    assert cli("predict", run, "--csv", new, "--out", tmp_path / "out").returncode == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["case_009.nii.gz", "predictions.csv"]
    assert cli("predict", run, "--csv", new).returncode == 0
    assert (run / "predictions_2" / "case_009.nii.gz").is_file()


def test_an_undeclared_label_value_is_told_before_the_first_epoch(
    write_config: WriteConfig, cli: Cli, tmp_path: Path
) -> None:
    done = cli("fit", "-c", write_config(data={"classes": ["background", "organ"]}))
    assert done.returncode == 2
    assert done.stderr.count("train.csv:") == 6
    assert "the label case_000.nii.gz holds 2 (297 voxels)" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "runs").glob("tiny*")) == []


def test_a_bug_in_a_patch_is_told_with_its_line(write_config: WriteConfig, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("def get_model(config):\n    return undefined_name\n")
    done = cli("fit", "-c", write_config(patch={"model": str(tmp_path / "model.py")}))
    assert done.returncode == 2
    assert f"{tmp_path / 'model.py'}:2: get_model failed: NameError: name 'undefined_name'" in done.stderr


def test_version_and_module_entry_agree(cli: Cli) -> None:
    version = f"trainlib {trainlib.__version__}\n"
    assert cli("--version").stdout == version
    command = [sys.executable, "-m", "trainlib", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == version


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 120
