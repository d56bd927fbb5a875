"""emissions.csv: energy and CO2 of a training, with a row for each part of it."""

from __future__ import annotations

import logging
import math
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType

import torch
from lightning import Callback, LightningModule, Trainer

from trainlib.callbacks.harmless import harmless
from trainlib.callbacks.meter import Meter, Reading
from trainlib.config.grid import WORLD_AVERAGE, intensity
from trainlib.config.schema import Config
from trainlib.folders.run import RunFolder
from trainlib.system.files import read_rows, write_table

log = logging.getLogger(__name__)

LOOKUP = "https://get.geojs.io/v1/ip/geo.json"
"""Tells the country that an address of the internet is in; the service that codecarbon asks too."""

UNKNOWN = "country unknown, world average"
"""The note on a figure that does not rest on the country's own electricity."""

PATIENCE = 0.2
"""Seconds that the end of an epoch waits for a reading."""

LAST_PATIENCE = 2.0
"""Seconds that the end of the run waits for the last reading."""

SUMS = ("duration_s", "energy_kwh", "emissions_kg")
COLUMNS = (
    *("part", "started", *SUMS, *(f"total_{name}" for name in SUMS)),
    *("country", "country_source", "intensity_kg_per_kwh", "note", "cpu", "gpu", "tracking", "codecarbon"),
)


class Emissions(Callback, AbstractContextManager[None]):
    """Measures the energy of training, validation and test, and multiplies it by the CO2 of the country's grid.

    codecarbon measures the whole machine, whatever else runs on it, but only the GPUs of the training. It runs in a
    process of its own; the training waits for nothing but a reading after each epoch, a millisecond. What was used
    in the second or two before codecarbon is ready is not counted, nor after the last epoch of a run that is killed.

    Args:
        config: The config.
        folder: The run folder.
    """

    def __init__(self, config: Config, folder: RunFolder) -> None:
        self.country = config.emissions.country if config.emissions else None
        self.folder = folder
        self._meter: Meter | None = None
        self._earlier: list[dict[str, str]] = []
        self._started = ""
        self._gpu = ""

    def __enter__(self) -> None:
        """Begin nothing yet: `on_fit_start` does, and the end of this block ends it, however that comes."""

    @harmless
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start to measure; a resumed run keeps the rows of its earlier parts, whose energy was used."""
        if not trainer.is_global_zero:
            return
        self._earlier = read_rows(self.folder.emissions, lambda row: all(_is_number(row.get(name)) for name in SUMS))
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._gpu, gpus = _gpus(trainer)
        self._meter = Meter(self.folder.path, gpus, None if self.country else LOOKUP)
        self._meter.start()

    @harmless
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ask for the reading of the epoch, which comes while other callbacks write their files."""
        if self._meter is not None and not trainer.sanity_checking:
            self._meter.ask()

    @harmless
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Bring the file up to date, so that a killed run loses an epoch's figures at most."""
        reading = self._meter.read(PATIENCE) if self._meter else None
        if reading is None:
            return
        row = self._write(reading)
        figures = {"kg_co2eq": row["total_emissions_kg"], "kwh": row["total_energy_kwh"]}
        metrics = {f"emissions/{name}": float(value) for name, value in figures.items()}
        for logger in trainer.loggers:
            # The number of the epoch's last step, as Lightning does; a resumed run hides the points after it.
            logger.log_metrics(metrics, step=trainer.global_step - 1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write the last figures."""
        try:
            self._finish()
        finally:
            if self._meter is not None:
                self._meter.stop()

    @harmless
    def _finish(self) -> None:
        if self._meter is None:
            return
        reading = self._meter.finish(LAST_PATIENCE)
        if reading is not None:
            row = self._write(reading)
            kwh, kilograms = float(row["total_energy_kwh"]), float(row["total_emissions_kg"])
            log.info("Energy and CO2: %.3g kWh, %.3g kg CO2eq (%s).", kwh, kilograms, row["note"] or row["country"])
        elif not self._meter.failed:
            log.info("Energy and CO2 are not known: the run was over before codecarbon was ready.")

    def _write(self, reading: Reading) -> dict[str, str]:
        """Write the table with the row of this part as it is by now, and return that row."""
        country = self.country or reading.country or ""
        own = intensity(country)
        per_kwh = WORLD_AVERAGE if own is None else own
        figures = dict(zip(SUMS, (reading.seconds, reading.kwh, reading.kwh * per_kwh), strict=True))
        totals = {f"total_{name}": value + self._sum(name) for name, value in figures.items()}
        row = {
            "part": str(len(self._earlier) + 1),
            "started": self._started,
            **{name: f"{value:.9g}" for name, value in (figures | totals).items()},
            "country": country if own is not None else "",
            "country_source": "unknown" if own is None else "config" if self.country else "lookup",
            "intensity_kg_per_kwh": f"{per_kwh:.9g}",
            "note": UNKNOWN if own is None else "",
            "cpu": reading.cpu,
            "gpu": self._gpu,
            "tracking": reading.tracking,
            "codecarbon": reading.codecarbon,
        }
        write_table(self.folder.emissions, [*self._earlier, row], COLUMNS)
        return row

    def _sum(self, name: str) -> float:
        return sum(float(row[name]) for row in self._earlier)


def _is_number(text: str | None) -> bool:
    try:
        return math.isfinite(float(text or ""))
    except ValueError:
        return False


def _gpus(trainer: Trainer) -> tuple[str, list[str] | None]:
    """Return names and UUIDs of the GPUs that train; None where they have none, so that all are counted."""
    if trainer.strategy.root_device.type != "cuda":
        return "", []
    found = [torch.cuda.get_device_properties(i) for i in trainer.device_ids]
    uuids = [str(gpu.uuid) for gpu in found if hasattr(gpu, "uuid")]
    return ", ".join(gpu.name for gpu in found), uuids if len(uuids) == len(found) else None
