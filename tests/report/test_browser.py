"""The report in a browser: its script runs under its own policy, sorts, and lets nothing else run."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.report.helpers import Page, make_run
from trainlib.report import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium to run the script of the report")

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--window-size=1280,900"),
)


def opened(page: Path, profile: Path) -> Page:
    """Return what a page has become once its scripts ran."""
    done = subprocess.run(
        [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return Page(done.stdout)


def with_script(report: Path, script: str) -> Path:
    """Copy a report without its policy, and with a script that acts as a reader."""
    source = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", report.read_text(encoding="utf-8"))
    copy = report.with_name("acted.html")
    copy.write_text(source.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    return copy


def dice(page: Page) -> list[float]:
    [rows] = [rows for rows in page.tables if rows[0][0] == "Split"]
    return [math.nan if row[3] == "\N{EN DASH}" else float(row[3]) for row in rows[1:]]


def test_its_script_runs_and_that_of_a_class_does_not(tmp_path: Path) -> None:
    evil = "<script>document.title = 'stolen'<\\script><img src=x onerror=\"document.title = 'stolen'\">"
    page = opened(write_report(make_run(tmp_path / "run", classes=["background", evil, "b"])), tmp_path / "profile")
    assert len(page.attributes("button")) == 11
    assert {head.get("aria-sort") for head in page.attributes("th")} == {"none", None}
    assert "stolen" not in page.source.split("</title>")[0]
    assert page.tables[0][3][0] == evil


@pytest.mark.parametrize(("clicks", "sign", "order"), [(1, 1, "ascending"), (2, -1, "descending")])
def test_a_click_on_a_column_sorts_its_numbers_and_what_has_none_comes_last(
    tmp_path: Path, clicks: int, sign: int, order: str
) -> None:
    report = write_report(make_run(tmp_path / "run"))
    script = "document.querySelectorAll('.cases button')[3].click();" * clicks
    page = opened(with_script(report, script), tmp_path / "profile")
    before, after = dice(Page(report.read_text(encoding="utf-8"))), dice(page)
    numbers = sorted((value for value in before if not math.isnan(value)), key=lambda value: sign * value)
    assert after[:-1] == numbers
    assert math.isnan(after[-1])
    assert [head["aria-sort"] for head in page.attributes("th") if "aria-sort" in head][3] == order
