"""Put the report together: content in, one page of HTML out."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import trainlib
from trainlib.folders.ensemble import full_name
from trainlib.metrics.bootstrap import Interval
from trainlib.report.about import device_of, facts_of, sentence_of, setup_of
from trainlib.report.base import TaskPart
from trainlib.report.content import Content
from trainlib.report.curves import draw_curves
from trainlib.report.formats import SPLITS, Metric, moment
from trainlib.report.notices import notices_of
from trainlib.report.palette import tones_css
from trainlib.report.reproduction import reproduction_of
from trainlib.report.resources import emissions_of, hardware_of, times_of
from trainlib.report.training import best_of, ending_of
from trainlib.words import count

_TEMPLATES = Path(__file__).parent / "templates"
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def render(content: Content, part: TaskPart) -> str:
    """Write the page.

    Args:
        content: The run.
        part: What its task adds.
    """
    return fill("report.html", _context(content, part))


def fill(template: str, context: dict[str, Any]) -> str:
    """Fill a template."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(context)


def _context(content: Content, part: TaskPart) -> dict[str, Any]:
    """Gather everything that the templates name."""
    ending, best, reproduction = ending_of(content), best_of(content), reproduction_of(content)
    sections = [section for section, _ in part.sections]
    notices = notices_of(content, ending, reproduction, part.notices(), sections)
    return {
        **_frame(content, part),
        "part": part,
        "sentence": sentence_of(content, ending, part.purpose()),
        "facts": facts_of(content, best),
        "gif": content.gif,
        "notices": notices,
        "notices_of": lambda section: [notice for notice in notices if notice.section == section],
        "split_name": SPLITS[content.split],
        "shows_cases": content.shows_cases,
        "resamples": content.resamples,
        "ending": ending,
        "trained": content.trained,
        "best": best,
        "curves": draw_curves(content, best, part.plans),
        "emissions": emissions_of(content),
        "times": times_of(content),
        "hardware": hardware_of(content),
        "config_text": content.config_text,
        "setup": setup_of(content),
        "reproduction": reproduction,
        **part.context(),
    }


def _frame(content: Content, part: TaskPart) -> dict[str, Any]:
    return frame(content, full_name(content.folder.path), [f"{part.templates}/{name}" for name in part.styles])


def frame(content: Content, title: str, styles: Sequence[str]) -> dict[str, Any]:
    """Gather title, styles and script. The page allows its one script by its hash, and no network at all.

    Args:
        content: A run.
        title: Title of the page.
        styles: Files of styles besides that of all pages.
    """
    script = (_TEMPLATES / "table.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
    classes = {*content.config.data.classes, *content.cases.get("class", [])}
    environment = content.environment
    files = [_TEMPLATES / name for name in ("style.css", *styles)]
    return {
        "title": title,
        "policy": policy + "base-uri 'none'; form-action 'none'",
        "style": Markup("".join(file.read_text(encoding="utf-8") for file in files)),
        "tones": Markup(tones_css(len(classes) + 1)),
        "script": Markup(script),
        "meta": [
            f"trainlib {environment.get('trainlib', trainlib.__version__)}",
            moment(str(environment.get("time", ""))),
            device_of(content),
        ],
        "written": f"{datetime.now(UTC):%Y-%m-%d}",
        "version": trainlib.__version__,
        "count": count,
        "interval": _interval,
    }


def _interval(metric: Metric, interval: Interval) -> str:
    return metric.interval(interval)


def _printable(value: Any) -> Any:
    """Put blanks in the place of control characters, which HTML does not allow."""
    return _CONTROL.sub(" ", value) if type(value) is str else value
