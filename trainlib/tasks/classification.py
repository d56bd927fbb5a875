"""Classification: one class, or several labels, for each image."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import nn

from trainlib.build.roles import TARGET
from trainlib.metrics.classification import score_split
from trainlib.processes import interleaved
from trainlib.tasks.base import BaseTask
from trainlib.tasks.batch import Batch

log = logging.getLogger(__name__)

Rows = list[dict[str, Any]]
# Losses that take class indices, and losses that take 0 or 1 for each class.
_INDEX_LOSSES = (nn.CrossEntropyLoss, nn.NLLLoss, nn.MultiMarginLoss)
_BINARY_LOSSES = (nn.BCEWithLogitsLoss, nn.BCELoss, nn.MultiLabelSoftMarginLoss)


class ClassificationTask(BaseTask):
    """Trains a network that gives each image a class, or in a multi-label task any number of them.

    The metrics are computed over whole splits. The loss is called with logits of shape (batch, classes) and, as it
    needs them, class indices of shape (batch,), 0 or 1 for each class, or (MONAI's losses) indices of shape (batch, 1).
    """

    output_meaning = (
        "a number for each of data.classes. Networks for segmentation give a map; use one for classification, such as "
        "DenseNet121."
    )

    def configure_model(self) -> None:
        """Build network, loss and inferer."""
        super().configure_model()
        self._scored: list[tuple[torch.Tensor, torch.Tensor]] = []  # probabilities and targets of each batch
        self._told: set[str] = set()

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the logits of one image."""
        return (1, self.config.out_channels)

    def _empty_target(self) -> torch.Tensor:
        size = (1, self.config.out_channels) if self.config.multilabel else (1,)
        return torch.zeros(size, device=self.device, dtype=torch.long)

    def _logits(self, output: Any) -> Any:
        """Find the logits, shape (batch, classes): of networks that return more, such as ViT, the first."""
        return output[0] if isinstance(output, tuple | list) else output

    def _loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Call the loss with the target in the form that it wants."""
        if isinstance(self.loss, _INDEX_LOSSES):
            return self.loss(logits, target)
        if self.config.multilabel:
            return self.loss(logits, target.to(logits.dtype))
        if isinstance(self.loss, _BINARY_LOSSES):
            return self.loss(logits, nn.functional.one_hot(target, self.config.out_channels).to(logits.dtype))
        return self.loss(logits, target[:, None])

    def _shared_step(self, batch: Batch, stage: str) -> dict[str, Any]:
        logits = self.logits_of(batch, stage, self)
        outputs: dict[str, Any] = {}
        if stage in ("train", "valid"):
            outputs["loss"] = self.loss_of(logits, batch[TARGET])
        if stage == "train":
            return outputs
        if stage == "valid":
            self.note_valid_loss(outputs["loss"], len(logits))
        probabilities = self._to_probabilities(logits)
        target = batch[TARGET].cpu() if stage != "predict" else None
        rows = [self._row(p, None if target is None else target[i]) for i, p in enumerate(probabilities)]
        outputs["predictions"] = [{"index": index, "row": row} for index, row in zip(batch["index"], rows, strict=True)]
        if target is not None:
            outputs["rows"] = [{"case": case} | row for case, row in zip(batch["case"], rows, strict=True)]
            self._scored.append((probabilities, target))
        return outputs

    def _to_probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Return probabilities, shape (batch, classes): for each class alone, or over all of them.

        In double precision, for in single precision all confident cases are 1 and cannot be ranked; on the CPU, as
        some accelerators have none.
        """
        logits = logits.detach().cpu().double()
        return logits.sigmoid() if self.config.multilabel else logits.softmax(dim=1)

    def _row(self, probabilities: torch.Tensor, target: torch.Tensor | None) -> dict[str, Any]:
        """Write what is predicted, and where it is known what is true, by the names of the classes."""
        classes = self.config.data.classes
        row: dict[str, Any] = {}
        if self.config.multilabel:
            if target is not None:
                row |= {f"label_{name}": int(value) for name, value in zip(classes, target, strict=True)}
            row |= {f"prediction_{name}": int(p > 0.5) for name, p in zip(classes, probabilities, strict=True)}
        else:
            if target is not None:
                row["label"] = classes[int(target)]
            row["prediction"] = classes[int(probabilities.argmax())]
        return row | {f"probability_{name}": float(p) for name, p in zip(classes, probabilities, strict=True)}

    def on_validation_epoch_end(self) -> None:
        """Log loss and scores of the split."""
        self.log_valid_loss()
        self._log_scores("valid")

    def on_test_epoch_end(self) -> None:
        """Log the scores of the split."""
        self._log_scores("test")

    def _log_scores(self, stage: str) -> None:
        """Log the scores over the whole split; those that cannot be computed are nan."""
        scored, self._scored = interleaved(self._scored), []
        if not scored:
            return
        probabilities, targets = (torch.cat(parts) for parts in zip(*scored, strict=True))
        classes, multilabel = self.config.data.classes, self.config.multilabel
        self._tell_absent(stage, targets)
        finite = probabilities.isfinite()
        scores = score_split(probabilities.where(finite, 0.0), targets, classes, multilabel=multilabel)
        if not bool(finite.all()):  # there is no order among cases with nan, and none is left out
            scores = dict.fromkeys(scores, float("nan"))
        self.log_dict({f"{stage}/{name}": float(value) for name, value in scores.items()}, logger=False)

    def _tell_absent(self, stage: str, targets: torch.Tensor) -> None:
        """Say once for a split which classes none of its cases has."""
        present = targets.bool().any(dim=0) if self.config.multilabel else None
        absent = [
            name
            for value, name in enumerate(self.config.data.classes)
            if not (bool(present[value]) if present is not None else bool((targets == value).any()))
        ]
        if absent and stage not in self._told:
            self._told.add(stage)
            names = ", ".join(absent)
            log.info("No %s case is %s: what needs such cases is not computed and left out of means.", stage, names)
