from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.callbacks.geolocation import serving
from tests.conftest import ROOT
from trainlib.callbacks.meter import Meter, Reading

# A package that measures one kWh for each reading, and fails where it is told to.
FAKE = """
import sys, time, types
def at(place):
    if place == {fails!r}:
        raise {error}
print("noise on standard output")
print("noise on standard error", file=sys.stderr)
at("import")
class OfflineEmissionsTracker:
    def __init__(self, output_handlers, **settings):
        at("construction")
        [self.handler] = output_handlers
        self.total = types.SimpleNamespace(duration=0.0, energy_consumed=0.0, cpu_model=None, codecarbon_version="0")
    def start(self):
        if {fails!r} == "hang":
            time.sleep(120)
        at("start")
    def flush(self):
        if self.total.energy_consumed >= 1:
            at("measuring")
        self.total.duration += 10.0
        self.total.energy_consumed += 1.0
        self.handler.out(self.total, None)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run folder."""
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str = "", error: str = "OSError('no sensor')") -> None:
    """Put a package named codecarbon in front of the real one."""
    package = tmp_path / "packages" / "codecarbon"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(FAKE.format(fails=fails, error=error))
    monkeypatch.syspath_prepend(tmp_path / "packages")


def ready(meter: Meter, seconds: float = 60) -> Reading:
    """Wait for the first reading, which a training does not."""
    deadline = time.monotonic() + seconds
    while (reading := meter.read(0)) is None:
        assert not meter.failed
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return reading


@pytest.fixture
def meter(folder: Path) -> Iterator[Meter]:
    """A meter that asks nobody for the country."""
    meter = Meter(folder, [], None)
    yield meter
    meter.stop()


def process_of(meter: Meter) -> psutil.Process:
    assert meter._process is not None
    return psutil.Process(meter._process.pid)


