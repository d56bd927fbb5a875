"""The processor time of a training sample, from the cache to the batch, against MONAI's data sets."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import CacheDataset, Dataset, PersistentDataset, list_data_collate

from benchmarks.harness import Row, in_turn, write_section
from benchmarks.step import HIPPOCAMPUS, ROOT
from trainlib.build.pipelines import build_pipeline
from trainlib.config.load import load_config
from trainlib.config.schema import Config
from trainlib.data.dataset import collate
from trainlib.data.module import CSVDataModule

BRAIN = HIPPOCAMPUS.with_name("brain")
SAMPLES = 200  # so many draws that either has about as many random transforms as their probabilities say
_CROPS = {
    "RandSpatialCropd": "{RandSpatialCropd: {roi_size: [96, 96, 96]}}",
    "RandCropByPosNegLabeld": "{RandCropByPosNegLabeld: {spatial_size: [96, 96, 96], num_samples: 1}}",
}


def sampler(config: Config, count: int) -> Callable[[], list[Any]]:
    """Return what gets the samples of the first epochs from trainlib, as batches of one case."""
    module = CSVDataModule(config)
    module.setup("fit")
    dataset = module._datasets["train"]
    size = len(dataset.cases)  # type: ignore[attr-defined]
    return lambda: [collate([dataset[divmod(i, size)]]) for i in range(count)]


def peer(config: Config, kind: type[Dataset], count: int, **settings: Any) -> Callable[[], list[Any]]:
    """Return what gets as many samples from a data set of MONAI with the same transforms."""
    module = CSVDataModule(config)
    module.setup("fit")
    files = [{"image": str(case.images[0]), "label": str(case.label)} for case in module.cases["train"]]
    base, train = (build_pipeline(config, section) for section in ("base", "train"))
    transform = base.__class__([*base.transforms, *train.transforms])
    dataset = kind(files, transform, **settings)
    train.set_random_state(0)
    return lambda: [list_data_collate([dataset[i % len(files)]]) for i in range(count)]


def compare(what: str, name: str, ours: Callable[[], Any], theirs: Callable[[], Any], count: int, aim: str) -> Row:
    """Measure the two in turn, by the processor's clock."""
    taken, of_peer = (1000 * taken / count for taken in in_turn(ours, theirs, 3, time.process_time))
    return Row(what, name, taken, of_peer, "ms", aim)


def hippocampus(scratch: str) -> list[Row]:
    """Compare on small volumes with much augmentation."""
    own = [f"data.root={HIPPOCAMPUS}", f"run.root={scratch}", "data.limit_cases=20", "data.num_workers=0"]
    config = load_config([ROOT / "configs" / "segmentation_3d.yaml"], own)
    ours = sampler(config, SAMPLES)
    cached = peer(config, CacheDataset, SAMPLES, progress=False)
    plain = peer(config, Dataset, SAMPLES)
    what = "hippocampus, configs/segmentation_3d.yaml"
    return [
        compare(what, "CacheDataset of MONAI", ours, cached, SAMPLES, "<= 0.6"),
        compare(what, "Dataset of MONAI, which reads NIfTI", ours, plain, SAMPLES, "<= 0.25"),
    ]


def brain(scratch: str) -> list[Row]:
    """Compare on a volume of which the network sees a crop."""
    rows = []
    table = f"image,label\n{BRAIN}/brain256_image.nii.gz,{BRAIN}/brain256_label7.nii.gz\n"
    (Path(scratch) / "brain.csv").write_text(table)
    for name, crop in _CROPS.items():
        text = (
            f"run: {{root: {scratch}}}\ndata: {{root: {scratch}, train_csv: brain.csv, valid_csv: brain.csv, "
            f"classes: [background, a, b, c, d, e, f, g], num_workers: 0}}\n"
            "transforms:\n  base: [LoadImaged, EnsureChannelFirstd, {Orientationd: {axcodes: RAS}}, "
            f"NormalizeIntensityd]\n  train: [{crop}]\n"
        )
        path = Path(scratch) / "brain.yaml"
        path.write_text(text)
        config = load_config([path], [])
        theirs = peer(config, PersistentDataset, 5, cache_dir=Path(scratch) / "monai")
        rows.append(compare(f"brain, {name}", "PersistentDataset of MONAI", sampler(config, 5), theirs, 5, "<= 0.05"))
    return rows


def run() -> None:
    """Measure both."""
    np.random.seed(0)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        rows = [*(hippocampus(scratch) if HIPPOCAMPUS.is_dir() else []), *(brain(scratch) if BRAIN.is_dir() else [])]
    write_section("Data", rows)


if __name__ == "__main__":
    run()
