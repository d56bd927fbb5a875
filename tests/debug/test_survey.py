"""What is seen of the training cases, channel by channel."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from trainlib.config.schema import Config
from trainlib.data.splits import Case
from trainlib.debug.finding import made
from trainlib.debug.survey import Survey

LABEL = torch.zeros(1, 12, 12, dtype=torch.uint8)
LABEL[:, 2:6, 2:6] = 1


def survey(columns: list[str], images: list[torch.Tensor]) -> Survey:
    data = {"train_csv": "a", "valid_csv": "b", "classes": ["background", "organ"], "spatial_dims": 2}
    found = Survey(Config.model_validate({"data": data | {"image_cols": columns}}))
    for i, image in enumerate(images):
        # The files are not there, as those are not that only a transform of a patch can read.
        case = Case(f"case_{i}", i + 2, (Path("absent.png"),) * len(columns), Path("absent.png"), None, "a")
        prepared = {"image": image, "label": LABEL, "spacing": torch.ones(2), "affine": torch.eye(3)}
        found.add_case(case, prepared)
        found.add_window({"image": image, "label": LABEL, "case": case.name})
    return found


def image(channels: int) -> torch.Tensor:
    return torch.randn(channels, 12, 12, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("columns", "count", "names"),
    [
        (["image"], 1, ["image"]),
        (["t1", "flair"], 2, ["t1", "flair"]),
        (["photo"], 3, ["photo[0]", "photo[1]", "photo[2]"]),
        (["a", "b"], 4, ["image[0]", "image[1]", "image[2]", "image[3]"]),
    ],
)
def test_channels_are_named_after_their_columns(columns: list[str], count: int, names: list[str]) -> None:
    found = survey(columns, [image(count)])
    assert found.channels == names
    assert [row[:3] for row in found.rows] == [
        (stage, key, "case_0") for stage in ("base", "train") for key in (*names, "label")
    ]


def test_the_channel_that_is_not_normalised_is_named() -> None:
    odd = image(2)
    odd[1] *= 900
    found = {finding.check: finding for finding in made(survey(["t1", "t2"], [image(2), odd]).checks()[:5])}
    assert found["intensities"].text.startswith("1 of 4 images are not normalised after transforms.base, as case_1 t2 ")
    assert {check for check, finding in found.items() if finding.level != "ok"} == {"intensities"}