def has_ended(process: psutil.Process, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_readings_grow_with_the_time(meter: Meter) -> None:
    meter.start()
    first = ready(meter)
    time.sleep(0.3)
    second = meter.read(30)
    third = meter.finish(30)
    assert second is not None
    assert third is not None
    assert first.kwh < second.kwh <= third.kwh
    assert second.seconds - first.seconds == pytest.approx(0.3, abs=0.25)
    assert 0.1 < second.kwh * 3.6e6 / second.seconds < 20000  # watts
    assert second.codecarbon[0].isdigit()
    assert "RAM: from its size" in second.tracking
    assert "CPU: " in second.tracking
    assert "GPU" not in second.tracking


def test_a_reading_is_not_waited_for_before_codecarbon_is_ready(
    meter: Meter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, "hang")
    meter.start()
    began = time.monotonic()
    assert meter.read(60) is None
    assert time.monotonic() - began < 5
    assert meter.finish(0.2) is None
    process = process_of(meter)
    meter.stop()
    assert time.monotonic() - began < 20
    assert has_ended(process)
    assert not meter.failed


def test_orders_that_wait_are_all_answered(meter: Meter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch)
    meter.start()
    first = ready(meter)
    assert [meter.read(30), meter.read(30), meter.finish(30)] == [
        Reading(10.0 * n, float(n), None, "", "", "0") for n in range(round(first.kwh) + 1, round(first.kwh) + 4)
    ]


@pytest.mark.parametrize("place", ["import", "construction", "start"])
def test_a_codecarbon_that_fails_is_told_once(
    meter: Meter, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fake(tmp_path, monkeypatch, place)
    meter.start()
    assert meter.finish(30) is None
    assert meter.failed
    assert meter.read(30) is None
    assert meter.finish(30) is None
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.message == ("Energy and CO2 are not measured any further: codecarbon failed (OSError: no sensor).")


def test_a_codecarbon_that_fails_later_leaves_the_reading_before(
    meter: Meter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fake(tmp_path, monkeypatch, "measuring")
    meter.start()
    before = ready(meter)
    assert before.kwh == 1
    assert meter.read(30) == before
    assert meter.finish(30) == before
    assert [record.message for record in caplog.records] == [
        "Energy and CO2 are not measured any further: codecarbon failed (OSError: no sensor)."
    ]


def test_what_the_real_codecarbon_logs_of_its_failure_is_told(
    meter: Meter, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # codecarbon raises nothing itself: a processor that cannot be named ends its start with a line in its log.
    site = folder.parent / "site"
    site.mkdir()
    (site / "cpuinfo.py").write_text("def get_cpu_info(): raise LookupError('no processor')\n")
    monkeypatch.syspath_prepend(site)
    meter.start()
    assert meter.finish(60) is None
    assert [record.message for record in caplog.records] == [
        "Energy and CO2 are not measured any further: codecarbon failed (LookupError: no processor)."
    ]


def test_a_process_that_is_killed_is_told_once(meter: Meter, caplog: pytest.LogCaptureFixture) -> None:
    meter.start()
    ready(meter)
    process = process_of(meter)
    process.kill()
    assert has_ended(process)
    before = meter.read(30)
    assert before is not None
    assert meter.finish(30) == before
    assert [record.message for record in caplog.records] == [
        "Energy and CO2 are not measured any further: codecarbon failed (its process ended)."
    ]


def test_the_process_outlives_a_signal_to_the_whole_job(meter: Meter) -> None:
    meter.start()
    before = ready(meter)
    process_of(meter).terminate()
    after = meter.finish(30)
    assert after is not None
    assert after.seconds > before.seconds


def test_ctrl_c_is_for_the_training_alone(meter: Meter) -> None:
    meter.start()
    assert os.getpgid(process_of(meter).pid) != os.getpgid(0)


def test_the_process_ends_with_a_training_that_is_killed_before_its_workers(folder: Path) -> None:
    code = f"""
    import os, pathlib, time
    from trainlib.callbacks.meter import Meter
    meter = Meter(pathlib.Path({str(folder)!r}), [], None)
    meter.start()
    while meter.read(0) is None: time.sleep(0.01)
    worker = os.fork()
    if worker: print(meter._process.pid, worker, flush=True)
    time.sleep(120)
    """
    training = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert training.stdout is not None
    measuring, worker = map(psutil.Process, map(int, training.stdout.readline().split()))
    training.send_signal(signal.SIGKILL)
    training.wait()
    training.stdout.close()
    try:
        assert has_ended(measuring)
        assert worker.is_running()  # which holds the other end of the process's standard input
    finally:
        worker.kill()


def test_stopping_ends_the_process_and_may_be_repeated(meter: Meter) -> None:
    meter.stop()
    meter.start()
    process = process_of(meter)
    meter.stop()
    meter.stop()
    assert has_ended(process)


@pytest.mark.parametrize("place", ["home", "work", "environment"])
def test_settings_of_codecarbon_from_elsewhere_change_no_figures(
    meter: Meter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    if place == "environment":
        monkeypatch.setenv("CODECARBON_PUE", "1e9")
        monkeypatch.setenv("codecarbon_save_to_file", "true")
    else:
        settings = "[codecarbon]\npue = 1e9\noutput_methods = csv\n"
        (tmp_path / place / ".codecarbon.config").write_text(settings)
    meter.start()
    ready(meter)
    time.sleep(0.1)
    reading = meter.read(30)
    assert reading is not None
    assert reading.kwh * 3.6e6 / reading.seconds < 20000  # watts


def test_nothing_is_printed_and_no_file_written(
    meter: Meter, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for variable in ("HOME", "TMPDIR"):
        (tmp_path / variable).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / variable))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    meter.start()
    ready(meter)
    meter.finish(30)
    meter.stop()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert capfd.readouterr() == ("", "")
    assert {number: signal.getsignal(number) for number in handlers} == handlers


def test_two_meters_run_at_the_same_time(meter: Meter, folder: Path) -> None:
    other = Meter(folder, [], None)
    meter.start()
    other.start()
    assert ready(meter).codecarbon == ready(other).codecarbon
    other.stop()


def test_what_a_package_prints_is_no_answer(meter: Meter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch)  # which prints when it is imported
    meter.start()
    assert ready(meter).kwh == 1


def test_the_last_reading_waits_for_the_country(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch)
    with serving('{"country_code3": "NOR"}') as service:
        meter = Meter(folder, [], service.address)
        meter.start()
        last = meter.finish(30)
        meter.stop()
    assert last is not None
    assert last.country == "NOR"
    assert service.requests == 1


def test_a_reading_does_not_wait_for_the_country(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch)
    with serving(None) as service:
        meter = Meter(folder, [], service.address)
        meter.start()
        ready(meter)
        began = time.monotonic()
        last = meter.finish(30)
        assert time.monotonic() - began < 10
        meter.stop()
    assert last is not None
    assert last.country is None


def test_a_reading_that_was_asked_for_is_not_asked_for_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch)
    meter = Meter(folder, [], None)
    meter.start()
    try:
        first = meter.finish(60)
        assert first is not None
        meter.ask()
        meter.ask()
        reading = meter.read(60)
        assert reading is not None
        assert reading.kwh == first.kwh + 1
    finally:
        meter.stop()
