"""Look for outputs of a network that are not finite, of whole cases in validation, test and prediction."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from trainlib.processes import gather, interleaved, is_first
from trainlib.tasks.failures import cases_of, listed_cases

log = logging.getLogger(__name__)


class OutputWatch:
    """Notes the cases whose logits are not finite, and tells them at the end of a split.

    Attributes:
        diverged: Whether the last split that was told of had no finite output for any finite image.
    """

    def __init__(self) -> None:
        self.diverged = False
        self._finite = 0
        self._of_network: list[str] = []
        self._of_image: list[str] = []

    def look(self, logits: torch.Tensor, batch: Mapping[str, Any]) -> None:
        """Look at the logits of a batch, shape (batch, classes, ...)."""
        self.note([is_finite(logits[i]) for i in range(len(cases_of(batch)))], batch)

    def note(self, finite: Sequence[bool], batch: Mapping[str, Any]) -> None:
        """Note of the cases of a batch whether their logits are finite."""
        for i, case in enumerate(cases_of(batch)):
            if finite[i]:
                self._finite += 1
            else:
                (self._of_network if is_finite(batch["image"][i]) else self._of_image).append(case)

    def tell(self) -> None:
        """Say of which cases the output was not finite, in any process, and begin anew."""
        of_image, of_network, finite = interleaved(self._of_image), interleaved(self._of_network), gather(self._finite)
        if of_image and is_first():
            text = "The image holds values that are not finite: %s. Scores and predictions of such cases mean nothing."
            log.warning(text, listed_cases(of_image))
        if of_network and is_first():
            text = "The output of the network is not finite for %s. Scores and predictions of such cases mean nothing."
            log.warning(text, listed_cases(of_network))
        self.diverged = bool(of_network) and not any(finite)
        self._finite, self._of_network, self._of_image = 0, [], []


def is_finite(values: torch.Tensor) -> bool:
    """Tell whether all values are finite: only then their sum is, which needs no memory to find out."""
    return bool(torch.isfinite(values.detach().sum(dtype=torch.float32)))
