"""What somebody writes who trains configs/segmentation_3d.yaml without trainlib: up to the first step on cached data.

It is called as `python -m benchmarks.handwritten FOLDER_OF_THE_CSVS FOLDER_OF_THE_CACHE`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import lightning
import pandas as pd
import torch
from monai.data import DataLoader, PersistentDataset
from monai.inferers import SlidingWindowInferer
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    LoadImaged,
    NormalizeIntensityd,
    Orientationd,
    RandAdjustContrastd,
    RandAffined,
    RandFlipd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandScaleIntensityd,
    RandShiftIntensityd,
    RandSpatialCropd,
    SpatialPadd,
)

BOTH = ["image", "label"]
SIZE = [40, 56, 40]
CLASSES = 3


def pipeline() -> Compose:
    """Return base transforms and augmentation."""
    return Compose(
        [
            LoadImaged(BOTH),
            EnsureChannelFirstd(BOTH),
            Orientationd(BOTH, axcodes="RAS", labels=None),
            NormalizeIntensityd("image"),
            SpatialPadd(BOTH, SIZE),
            RandSpatialCropd(BOTH, SIZE, random_size=False),
            RandFlipd(BOTH, prob=0.5, spatial_axis=0),
            RandAffined(
                BOTH,
                prob=0.7,
                rotate_range=[0.3] * 3,
                scale_range=[0.15] * 3,
                shear_range=[0.1] * 3,
                mode=["bilinear", "nearest"],
                padding_mode="border",
            ),
            RandGaussianNoised("image", prob=0.3, std=0.1),
            RandGaussianSmoothd("image", (0.3, 0.8), (0.3, 0.8), (0.3, 0.8), prob=0.3),
            RandAdjustContrastd("image", prob=0.3, gamma=(0.7, 1.5)),
            RandScaleIntensityd("image", 0.2, prob=0.3),
            RandShiftIntensityd("image", 0.2, prob=0.3),
        ]
    )


def files(csv: Path) -> list[dict[str, str]]:
    """Read the cases of a CSV."""
    table = pd.read_csv(csv)
    return [{key: str(csv.parent / row[key]) for key in BOTH} for _, row in table.iterrows()]


class Net(lightning.LightningModule):
    """A 3-D U-Net as the config has it."""

    def __init__(self) -> None:
        super().__init__()
        self.network = UNet(3, 1, CLASSES, [16, 32, 64, 128], [2, 2, 2], num_res_units=2, norm="instance")
        self.loss = DiceCELoss(to_onehot_y=True, softmax=True)
        self.inferer = SlidingWindowInferer(SIZE, overlap=0.5, mode="gaussian")

    def training_step(self, batch: dict[str, torch.Tensor], number: int) -> torch.Tensor:
        """Return the loss of a batch."""
        loss: torch.Tensor = self.loss(self.network(batch["image"]), batch["label"])
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return torch.optim.AdamW(self.parameters(), lr=2e-3)

    def on_train_batch_end(self, *_: Any) -> None:
        """End the process after the first step, and nothing else."""
        os._exit(0)


def main(folder: Path, cache: Path) -> None:
    """Train for one step."""
    lightning.seed_everything(42, verbose=False)
    data = PersistentDataset(files(folder / "train.csv"), pipeline(), cache_dir=cache)
    loader = DataLoader(data, batch_size=4, shuffle=True)
    trainer = lightning.Trainer(max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.fit(Net(), loader)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
