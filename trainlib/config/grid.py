"""Countries that `emissions.country` may name, and how much CO2 their electricity stands for."""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trainlib.suggest import nearest

WORLD_AVERAGE = 0.475
"""kg CO2eq per kWh where the country is unknown.

Source: International Energy Agency, Global Energy & CO2 Status Report 2019,
https://www.iea.org/reports/global-energy-co2-status-report-2019/emissions; codecarbon's `world_average` is the same.
"""


def intensity(country: str) -> float | None:
    """Return the carbon intensity of a country's electricity in kg CO2eq per kWh.

    The figures are those of codecarbon: life-cycle emissions of the country's mix in the last year on record, by
    Our World in Data (https://ourworldindata.org/grapher/carbon-intensity-electricity).

    Args:
        country: ISO 3166-1 alpha-3 code.

    Returns:
        The intensity, or None where codecarbon has no data for the country.
    """
    grid = _grids().get(country)
    return None if grid is None else float(grid["carbon_intensity"]) / 1000


def country_problem(country: str) -> str | None:
    """Say that codecarbon has no data for a country, with the code that was probably meant; None where it has."""
    grids = _grids()
    if not grids or country in grids:
        return None
    # GER is more likely to be meant for Germany than for Niger, the code that resembles it most.
    named = [code for code, grid in grids.items() if grid["country_name"].upper().startswith(country)]
    meant = named or [code for code in [nearest(country, grids)] if code]
    names = " or ".join(f"{code} ({grids[code]['country_name']})" for code in meant)
    hint = f" Did you mean {names}?" if meant else ""
    return f"codecarbon has no data for a country {country}; expected an ISO 3166-1 alpha-3 code.{hint}"


@cache
def _grids() -> dict[str, dict[str, Any]]:
    """Read codecarbon's table of countries without importing codecarbon; empty where it is not installed."""
    package = find_spec("codecarbon")
    for folder in (package and package.submodule_search_locations) or []:
        file = Path(folder) / "data" / "private_infra" / "global_energy_mix.json"
        if file.is_file():
            grids = json.loads(file.read_text(encoding="utf-8"))
            return {code: grid for code, grid in grids.items() if grid.get("carbon_intensity") is not None}
    return {}
