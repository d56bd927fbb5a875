"""From what is combined to what is written and scored: post-processing, the grid of the label file, scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray
from PIL import Image

from trainlib.build.pipelines import build_pipeline
from trainlib.build.roles import PREDICTION
from trainlib.callbacks.views import original_view
from trainlib.config.schema import Config
from trainlib.data.geometry import Geometry
from trainlib.data.labels import read_label
from trainlib.data.splits import Case
from trainlib.ensemble.combine import combine_maps
from trainlib.ensemble.opinions import Opinions
from trainlib.metrics.case import score_case

Array = NDArray[Any]
Rows = list[dict[str, Any]]


class Decision:
    """Decides on the label map of cases, and scores it as `test` does.

    Args:
        config: A complete config.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.post = build_pipeline(config, "post")
        self.geometry = Geometry(config)

    def label_map(self, opinions: Opinions, method: str) -> Array:
        """Combine the members and post-process; class values on the grid of the image file."""
        return self._processed(combine_maps(opinions, method))

    def _processed(self, label_map: Array) -> Array:
        result = self.post({PREDICTION: torch.as_tensor(label_map.astype(np.int64))[None]})[PREDICTION]
        return np.asarray(torch.as_tensor(result)[0].cpu().numpy()).astype(np.int16)

    def score(self, case: Case, opinions: Opinions, label_maps: Sequence[tuple[str, Array]]) -> Rows:
        """Score label maps of a case in the geometry of its label file.

        Where that is not the grid of the image, probabilities are brought to it: the mean as it is, what others
        decided on as 1 and 0.

        Args:
            case: A case with a label.
            opinions: What the members say.
            label_maps: Each method with its label map on the grid of the image file.
        """
        batch, metrics = self._batch(case), self.config.metrics
        label = batch["original_label"][0][0].numpy()
        rows: Rows = []
        for method, label_map in label_maps:
            found = score_case(
                self._on_label(opinions, method, label_map, batch),
                label,
                self.config.data.classes,
                self.geometry.spacing(batch, 0),
                nsd_tolerance=metrics.nsd_tolerance,
                include_background=metrics.include_background,
            )
            rows += [{"model": method, "case": case.name, **row} for row in found]
        return rows

    def _on_label(self, opinions: Opinions, method: str, label_map: Array, batch: dict[str, Any]) -> Array:
        """Bring a decision to the grid of the label file, where it is another."""
        affine = torch.as_tensor(opinions.affine)
        if self.geometry.on_grid_of_label(label_map.shape, affine, batch, 0):
            return label_map
        values = opinions.probabilities if method == "mean" else self._one_hot(label_map)
        moved = self.geometry.to_label(MetaTensor(torch.as_tensor(values), affine=affine), batch, 0)
        assert moved is not None
        return self._processed(moved.argmax(dim=0).numpy())

    def _one_hot(self, label_map: Array) -> Array:
        return (label_map == np.arange(self.config.out_channels).reshape(-1, *[1] * label_map.ndim)).astype(np.float32)

    def _batch(self, case: Case) -> dict[str, Any]:
        """Read the label of a case as a batch of one has it."""
        assert case.label is not None
        label, affine = read_label(case.label, self.config)
        return {"original_label": [label], "original_affine": [affine]}

    def draw(self, case: Case, opinions: Opinions, label_map: Array) -> Image.Image:
        """Draw label and prediction of a case on its image."""
        return original_view(self._batch(case), 0, case, label_map.shape, opinions.affine).draw(label_map)
