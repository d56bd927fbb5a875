"""Configs for 3-D images with two channels and three classes, as a user may write them."""

from __future__ import annotations

from typing import Any

from trainlib.build.pipelines import resolve_transform
from trainlib.build.resolve import ComponentError, Resolved
from trainlib.config.schema import Config


def config(data: dict[str, Any] | None = None, **sections: Any) -> Config:
    required = {
        "train_csv": "a.csv",
        "valid_csv": "b.csv",
        "image_cols": ["t1", "t2"],
        "classes": ["background", "left", "right"],
    }
    return Config.model_validate({"data": required | (data or {}), **sections})


def resolved(spec: Any, section: str = "train", prob: float = 0.2) -> Resolved:
    """Complete the keywords of one transform."""
    made = config(transforms={section: [spec], "prob": prob})
    return resolve_transform(made, section, 0, getattr(made.transforms, section)[0])


def texts(error: ComponentError) -> list[str]:
    return [text for _, text in error.mistakes]
