from __future__ import annotations

import csv
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.callbacks.geolocation import refusing, serving
from tests.callbacks.test_meter import fake, has_ended, process_of, ready
from tests.test_resume import SLOW, start, wait_for_epochs, weights
from tests.test_run import without_times
from trainlib import fit, load_config
from trainlib.callbacks import build_callbacks, emissions
from trainlib.callbacks.emissions import COLUMNS, Emissions
from trainlib.callbacks.meter import Meter
from trainlib.errors import Interrupted
from trainlib.folders.run import RunFolder

WriteConfig = Callable[..., Path]
Rows = list[dict[str, str]]

QUIET: dict[str, Any] = {"progress": None, "report": None}
GERMANY = 0.38095  # kg CO2eq per kWh in 2023, by Our World in Data
TRAINER: Any = SimpleNamespace(
    is_global_zero=True, strategy=SimpleNamespace(root_device=torch.device("cpu")), loggers=[], global_step=3
)


def rows_of(folder: Path) -> Rows:
    with (folder / "emissions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def total(rows: Rows, name: str) -> float:
    return sum(float(row[name]) for row in rows)


def points(folder: Path, tag: str) -> list[tuple[int, float]]:
    """What TensorBoard shows."""
    events = EventAccumulator(str(folder / "logs"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a training of a second wait until codecarbon is ready, on a busy machine too."""
    begin = Meter.start

    def begin_and_wait(meter: Meter) -> None:
        begin(meter)
        ready(meter)

    monkeypatch.setattr(Meter, "start", begin_and_wait)
    monkeypatch.setattr(emissions, "PATIENCE", 30.0)
    monkeypatch.setattr(emissions, "LAST_PATIENCE", 30.0)


@contextmanager
def watching(config: Path, folder: Path, trainer: Any = TRAINER) -> Iterator[Emissions]:
    """Measure a training that consists of the block."""
    folder.mkdir(exist_ok=True)
    callback = Emissions(load_config(config), RunFolder(folder))
    with callback:
        callback.on_fit_start(trainer, trainer)
        yield callback


@pytest.mark.usefixtures("patient")
def test_a_fit_leaves_its_energy_and_its_co2(write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    with serving('{"country_code3": "FRA"}') as service:
        monkeypatch.setattr(emissions, "LOOKUP", service.address)
        run = fit(load_config(write_config(emissions={"country": "DEU"}, **QUIET)))
        assert service.requests == 0
    [row] = rows_of(run.folder.path)
    assert tuple(row) == COLUMNS
    assert row["part"] == "1"
    assert before <= datetime.fromisoformat(row["started"]) <= datetime.now(UTC)
    kwh, seconds = float(row["energy_kwh"]), float(row["duration_s"])
    assert 0.1 < kwh * 3.6e6 / seconds < 20000  # watts
    assert float(row["emissions_kg"]) == pytest.approx(kwh * GERMANY)
    assert float(row["intensity_kg_per_kwh"]) == pytest.approx(GERMANY)
    assert {name: row[name] for name in ("country", "country_source", "note", "gpu")} == {
        "country": "DEU", "country_source": "config", "note": "", "gpu": ""
    }  # fmt: skip
    for name in ("duration_s", "energy_kwh", "emissions_kg"):
        assert row[f"total_{name}"] == row[name]
    assert row["tracking"]
    assert row["codecarbon"]


@pytest.mark.usefixtures("patient")
def test_watching_changes_no_result(write_config: WriteConfig, capfd: pytest.CaptureFixture[str]) -> None:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    off = fit(load_config(write_config(emissions=None, **QUIET)))
    on = fit(load_config(write_config(emissions={"country": "DEU"}, **QUIET)))
    expected = weights(off)
    assert all(torch.equal(value, expected[name]) for name, value in weights(on).items())
    assert without_times(on) == without_times(off)
    assert on.folder.cases.read_bytes() == off.folder.cases.read_bytes()
    files = [
        {str(path.relative_to(run.folder.path)) for path in run.folder.path.rglob("*") if "tfevents" not in path.name}
        for run in (off, on)
    ]
    assert files[1] - files[0] == {"emissions.csv"}
    assert "codecarbon" not in "".join(capfd.readouterr())
    assert {number: signal.getsignal(number) for number in handlers} == handlers


@pytest.mark.usefixtures("patient")
def test_a_resumed_run_adds_up(write_config: WriteConfig, tmp_path: Path) -> None:
    # Epochs that last: codecarbon does not measure anew within 50 ms.
    (tmp_path / "slow.py").write_text(SLOW)
    train = [component.model_dump() for component in load_config(write_config()).transforms.train]
    settings: dict[str, Any] = {"emissions": {"country": "DEU"}, "data": {"test_csv": None}} | QUIET
    settings |= {"transforms": {"train": [*train, "Sleepd"]}, "patch": {"transforms": str(tmp_path / "slow.py")}}
    folder = fit(load_config(write_config(**settings, trainer={"max_epochs": 2}))).folder
    [first] = rows_of(folder.path)
    fit(load_config(write_config(**settings, trainer={"max_epochs": 3})), ckpt_path="last")
    rows = rows_of(folder.path)
    assert rows[0] == first
    assert [row["part"] for row in rows] == ["1", "2"]
    for name in ("duration_s", "energy_kwh", "emissions_kg"):
        assert float(rows[1][name]) > 0
        assert float(rows[1][f"total_{name}"]) == pytest.approx(total(rows, name))
    for tag, column in (("emissions/kwh", "energy_kwh"), ("emissions/kg_co2eq", "emissions_kg")):
        shown = points(folder.path, tag)
        assert [step for step, _ in shown] == [2, 5, 8]  # the last step of each epoch of three
        values = [value for _, value in shown]
        before, after = (float(np.float32(value)) for value in (float(first[column]), total(rows, column)))
        assert 0 < values[0] < values[1] <= before  # TensorBoard keeps single precision
        assert before < values[2] <= after


@pytest.mark.usefixtures("patient")
def test_after_a_kill_the_rows_of_both_parts_add_up(write_config: WriteConfig, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    train = [component.model_dump() for component in load_config(write_config()).transforms.train]
    config = write_config(
        transforms={"train": [*train, "Sleepd"]},
        patch={"transforms": str(tmp_path / "slow.py")},
        trainer={"max_epochs": 6},
        data={"test_csv": None},
        emissions={"country": "DEU"},
        **QUIET,
    )
    process, run = start(config), tmp_path / "runs" / "tiny"
    wait_for_epochs(process, run, 3)
    deadline = time.monotonic() + 60
    while not (run / "emissions.csv").is_file():  # codecarbon takes its time on a busy machine
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    measuring = psutil.Process(process.pid).children()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert all(map(has_ended, measuring))
    [killed] = rows_of(run)
    assert len(fit(load_config(config), ckpt_path="last").metrics) == 6
    rows = rows_of(run)
    assert [row["part"] for row in rows] == ["1", "2"]
    assert rows[0] == killed
    for name in ("duration_s", "energy_kwh", "emissions_kg"):
        assert float(rows[1][f"total_{name}"]) == pytest.approx(total(rows, name))


@pytest.mark.usefixtures("patient")
def test_the_country_is_looked_up_where_none_is_set(
    write_config: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving('{"country_code3": "FRA"}') as service:
        monkeypatch.setattr(emissions, "LOOKUP", service.address)
        with watching(write_config(emissions={}), tmp_path / "run"):
            pass
        assert service.requests == 1
    [row] = rows_of(tmp_path / "run")
    assert (row["country"], row["country_source"], row["note"]) == ("FRA", "lookup", "")
    assert float(row["intensity_kg_per_kwh"]) < 0.1


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("answer", ["refused", "hangs", "<html>", '{"country_code3": "ATA"}'])
def test_a_country_that_stays_unknown_is_marked(
    write_config: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    with serving(None if answer == "hangs" else answer) as service:
        monkeypatch.setattr(emissions, "LOOKUP", refusing() if answer == "refused" else service.address)
        with watching(write_config(emissions={}), tmp_path / "run"):
            began = time.monotonic()
        assert time.monotonic() - began < 10  # two seconds, on a busy machine
    [row] = rows_of(tmp_path / "run")
    assert (row["country"], row["country_source"]) == ("", "unknown")
    assert row["note"] == "country unknown, world average"
    assert float(row["emissions_kg"]) == pytest.approx(float(row["energy_kwh"]) * 0.475)


def test_the_end_of_a_run_waits_two_seconds_at_most(
    write_config: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert emissions.LAST_PATIENCE == 2
    fake(tmp_path, monkeypatch, "hang")
    caplog.set_level(logging.INFO, logger="trainlib")
    with watching(write_config(emissions={"country": "DEU"}), tmp_path / "run") as callback:
        began = time.monotonic()
        callback.on_train_epoch_end(TRAINER, TRAINER)
        process = process_of(callback._meter) if callback._meter else None
    assert time.monotonic() - began < 10
    assert process is not None
    assert has_ended(process)
    assert [record.message for record in caplog.records] == [
        "Energy and CO2 are not known: the run was over before codecarbon was ready."
    ]
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("place", ["import", "construction", "start"])
def test_a_codecarbon_that_fails_leaves_the_training_alone(
    write_config: WriteConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    place: str,
) -> None:
    fake(tmp_path, monkeypatch, place)
    monkeypatch.setattr(emissions, "LAST_PATIENCE", 30.0)
    run = fit(load_config(write_config(emissions={"country": "DEU"}, data={"test_csv": None}, **QUIET)))
    assert len(run.metrics) == 2
    assert not run.folder.emissions.exists()
    told = [record.message for record in caplog.records if "CO2" in record.message]
    assert told == ["Energy and CO2 are not measured any further: codecarbon failed (OSError: no sensor)."]


@pytest.mark.usefixtures("patient")
def test_a_codecarbon_that_fails_later_leaves_the_figures_before(
    write_config: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fake(tmp_path, monkeypatch, "measuring")
    with watching(write_config(emissions={"country": "DEU"}), tmp_path / "run") as callback:
        for _ in range(3):
            callback.on_train_epoch_end(TRAINER, TRAINER)
    [row] = rows_of(tmp_path / "run")
    assert (row["energy_kwh"], row["duration_s"]) == ("1", "10")
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("error", [RuntimeError("boom"), Interrupted(signal.SIGTERM)])
def test_what_a_run_used_that_ended_by_an_error_is_written(
    write_config: WriteConfig, tmp_path: Path, error: BaseException
) -> None:
    with (
        pytest.raises(type(error)),
        watching(write_config(emissions={"country": "DEU"}), tmp_path / "run"),
    ):
        raise error
    [row] = rows_of(tmp_path / "run")
    assert float(row["energy_kwh"]) > 0


@pytest.mark.usefixtures("patient")
def test_a_file_that_cannot_be_written_is_told_once_and_ends_nothing(
    write_config: WriteConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run" / "emissions.csv").mkdir(parents=True)
    with watching(write_config(emissions={"country": "DEU"}), tmp_path / "run") as callback:
        assert callback._meter is not None
        process = process_of(callback._meter)
        for _ in range(2):
            callback.on_train_epoch_end(TRAINER, TRAINER)
    [record] = caplog.records
    assert record.message.startswith("Emissions failed and is switched off: IsADirectoryError")
    assert has_ended(process)


def test_only_the_first_process_of_several_measures(write_config: WriteConfig, tmp_path: Path) -> None:
    second = SimpleNamespace(**vars(TRAINER) | {"is_global_zero": False})
    with watching(write_config(emissions={"country": "DEU"}), tmp_path / "run", second) as callback:
        callback.on_train_epoch_end(second, second)
        assert callback._meter is None
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize(("stage", "setting", "there"), [("fit", {}, 1), ("fit", None, 0), ("test", {}, 0)])
def test_only_a_fit_is_measured_and_only_where_it_is_asked_for(
    write_config: WriteConfig, tmp_path: Path, stage: str, setting: dict[str, str] | None, there: int
) -> None:
    callbacks = build_callbacks(stage, load_config(write_config(emissions=setting)), RunFolder(tmp_path))
    assert sum(isinstance(callback, Emissions) for callback in callbacks) == there
