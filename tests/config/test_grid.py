from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import codecarbon
import pytest
from codecarbon.core.emissions import Emissions
from codecarbon.core.units import Energy
from codecarbon.external.geography import GeoMetadata
from codecarbon.input import DataSource

from trainlib.config import grid
from trainlib.config.grid import WORLD_AVERAGE, country_problem, intensity
from trainlib.config.load import read_config
from trainlib.preflight import quick_problems

WriteConfig = Callable[..., Path]
DATA = Path(codecarbon.__file__).parent / "data" / "private_infra" / "global_energy_mix.json"


def by_codecarbon(country: str | None) -> float:
    """What codecarbon itself makes of one kWh."""
    kilograms: float = Emissions(DataSource()).get_country_emissions(Energy(kWh=1), GeoMetadata(country))
    return kilograms


def test_the_intensity_of_every_country_is_that_of_codecarbon() -> None:
    countries = list(json.loads(DATA.read_text()))
    assert len(countries) > 200
    assert [intensity(country) for country in countries] == pytest.approx([by_codecarbon(code) for code in countries])


def test_france_and_germany_differ_as_their_power_plants_do() -> None:
    assert intensity("FRA") == pytest.approx(0.056, abs=0.03)
    assert intensity("DEU") == pytest.approx(0.38, abs=0.1)


def test_the_world_average_is_that_of_codecarbon() -> None:
    assert pytest.approx(by_codecarbon(None)) == WORLD_AVERAGE


@pytest.mark.parametrize("country", ["ATA", "XXX", "", "deu"])
def test_a_country_without_data_has_no_intensity(country: str) -> None:
    assert intensity(country) is None


@pytest.mark.parametrize(
    ("country", "hint"),
    [
        ("GER", " Did you mean DEU (Germany)?"),
        ("SPA", " Did you mean ESP (Spain)?"),
        ("JPX", " Did you mean JPN (Japan)?"),
        ("XXX", ""),
    ],
)
def test_a_country_without_data_is_told_with_the_code_that_was_meant(country: str, hint: str) -> None:
    expected = f"codecarbon has no data for a country {country}; expected an ISO 3166-1 alpha-3 code.{hint}"
    assert country_problem(country) == expected


def test_a_country_is_told_before_anything_runs_with_the_line_that_names_it(write_config: WriteConfig) -> None:
    path = write_config(emissions={"country": "GER"})
    line = path.read_text().splitlines().index("  country: GER") + 1
    [problem] = quick_problems(read_config(path))
    assert str(problem).startswith(f"{path}:{line}: emissions.country: codecarbon has no data for a country GER")
    assert quick_problems(read_config(path, ["emissions.country=DEU"])) == []
    assert quick_problems(read_config(path, ["emissions=null"])) == []


def test_without_codecarbon_nothing_is_said_of_a_country(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "find_spec", lambda name: None)
    grid._grids.cache_clear()
    assert country_problem("XXX") is None
    assert intensity("DEU") is None
    grid._grids.cache_clear()


def test_the_table_is_read_without_importing_codecarbon() -> None:
    code = """
import sys
from trainlib.config.grid import country_problem, intensity
assert intensity("DEU") and country_problem("GER")
print(sorted({"codecarbon", "pandas", "torch", "requests"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
