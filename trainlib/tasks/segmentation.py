"""Segmentation: a label map for each image."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from monai.transforms import apply_transform
from torch import nn

from trainlib.build.pipelines import build_pipeline
from trainlib.build.roles import PREDICTION
from trainlib.metrics.case import score_case
from trainlib.metrics.summary import METRICS, summarise
from trainlib.processes import interleaved
from trainlib.tasks.base import BaseTask
from trainlib.tasks.batch import Batch
from trainlib.tasks.deciding import decide, highest
from trainlib.tasks.failures import component, shape_of

Rows = list[dict[str, Any]]


class SegmentationTask(BaseTask):
    """Trains a network that gives each voxel a class, and scores it case by case.

    Validation happens on the preprocessed grid; test restores the geometry of the files first. The loss is called
    with logits of shape (batch, classes, ...) and the label map of shape (batch, 1, ...).
    """

    output_meaning = (
        "a channel for each of data.classes, and the size of the input. Networks that halve their input need a window "
        "(roi_size) that can be halved as often."
    )

    def configure_model(self) -> None:
        """Build network, loss, inferer and the post-processing."""
        super().configure_model()
        self.post = build_pipeline(self.config, "post")
        self._rows: list[Rows] = []

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the logits of one window."""
        return (1, self.config.out_channels, *self.config.roi_size)

    def _empty_target(self) -> torch.Tensor:
        return torch.zeros(1, 1, *self.config.roi_size, device=self.device, dtype=torch.uint8)

    def _loss(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Call the loss; torch's cross entropy wants class indices without a channel axis."""
        if isinstance(self.loss, nn.CrossEntropyLoss | nn.NLLLoss):
            return self.loss(logits, label[:, 0].long())
        return self.loss(logits, label.long())

    def _shared_step(self, batch: Batch, stage: str) -> dict[str, Any]:
        outputs: dict[str, Any] = {}
        if stage in ("test", "predict"):
            outputs |= self._predict(batch, with_scores=stage == "test")
        else:
            logits = self.logits_of(batch, stage, self.called)
            outputs["loss"] = self.loss_of(logits, batch["label"])
            if stage == "valid":
                self.note_valid_loss(outputs["loss"], len(logits))
                outputs |= self._score_preprocessed(logits, batch)
        if "rows" in outputs:
            self._rows.append(outputs["rows"])
        return outputs

    def _score_preprocessed(self, logits: torch.Tensor, batch: Batch) -> dict[str, Any]:
        """Decide on the classes of every case of a batch, and score them on the preprocessed grid."""
        surface = self._with_surface()
        rows: Rows = []
        label_maps: list[np.ndarray[Any, Any]] = []
        for i, scores in enumerate(logits):
            prediction = self._label_map(scores)
            label = batch["label"][i, 0].cpu().numpy()
            rows += self._score(prediction, label, batch["spacing"][i].tolist(), batch["case"][i], surface)
            label_maps.append(prediction)
        return {"rows": rows, "label_maps": label_maps}

    def _with_surface(self) -> bool:
        """Tell whether this validation computes surface distances: every n-th of a training, or one by itself."""
        every = self.config.metrics.surface_every
        validation = (self.current_epoch + 1) // (self.trainer.check_val_every_n_epoch or 1)
        return self.trainer.state.fn == "validate" or (every > 0 and validation % every == 0)

    def _predict(self, batch: Batch, *, with_scores: bool) -> dict[str, Any]:
        """Decide on the classes in the geometry of the files, and score them where labels are known."""
        geometry = self.geometry
        assert geometry is not None
        cases = range(len(batch["image"]))
        early = not self.keep_probabilities and all(
            geometry.only_moves(batch, i, with_label=with_scores) for i in cases
        )
        values = self._stitched(batch, early=early)
        outputs: dict[str, Any] = {"predictions": [], "rows": []}
        for i in cases:
            wanted = {"with_label": with_scores, "kept": self.keep_probabilities}
            with component("transforms.base", self.config, f"the way back from {shape_of(values[i])}"):
                decided = decide(values[i], geometry, batch, i, **wanted)
            label_map = self._processed(decided.classes)
            prediction = {"index": batch["index"][i], "label_map": label_map, "affine": decided.affine.numpy()}
            if decided.probabilities is not None:
                prediction["probabilities"] = decided.probabilities.numpy()
            outputs["predictions"].append(prediction)
            if with_scores:
                scored = label_map if decided.on_label is None else self._processed(decided.on_label)
                label = batch["original_label"][i, 0].numpy()
                spacing = geometry.spacing(batch, i)
                outputs["rows"] += self._score(scored, label, spacing, batch["case"][i], surface=True)
        return outputs

    def _stitched(self, batch: Batch, *, early: bool) -> torch.Tensor:
        """Return what the network says of whole cases, on the CPU.

        Args:
            batch: The batch.
            early: Whether to decide on the classes at once; else probabilities are returned.

        Returns:
            Class values, shape (cases, 1, ...), or probabilities, shape (cases, classes, ...).
        """
        found = torch.empty(0)
        late = False
        for slab in self.slabs_of(batch):
            part = slab.logits.float()
            # On a CPU the last bit of some voxels depends on where they lie in the tensor.
            late = self.keep_probabilities and part.device.type == "cpu"
            part = part if late else part.softmax(dim=0)
            if early:
                part = highest(part)
            if not found.numel():
                shape = (len(batch["image"]), len(part), slab.size, *part.shape[2:])
                found = torch.empty(shape, dtype=part.dtype)
            found[slab.item, :, slab.start : slab.start + part.shape[1]] = part
        return found.softmax(dim=1) if late else found

    def _label_map(self, scores: torch.Tensor) -> np.ndarray[Any, Any]:
        """Choose the class of each voxel, and post-process.

        Args:
            scores: Logits or probabilities, shape (classes, ...).

        Returns:
            Class values, shape (...).
        """
        return self._processed(highest(scores))

    def _processed(self, classes: torch.Tensor) -> np.ndarray[Any, Any]:
        """Post-process class values, shape (1, ...); without the first axis they are returned."""
        data: Any = {PREDICTION: classes.long() if self.post.transforms else classes}
        for i, (transform, spec) in enumerate(zip(self.post.transforms, self.config.transforms.post, strict=True)):
            with component(f"transforms.post[{i}].{spec.name}", self.config, f"a label map of {shape_of(classes)}"):
                data = apply_transform(transform, data)
        return np.asarray(torch.as_tensor(data[PREDICTION])[0].cpu().numpy()).astype(np.int16)

    def _score(
        self,
        prediction: np.ndarray[Any, Any],
        label: np.ndarray[Any, Any],
        spacing: list[float],
        case: str,
        surface: bool,
    ) -> Rows:
        metrics = self.config.metrics
        rows = score_case(
            prediction,
            label,
            self.config.data.classes,
            spacing,
            surface=surface,
            nsd_tolerance=metrics.nsd_tolerance,
            include_background=metrics.include_background,
        )
        return [{"case": case, **row} for row in rows]

    def on_validation_epoch_end(self) -> None:
        """Log loss and scores of the split."""
        self.log_valid_loss()
        self._log_scores("valid")

    def on_test_epoch_end(self) -> None:
        """Log the scores of the split."""
        self._log_scores("test")

    def _log_scores(self, stage: str) -> None:
        """Log the summary of the rows; a class that no case has is logged as nan, so that it may be monitored."""
        rows = [row for batch in interleaved(self._rows) for row in batch]
        summary = {"dice": float("nan")} | summarise(rows)
        computed = [name for name in summary if name in METRICS]
        names = dict.fromkeys(row["class"] for row in rows)
        absent = {f"{metric}/{name}": float("nan") for metric in computed for name in names}
        self._rows = []
        self.log_dict({f"{stage}/{name}": value for name, value in (absent | summary).items()}, logger=False)
