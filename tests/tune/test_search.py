"""A real search on this machine: trials are runs, one fails without ending the others, nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest

from tests.tune.helpers import LOSS, RATE, SGD, Mark
from trainlib.config.load import load_config, read_config
from trainlib.errors import ConfigError
from trainlib.folders.results import load_run
from trainlib.folders.searches import read_search
from trainlib.report import write_report
from trainlib.tune.search import tune

Cli = Callable[..., subprocess.CompletedProcess[str]]
RATES = [0.1, 2.0, 0.05]


MARK = Mark()


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, phantom: Path, cli: Cli
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A search of three trials, the second of which has a loss that is no number."""
    import yaml

    from tests.conftest import TINY
    from trainlib.data.phantom import CLASSES

    folder = tmp_path_factory.mktemp("search")
    (folder / "loss.py").write_text(LOSS)
    data = {"root": str(phantom), "train_csv": "train.csv", "valid_csv": "valid.csv", "test_csv": "test.csv"}
    content = TINY | SGD | {"data": data | {"classes": CLASSES, "num_workers": 0}}
    content |= {"run": {"name": "tiny", "root": str(folder / "runs")}, "patch": {"loss": str(folder / "loss.py")}}
    tune_section = {"trials": 3, "space": {RATE: {"choice": RATES}}, "search": "random", "scheduler": "none"}
    (folder / "config.yaml").write_text(yaml.safe_dump(content | {"tune": tune_section}))
    done = cli("tune", "-c", folder / "config.yaml", "seed=5", cwd=folder, **MARK.environment)
    return folder, done


def test_the_search_succeeds_and_says_where_everything_is(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = finished
    assert done.returncode == 0, done.stderr
    assert "best config  " + str(folder / "runs" / "tiny_tune" / "best.yaml") in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "ray" not in done.stderr.lower()  # its own messages are kept away
    assert MARK.left() == []


def test_every_trial_is_an_ordinary_run_without_test_cases(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    search = read_search(finished[0] / "runs" / "tiny_tune")
    trials = search.folder.noted()
    assert [trial.number for trial in trials] == [0, 1, 2]
    for trial in trials:
        run = load_run(search.folder.run(trial).path)
        assert run.config.optimizer.kwargs["lr"] == trial.parameters[RATE]
        assert run.folder.snapshot.is_dir()
        if trial.state == "finished":
            assert len(run.metrics) == 2
            assert set(run.cases["split"]) == {"valid"}
            assert run.folder.best.is_file()


def test_a_trial_whose_loss_is_no_number_is_recorded_and_the_others_go_on(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    table = pd.read_csv(finished[0] / "runs" / "tiny_tune" / "trials.csv")
    broken = table[RATE] > 1
    assert 0 < broken.sum() < 3, "the seed draws both kinds"
    assert set(table["state"][broken]) == {"failed"}
    assert set(table["state"][~broken]) == {"finished"}
    assert table["error"][broken].str.contains("loss").all()


def test_the_best_config_is_that_of_the_best_trial_with_test_cases(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = finished
    best = folder / "runs" / "tiny_tune" / "best.yaml"
    assert read_config(best).problems == []
    config = load_config(best)
    table = pd.read_csv(folder / "runs" / "tiny_tune" / "trials.csv")
    chosen = table.loc[table["valid/dice"].where(table["state"] == "finished").idxmax()]
    assert config.optimizer.kwargs["lr"] == chosen[RATE]
    assert config.data.test_csv == "test.csv"


def test_a_finished_search_that_is_resumed_trains_nothing(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder = finished[0]
    root = folder / "runs" / "tiny_tune"
    before = {path: path.stat().st_mtime_ns for path in root.glob("trial_*/**/*") if path.is_file()}
    table = (root / "trials.csv").read_bytes()
    (root / "trials.csv").unlink()
    (root / "report.html").unlink()
    search = tune(load_config(folder / "config.yaml", ["seed=5"]), resume=True)
    assert search.folder.path == root
    assert (root / "trials.csv").read_bytes() == table
    assert (root / "report.html").is_file()
    assert {path: path.stat().st_mtime_ns for path in root.glob("trial_*/**/*") if path.is_file()} == before


def test_a_search_is_not_continued_with_another_space(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    config = finished[0] / "config.yaml"
    with pytest.raises(
        ConfigError, match=r"seed is 4, but the search in \S+tiny_tune was begun with 5. Leave --resume"
    ):
        tune(load_config(config, ["seed=4"]), resume=True)


def test_more_than_a_machine_has_is_refused_and_leaves_no_folder(
    finished: tuple[Path, subprocess.CompletedProcess[str]], cli: Cli
) -> None:
    folder = finished[0]
    mark = Mark()
    words = ("run.name=large", "tune.per_trial.gpu=1000")
    done = cli("tune", "-c", folder / "config.yaml", *words, **mark.environment)
    assert done.returncode == 2
    assert "tune.per_trial.gpu: expected at most " in done.stderr
    assert not (folder / "runs" / "large_tune").exists()
    assert mark.left() == []


def test_a_process_that_a_command_has_left_to_init_would_be_found() -> None:
    mark = Mark()
    code = "import subprocess; subprocess.Popen(['sleep', '60'], start_new_session=True)"
    subprocess.run([sys.executable, "-c", code], env=os.environ | mark.environment, check=True)
    [sleep] = mark.processes()
    assert sleep.pid not in {child.pid for child in psutil.Process().children(recursive=True)}
    sleep.kill()
    assert mark.left() == []


def test_several_devices_are_refused_before_anything_is_made(
    finished: tuple[Path, subprocess.CompletedProcess[str]], cli: Cli
) -> None:
    folder = finished[0]
    devices = ("trainer.devices=2", "trainer.accelerator=cpu")
    done = cli("tune", "-c", folder / "config.yaml", "run.name=many", *devices)
    assert done.returncode == 2
    assert "trainer.devices: found 2, but `trainlib tune` gives each model one device." in done.stderr
    assert not (folder / "runs" / "many_tune").exists()


def test_without_the_extra_the_command_says_how_to_get_it(
    finished: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path, cli: Cli
) -> None:
    # A finder in the way of the package, as if it were not installed.
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'ray' else find(name, package)\n"
    )
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    done = cli("tune", "-c", finished[0] / "config.yaml", PYTHONPATH=path)
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "The `ray` package is required for this. Install trainlib with the `tune` extra: pip install trainlib[tune]"
    )


def test_a_damaged_record_is_told(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root = finished[0] / "runs" / "tiny_tune"
    record = root / "records" / "trial_00000.json"
    content = record.read_text()
    try:
        record.write_text(content[:20])
        with pytest.raises(ConfigError, match=r"trial_00000.json cannot be read"):
            write_report(root)
    finally:
        record.write_text(content)
