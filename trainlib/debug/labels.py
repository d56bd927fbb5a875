"""Do the labels hold what the config declares?"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch

from trainlib.debug.finding import Finding
from trainlib.words import first_few


def check_classes(values: Sequence[Collection[float]], classes: Sequence[str], cases: int) -> Finding:
    """Tell which classes no label holds, and which values stand for no class.

    Args:
        values: The values of each label map, before and after the augmentation.
        classes: Names of the classes in the order of their values.
        cases: Number of cases that the label maps are from.
    """
    found = {value for label in values for value in label}
    if foreign := sorted(found - set(range(len(classes)))):
        numbers = first_few([f"{value:g}" for value in foreign])
        return Finding(
            "classes",
            "problem",
            f"The labels hold {numbers}, but data.classes names the values 0 to {len(classes) - 1} only. A transform "
            "has changed label values; apply it to the image alone (`keys: [image]`), or let it use nearest "
            "neighbours for the label.",
        )
    where = f"the {cases} training cases that were looked at"
    if absent := [name for value, name in enumerate(classes) if value not in found]:
        return Finding(
            "classes",
            "warning",
            f"No voxel of {first_few(absent)} in {where}. A class that is never shown is never learned. Look whether "
            "the other cases have it, and whether data.classes and data.label_map say what the values in the files "
            "stand for.",
        )
    return Finding("classes", "ok", f"Every class occurs in {where}.")


def check_foreground(labels: Sequence[torch.Tensor]) -> Finding:
    """Tell whether the windows that the network is trained on show something else than background.

    Args:
        labels: Class values of augmented windows.
    """
    empty = sum(not bool(label.any()) for label in labels)
    if 2 * empty > len(labels):
        return Finding(
            "foreground",
            "warning",
            f"{empty} of {len(labels)} augmented windows show background only, so that most steps teach the network "
            "to find nothing. Choose windows around the structures with RandCropByPosNegLabeld in transforms.train, "
            "or make the windows larger.",
        )
    return Finding("foreground", "ok", f"{len(labels) - empty} of {len(labels)} augmented windows show foreground.")


def check_channels(logits: torch.Tensor, classes: Sequence[str]) -> Finding:
    """Compare the channels of the network's output with the classes.

    Args:
        logits: Output of the network, shape (batch, channels, ...).
        classes: Names of the classes.
    """
    channels = logits.shape[1]
    if channels != len(classes):
        return Finding(
            "output channels",
            "problem",
            f"The network has {channels} output channels, and data.classes names {len(classes)} classes, background "
            "included. Each class needs a channel: leave out_channels out of the section model, or correct "
            "data.classes.",
        )
    return Finding("output channels", "ok", f"The network has an output channel for each of the {channels} classes.")
