"""A run on disk, opened again: config, tables and checkpoint."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from trainlib.config.load import load_config
from trainlib.config.schema import Config
from trainlib.errors import CheckpointError, ConfigError
from trainlib.folders.run import RunFolder
from trainlib.metrics.summary import summarise


@dataclass(frozen=True)
class Run:
    """A run on disk.

    Attributes:
        folder: Where everything is.
        config: The complete config.
    """

    folder: RunFolder
    config: Config

    @property
    def metrics(self) -> pd.DataFrame:
        """A row for each epoch."""
        return pd.read_csv(self.folder.metrics)

    @property
    def cases(self) -> pd.DataFrame:
        """A row for each case, class and split."""
        # Names stay texts: a case may be called 001, and a class NA.
        texts = dict.fromkeys(("split", "case", "class", "outcome", "label", "prediction"), str)
        return pd.read_csv(
            self.folder.cases, dtype=texts, keep_default_na=False, na_values=[""], float_precision="round_trip"
        )

    @property
    def emissions(self) -> pd.DataFrame:
        """A row for each part of the training, the last with the totals so far."""
        # Codes stay texts: no country is a missing value.
        return pd.read_csv(self.folder.emissions, keep_default_na=False, na_values=[""])

    def scores(self, split: str) -> dict[str, float]:
        """Compute the metrics of a split from the table of cases, such as "dice" and "dice/tumour".

        Args:
            split: ``valid`` or ``test``; one without cases has no metrics.
        """
        table = self.cases
        table = table[table["split"] == split]
        if self.config.task == "segmentation":
            return summarise(table.to_dict("records"))  # type: ignore[arg-type]
        if table.empty:
            return {}
        import numpy as np

        from trainlib.metrics.classification import score_split

        classes, multilabel = self.config.data.classes, self.config.multilabel
        probabilities = table[[f"probability_{name}" for name in classes]].to_numpy(dtype=float, copy=True)
        labels = table[[f"label_{name}" for name in classes]] if multilabel else table["label"].map(classes.index)
        targets = labels.to_numpy(dtype=int, copy=True)
        scores = score_split(np.nan_to_num(probabilities), targets, classes, multilabel=multilabel)
        # There is no order among cases with nan, and none is left out.
        return dict.fromkeys(scores, math.nan) if np.isnan(probabilities).any() else scores

    @property
    def checkpoint(self) -> Path:
        """The best checkpoint, or the last one where nothing was monitored yet.

        Raises:
            CheckpointError: The run has not finished an epoch.
        """
        for path in (self.folder.best, self.folder.last):
            if path.is_file():
                return path
        raise CheckpointError(f"{self.folder.path}: the run has no checkpoint yet.")


def load_run(path: str | Path) -> Run:
    """Open a run folder.

    Args:
        path: The folder.

    Raises:
        ConfigError: It is no run folder.
    """
    folder = RunFolder(Path(path))
    if not folder.config.is_file():
        raise ConfigError(f"{path} is not a run folder: it has no config.yaml.")
    return Run(folder, load_config(folder.config))
