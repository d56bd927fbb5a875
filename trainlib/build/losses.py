"""What a loss needs to know of the task: classes that exclude each other, and their weights."""

from __future__ import annotations

from typing import Any

from trainlib.build.keywords import Keywords
from trainlib.build.resolve import Resolved
from trainlib.config.defaults import CLASSIFICATION
from trainlib.config.schema import Config
from trainlib.config.sources import Key, dotted

_ACTIVATIONS = ("sigmoid", "softmax", "other_act")
# MONAI's losses take a weight for every class that they score, except this one, which drops the background's itself.
_WEIGHT_FOR_BACKGROUND = "DiceCELoss"


def loss_facts(keywords: Keywords, config: Config) -> dict[str, Any]:
    """List what follows from the task for a loss: MONAI's take class indices and logits where they are told so.

    Of a multi-label task they get 0 or 1 for each class as it is, and each class has a probability of its own.
    """
    known: dict[str, Any] = {"spatial_dims": config.data.spatial_dims}
    if _package(keywords.target) == "monai":
        known["to_onehot_y"] = not config.multilabel
        if not any(name in config.loss.kwargs for name in _ACTIVATIONS):
            known["sigmoid" if config.multilabel else "softmax"] = True
        if config.task == CLASSIFICATION and not config.multilabel:
            known["use_softmax"] = True  # of focal losses, which take classes for independent by default
    return known


def finish_loss(resolved: Resolved, config: Config) -> None:
    """Refuse a loss that does not take logits, and make a tensor of the list in which a config writes weights."""
    import torch

    name, target = resolved.found.name, resolved.found.target
    if target in (torch.nn.NLLLoss, torch.nn.NLLLoss2d):
        text = f"{name} expects log-probabilities, and a network gives logits. Use CrossEntropyLoss."
        resolved.mistakes.append((resolved.key, f"{dotted(resolved.key)}: {text}"))
    for keyword in ("weight", "pos_weight"):
        _finish_weights(resolved, config, keyword)


def _finish_weights(resolved: Resolved, config: Config, keyword: str) -> None:
    weight = resolved.kwargs.get(keyword)
    key: Key = (*resolved.key, keyword)
    if weight == "balanced":
        cause = (
            "the training CSV has no case of some class"
            if config.task == "classification"
            else ("only classification counts cases of classes")
        )
        resolved.mistakes.append((key, f"{dotted(key)}: balanced weights cannot be computed: {cause}. Write numbers."))
    if not isinstance(weight, list) or _package(resolved.found.target) not in ("monai", "torch"):
        return
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in weight):
        resolved.mistakes.append((key, f"{dotted(key)}: expected numbers, found {weight}."))
    elif (count := _weight_count(resolved, config)) not in (None, len(weight)):
        whom = "each of data.classes" if count == config.out_channels else "each of data.classes but the background"
        resolved.mistakes.append((key, f"{dotted(key)}: expected {count} numbers, one for {whom}, found {weight}."))
    else:
        resolved.kwargs[keyword] = _tensor(weight)


def _tensor(weights: list[float]) -> Any:
    import torch

    return torch.tensor(weights, dtype=torch.float32)


def _weight_count(resolved: Resolved, config: Config) -> int | None:
    """Tell how many class weights a loss takes; None where its weights are not known to be those of classes."""
    name, classes = getattr(resolved.found.target, "__name__", ""), config.out_channels
    if name in ("CrossEntropyLoss", "BCEWithLogitsLoss", _WEIGHT_FOR_BACKGROUND):
        return classes
    if "include_background" not in resolved.keywords.parameters:
        return None
    return classes if resolved.kwargs.get("include_background", True) else classes - 1


def _package(target: Any) -> str:
    """Name the package that a class or function comes from."""
    package: str = getattr(target, "__module__", "").partition(".")[0]
    return package
