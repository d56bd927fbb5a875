"""Time, hardware, energy and CO2 of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from trainlib.report.about import Facts, device_of
from trainlib.report.content import Content, resumed_snapshots
from trainlib.report.formats import NOTHING, duration, moment, scaled, significant
from trainlib.report.reading import read_mapping

MASSES = (("t", 1000.0), ("kg", 1.0), ("g", 1e-3), ("mg", 1e-6))
ENERGIES = (("MWh", 1000.0), ("kWh", 1.0), ("Wh", 1e-3), ("mWh", 1e-6))
_SOURCES = {"config": "from the config", "lookup": "looked up on the network"}
_PART = {
    "part": "Part",
    "started": "Started",
    "duration_s": "Duration",
    "energy_kwh": "Energy",
    "emissions_kg": "CO₂eq",
    "country": "Country",
    "note": "Note",
}


@dataclass(frozen=True)
class Emissions:
    """Energy and CO2 of all parts of the training.

    Attributes:
        mass: CO2 equivalent.
        energy: Energy.
        time: For how long it was measured.
        where: Country, intensity of its electricity, and how the country is known.
        how: How it was measured.
        note: What must be known about the figure.
        parts: A row for each part of a training that was resumed, the first of them the header; else empty.
    """

    mass: str
    energy: str
    time: str
    where: str
    how: str
    note: str
    parts: list[list[str]]


def emissions_of(content: Content) -> Emissions | None:
    """Read the totals; None where nothing was measured."""
    table = content.emissions
    if not len(table):
        return None
    last = {str(name): value for name, value in table.iloc[-1].items()}
    columns = [name for name in _PART if name in table]
    parts = [[_PART[name] for name in columns]]
    parts += [[_cell(name, row[name]) for name in columns] for row in table.to_dict("records")]
    notes = dict.fromkeys(_text(note) for note in table.get("note", []))
    return Emissions(
        mass=scaled(last["total_emissions_kg"], MASSES),
        energy=scaled(last["total_energy_kwh"], ENERGIES),
        time=duration(last["total_duration_s"]),
        where=_where(last),
        how=_how(last),
        note="; ".join(note for note in notes if note),
        parts=parts if len(table) > 1 else [],
    )


def hardware_of(content: Content) -> Facts:
    """List machine and versions."""
    environment = {name: value for name, value in content.environment.items() if value not in (None, "", [])}
    gpus = environment.get("gpus", [])
    facts = [
        ("Device", device_of(content)),
        ("GPUs", ", ".join(map(str, gpus)) if isinstance(gpus, list) else str(gpus)),
        ("Precision", str(environment.get("precision", ""))),
        ("CPU cores", str(environment.get("cores", ""))),
        ("CPU threads used", str(environment.get("threads", ""))),
        ("Memory", f"{environment['memory_gib']} GiB" if "memory_gib" in environment else ""),
        ("Machine", str(environment.get("host", ""))),
        ("System", str(environment.get("platform", ""))),
        ("Python", str(environment.get("python", ""))),
        ("torch", str(environment.get("torch", ""))),
        ("CUDA", str(environment.get("cuda", ""))),
        ("trainlib", str(environment.get("trainlib", ""))),
    ]
    return [(name, value) for name, value in facts if value]


def times_of(content: Content) -> Facts:
    """List when the run was started and how long its epochs took."""
    resumed = resumed_snapshots(content.folder)
    began = read_mapping(content.folder.snapshot / "environment.json").get("time", "")
    facts = [("Started", moment(str(began)))]
    if resumed:
        latest = moment(str(content.environment.get("time", "")))
        facts.append(("Resumed", f"{'once' if len(resumed) == 1 else f'{len(resumed)} times'}, last {latest}"))
    if "seconds" in content.epochs:
        seconds = content.epochs["seconds"].dropna()
        facts += [("All epochs", duration(float(seconds.sum()))), ("Median epoch", duration(float(seconds.median())))]
    return [(name, value) for name, value in facts if value]


def _where(last: dict[str, Any]) -> str:
    """Tell of which country's electricity the CO2 was computed."""
    country, source = _text(last.get("country")), _SOURCES.get(_text(last.get("country_source")), "")
    intensity = last.get("intensity_kg_per_kwh")
    known = f"{country} ({source})" if country and source else country
    if isinstance(intensity, int | float) and math.isfinite(intensity):
        rate = f"{significant(float(intensity))} kg CO₂eq per kWh"
        known = f"{known}, {rate}" if known else rate
    return known


def _how(last: dict[str, Any]) -> str:
    """Tell with what it was measured, and how the power of each part of the machine is known."""
    version, tracking = _text(last.get("codecarbon")), _text(last.get("tracking"))
    tool = f"codecarbon {version}".strip()
    return f"{tool} ({tracking})" if tracking else tool


def _cell(name: str, value: Any) -> str:
    if name == "started":
        return moment(_text(value))
    if name in ("country", "note", "part"):
        return _text(value)
    if not isinstance(value, int | float):
        return NOTHING
    if name == "duration_s":
        return duration(value)
    return scaled(value, ENERGIES if name == "energy_kwh" else MASSES)


def _text(value: Any) -> str:
    """Write what stands in a cell; an empty one holds nan."""
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)
