"""Energy, hardware, snapshot and the numbers' spelling."""

from __future__ import annotations

import math
import shlex
from pathlib import Path

import pandas as pd
import pytest

from tests.report.helpers import make_run, write_snapshot
from tests.report.test_report import report_of
from trainlib.drawing.colours import class_colour
from trainlib.report.about import case_counts, device_of, sentence_of
from trainlib.report.formats import duration, line, moment, significant
from trainlib.report.load import read_content
from trainlib.report.palette import luminance, tones_css
from trainlib.report.reproduction import reproduction_of
from trainlib.report.resources import emissions_of, hardware_of, times_of
from trainlib.report.segmentation.names import METRICS
from trainlib.report.tasks import TASK_PARTS
from trainlib.report.training import ending_of
from trainlib.words import count, listed


def test_energy_and_co2_are_the_totals_of_the_last_row_with_the_note(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    emissions = emissions_of(read_content(run))
    assert emissions is not None
    assert (emissions.mass, emissions.energy, emissions.time) == ("285 g", "600 Wh", "2 min 00 s")
    assert emissions.note == "country unknown, world average"
    assert emissions.where == "0.475 kg CO₂eq per kWh"
    assert emissions.how == "codecarbon 3.3.2 (CPU: load x TDP)"
    assert [row[2:5] for row in emissions.parts[1:]] == [
        ["1 min 40 s", "500 Wh", "237 g"],
        ["20 s", "100 Wh", "47.5 g"],
    ]
    text = report_of(run).text
    assert "285 g country unknown, world average" in text


def test_a_known_country_is_told_with_its_source(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    table = pd.read_csv(run / "emissions.csv").head(1)
    table.assign(country="DEU", country_source="lookup", note="").to_csv(run / "emissions.csv", index=False)
    emissions = emissions_of(read_content(run))
    assert emissions is not None
    assert emissions.where == "DEU (looked up on the network), 0.475 kg CO₂eq per kWh"
    assert emissions.note == ""
    assert emissions.parts == []


def test_the_device_is_the_gpu_that_trained(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    assert device_of(read_content(run)) == "A CPU"
    pd.read_csv(run / "emissions.csv").assign(gpu="A GPU").to_csv(run / "emissions.csv", index=False)
    assert device_of(read_content(run)) == "A GPU"


def test_times_are_summed_over_the_epochs(tmp_path: Path) -> None:
    facts = dict(times_of(read_content(make_run(tmp_path / "run"))))
    assert facts == {"Started": "2026-01-02 03:04 UTC", "All epochs": "15 s", "Median epoch": "2.5 s"}


def test_a_resumed_run_tells_when_and_how_in_order(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    for number in ("", "_2", "_10"):
        write_snapshot(run, f"snapshot/resumed{number}", f"trainlib fit number{number}")
    content = read_content(run)
    assert reproduction_of(content).original == "trainlib fit -c first.yaml"
    assert reproduction_of(content).resumed == [f"trainlib fit number{n}" for n in ("", "_2", "_10")]
    assert dict(times_of(content))["Resumed"].startswith("3 times, last 2026-01-02")
    assert "and continued with: trainlib fit number trainlib fit number_2" in report_of(run).text


def test_commands_are_quoted_for_the_shell(tmp_path: Path) -> None:
    run = make_run(tmp_path / "it's a run; rm -rf")
    found = reproduction_of(read_content(run))
    assert shlex.split(found.command) == ["trainlib", "fit", "-c", str(run / "config.yaml")]
    install, fit = found.environment.splitlines()
    assert str(run / "snapshot") + "/requirements.txt" in shlex.split(install)
    assert shlex.split(fit)[0] == f"PYTHONPATH={run / 'snapshot'}"


def test_the_snapshot_is_listed_with_what_it_holds(tmp_path: Path) -> None:
    holdings = {name: amount for name, amount, _ in reproduction_of(read_content(make_run(tmp_path / "run"))).holdings}
    assert holdings["csvs/"] == "3 files"
    assert holdings["requirements.txt"] == "2 packages"
    assert holdings["trainlib/"] == "1 file"


def test_hardware_leaves_out_what_is_not_known(tmp_path: Path) -> None:
    names = [name for name, _ in hardware_of(read_content(make_run(tmp_path / "run")))]
    assert names == ["Device", "CPU cores", "Machine", "trainlib"]


def test_cases_are_counted_in_the_snapshot_as_far_as_they_were_used(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (run / "snapshot/csvs/train.csv").write_text('image,label\n"a,b\nc.nii",d.nii\ne.nii,f.nii\n,\n')
    assert case_counts(read_content(run)) == {"train": 2, "valid": 3, "test": 7}
    limited = make_run(tmp_path / "limited", data={"limit_cases": 4})
    assert case_counts(read_content(limited)) == {"train": 4, "valid": 3, "test": 4}


def test_of_two_csvs_with_one_name_each_is_counted(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", data={"train_csv": "a/list.csv", "valid_csv": "b/list.csv"})
    (run / "snapshot/csvs/list.csv").write_text("image\nx\n")
    (run / "snapshot/csvs/1_list.csv").write_text("image\nx\ny\n")
    assert case_counts(read_content(run)) == {"train": 1, "valid": 2, "test": 7}


@pytest.mark.parametrize(
    ("origin", "begin"),
    [("get_model from /home/me/nets.py", "The network of nets.py for"), ("UNet from x", "UNet for")],
)
def test_the_sentence_names_the_network(tmp_path: Path, origin: str, begin: str) -> None:
    run = make_run(tmp_path / "run")
    (run / "snapshot/components.json").write_text(f'{{"model": "{origin}"}}')
    content = read_content(run)
    purpose = TASK_PARTS["segmentation"](content).purpose()
    assert sentence_of(content, ending_of(content), purpose).startswith(begin)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0.00"), (1.2345, "1.23"), (12.345, "12.3"), (123.45, "123"), (1234.5, "1234"), (0.012345, "0.0123"),
     (0.00001, "1.00e-05"), (-2.5, "-2.50"), (math.nan, "\N{EN DASH}"), (math.inf, "\N{EN DASH}")],
)  # fmt: skip
def test_significant_digits(value: float, expected: str) -> None:
    assert significant(value) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
        (90000, "1 d 01 h"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


def test_texts() -> None:
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert (count(1, "case"), count(2, "case"), count(0, "case")) == ("1 case", "2 cases", "0 cases")
    assert moment("2026-01-02T03:04:05+00:00") == "2026-01-02 03:04 UTC"
    assert moment("yesterday") == "yesterday"
    assert line("a\nb\x00c\u202ed") == "a b c d"
    assert line("x" * 300, 10) == "x" * 9 + "…"


def test_units_and_directions() -> None:
    assert (METRICS["hd95"].title, METRICS["hd95"].hint) == ("HD95 (mm)", "lower is better")
    assert (METRICS["dice"].title, METRICS["dice"].hint) == ("Dice", "higher is better")


def test_the_colours_of_all_classes_are_seen_on_paper_and_on_black() -> None:
    light, dark = tones_css(60).split("@media")
    for css, backgrounds in ((light, [(255, 255, 255)]), (dark, [(17, 22, 27)])):
        hexes = [part.split(";")[0] for part in css.split(":#")[1:]]
        assert len(hexes) == 61  # the background among them
        for text in hexes:
            colour = tuple(int(text[i : i + 2], 16) for i in (0, 2, 4))
            for background in backgrounds:
                low, high = sorted((luminance(colour), luminance(background)))  # type: ignore[arg-type]
                assert (high + 0.05) / (low + 0.05) >= 2.9
    assert f"--tone-1:#{'{:02x}{:02x}{:02x}'.format(*class_colour(1))}" in dark
