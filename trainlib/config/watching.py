"""Sections on what is told of a run: progress pictures, report, CO2, messages."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trainlib.config.section import Section


class ProgressSection(Section):
    """Pictures of how the network learns."""

    cases: Annotated[int, Field(ge=1)] = 2
    """Validation cases of a segmentation that are drawn: the first ones of the CSV. A classification shows all."""


class ReportSection(Section):
    """The report, `report.html`."""

    resamples: Annotated[int, Field(ge=100)] = 2000
    """Bootstrap resamples of the cases behind each confidence interval."""


class EmissionsSection(Section):
    """Energy and CO2 of the training, measured with codecarbon."""

    country: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    """ISO 3166-1 alpha-3 code of the country whose electricity is used; null looks it up on the network."""


class PushoverSection(Section):
    """Messages to a phone by Pushover."""

    credentials: str
    """YAML file with `app_token`, `user_key` and, where they are needed, `proxies`."""
    min_interval: Annotated[float, Field(ge=0)] = 600.0
    """Least number of seconds between two messages on improvements."""
    pictures: bool = True
    """Attach pictures; they show images of patients with the names of their files."""
    api: str = "https://api.pushover.net/1"
    """Address of the API."""
