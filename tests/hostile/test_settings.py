"""Configs that are YAML and still wrong: types, unknown keys at each depth, components and their keywords."""

from __future__ import annotations

import pytest

from tests.hostile.place import Place, added, both, nothing, replaced, written
from tests.hostile.runner import FIT, Row, check, nothing_was_run

MODEL = "  UNet: {channels: [2, 4], strides: [2]}"
FLIP = "    - RandFlipd: {spatial_axis: 0}"
NOT_A_SIZE = "expected 3 positive integers, found [8, 8]: the window must have one size."
SIX = both(
    replaced("name: broken", "nam: broken"),
    replaced("batch_size: 2", "batch_size: two"),
    replaced("valid_csv: valid.csv", "valid_csv: validation.csv"),
    replaced("channels", "chanels"),
    replaced("AdamW", "AdamWW"),
    replaced("max_epochs: 1", "max_epochs: 1\n  num_epoch: 3"),
)

TYPES = [
    Row("a word for a number", replaced("batch_size: 2", "batch_size: four"),
        ("config.yaml:9: data.batch_size: expected an integer, found 'four'.",)),
    Row("a number in quotes", replaced("batch_size: 2", "batch_size: '2'"),
        ("config.yaml:9: data.batch_size: expected an integer, found '2'. Take the quotes away.",)),
    Row("a number that is too small", replaced("batch_size: 2", "batch_size: 0"),
        ("config.yaml:9: data.batch_size: expected a number not below 1, found 0.",)),
    Row("one name for a list", replaced("[background, organ]", "organ"),
        ("config.yaml:7: data.classes: expected a list, found 'organ'.",)),
    Row("yes and no as names", replaced("[background, organ]", "[no, yes]"),
        ("config.yaml:7: data.classes[0]: expected a string, found false. Put it in quotes: YAML reads yes, no, on "
         "and off as true and false.",
         "config.yaml:7: data.classes[1]: expected a string, found true. Put it in quotes: YAML reads yes, no, on and "
         "off as true and false.")),
    Row("one class", replaced("[background, organ]", "[organ]"),
        ("config.yaml:7: data.classes: expected at least 2 of them, found ['organ'].",)),
    Row("a label value that is sent nowhere", replaced("num_workers: 0", "num_workers: 0\n  label_map: {255: liver}"),
        ("config.yaml:9: data.label_map.255: expected one of the classes background, organ or their values 0 to 1, "
         "found 'liver'.",)),
    Row("a mapping for a list", replaced("train:\n    - SpatialPadd: {spatial_size: [8, 8, 8]}\n" + FLIP,
                                         "train:\n    SpatialPadd: {spatial_size: [8, 8, 8]}"),
        ("config.yaml:12: transforms.train: expected a list, found {'SpatialPadd': {'spatial_size': [8, 8, 8]}}.",)),
    Row("a list for a section", replaced("trainer:\n  max_epochs: 1", "trainer: [max_epochs, 1]"),
        ("config.yaml:19: trainer: expected settings of its own, one a line below it, found ['max_epochs', 1].",)),
    Row("nothing below a section", written("config.yaml", "data:\n"),
        ("config.yaml:1: data: expected settings of its own, one a line below it, found nothing.",)),
    Row("no data", written("config.yaml", "seed: 1\n"),
        ("config.yaml: data.train_csv is missing. Add it: CSV that lists the training cases.",
         "config.yaml: data.valid_csv is missing. Add it: CSV that lists the validation cases.",
         "config.yaml: data.classes is missing. Add it: Names of the classes: ...")),
    Row("a task that there is not", added("task: detection\n"),
        ("config.yaml:24: task: expected 'segmentation' or 'classification', found 'detection'.",)),
    Row("a name that leads elsewhere", replaced("name: broken", "name: ../broken"),
        ("config.yaml:1: run.name: expected a name without slashes that does not begin with a dot, found "
         "'../broken'.",)),
]  # fmt: skip

UNKNOWN = [
    Row("an unknown section", added("sed: 1\n"), ("config.yaml:24: sed is not a setting. Did you mean seed?",)),
    Row("a setting of other tools", added("epochs: 3\n"),
        ("config.yaml:24: epochs is not a setting. Did you mean trainer.max_epochs?",)),
    Row("an unknown key in a section", replaced("batch_size", "batch_sise"),
        ("config.yaml:9: data.batch_sise is not a setting. Did you mean data.batch_size?",)),
    Row("a key in the wrong section", replaced("max_epochs: 1", "max_epochs: 1\ncheckpoint: {patience: 3}"),
        ("config.yaml:21: checkpoint.patience is not a setting. Did you mean early_stopping.patience?",)),
    Row("an unknown keyword of a component", replaced("channels", "chanels"),
        ("config.yaml:16: model.UNet.chanels is not a keyword of UNet. Did you mean channels?",)),
    Row("keywords without their component", replaced("AdamW: {lr: 0.01}", "lr: 0.01"),
        ("config.yaml:17: optimizer: expected one name with its keywords, found lr. Write `optimizer: {AdamW: "
         "{lr: 0.01}}`.",)),
    Row("keywords beside their component", replaced("AdamW: {lr: 0.01}", "SGD:\n  lr: 0.01"),
        ("config.yaml:17: optimizer: expected one name with its keywords, found SGD, lr. Write `optimizer: {SGD: "
         "{lr: 0.01}}`.",)),
    Row("a learning rate outside of the optimizer", both(replaced("AdamW", "SGD"), added("lr: 0.1\n")),
        ("config.yaml:24: lr is not a setting. Did you mean optimizer.SGD.lr?",)),
    Row("an unknown keyword of a transform", replaced("spatial_axis", "spatial_axes"),
        ("config.yaml:14: transforms.train[1].RandFlipd.spatial_axes is not a keyword of RandFlipd. Did you mean "
         "spatial_axis?",)),
    Row("an unknown keyword on the command line", nothing,
        ("command line: optimizer.AdamW.lrr is not a keyword of AdamW. Did you mean lr?",),
        (*FIT, "optimizer.AdamW.lrr=1")),
    Row("a word that is no setting", nothing, ("data.batch_size: expected a setting such as trainer.max_epochs=5.",),
        (*FIT, "data.batch_size")),
    Row("an item that a list does not have", nothing,
        ("transforms.train.9=RandFlipd: the list has items 0 to 1, so there is no item 9 to set.",),
        (*FIT, "transforms.train.9=RandFlipd")),
    Row("six mistakes", SIX,
        ("config.yaml:1: run.nam is not a setting. Did you mean run.name?",
         "config.yaml:9: data.batch_size: expected an integer, found 'two'.",
         "config.yaml:5: data.valid_csv: there is no CSV file .../data/validation.csv.",
         "config.yaml:16: model.UNet.chanels is not a keyword of UNet. Did you mean channels?",
         "config.yaml:18: optimizer: AdamWW is not a known optimizer. Did you mean AdamW?",
         "config.yaml:21: trainer.num_epoch is not an argument of lightning.Trainer. Did you mean "
         "trainer.max_epochs?")),
]  # fmt: skip

COMPONENTS = [
    Row("an unknown network", replaced("UNet", "UNett"),
        ("config.yaml:16: model: UNett is not a known model. Did you mean UNet?",)),
    Row("an unknown loss", added("loss: DiceCELos\n"),
        ("config.yaml:24: loss: DiceCELos is not a known loss. Did you mean DiceCELoss?",)),
    Row("an unknown schedule", added("scheduler: OneCycle\n"),
        ("config.yaml:24: scheduler: OneCycle is not a known scheduler. Did you mean OneCycleLR?",)),
    Row("an unknown inferer", added("inferer: SlidingWindow\n"),
        ("config.yaml:24: inferer: SlidingWindow is not a known inferer. Did you mean SlidingWindowInferer?",)),
    Row("a transform of arrays", replaced("RandFlipd", "RandFlip"),
        ("config.yaml:14: transforms.train[1]: RandFlip is not a known transform. It works on arrays; the one that "
         "works on cases is RandFlipd.",)),
    Row("a package that is not there", replaced("UNet", "my_package.Net"),
        ("config.yaml:16: model: my_package.Net cannot be imported as model: ModuleNotFoundError: No module named "
         "'my_package'.",)),
    Row("a function of Python that would run a command", replaced(MODEL, "  os.system: {command: touch ran}"),
        ("config.yaml:16: model: os.system is not a known model: it is a function of Python itself.",),
        then=nothing_was_run),
    Row("two networks", replaced(MODEL, f"{MODEL}\n  SegResNet: {{}}"),
        ("config.yaml:15: model: expected one name with its keywords, found UNet, SegResNet.",)),
    Row("two transforms in one item", replaced(FLIP, f"{FLIP}\n      RandZoomd: {{}}"),
        ("config.yaml:14: transforms.train[1]: expected one name with its keywords, found RandFlipd, RandZoomd.",)),
    Row("keywords without their names", replaced(MODEL, "  UNet: [2, 4]"),
        ("config.yaml:15: model: expected the keywords of UNet, as in `UNet: {keyword: value}`, found [2, 4].",)),
    Row("a random transform where cases are kept", replaced("NormalizeIntensityd", "RandFlipd"),
        ("config.yaml:11: transforms.base[2].RandFlipd: RandFlipd is random, and transforms.base is applied once and "
         "kept. Move it to transforms.train.",)),
    Row("noise on a label map", replaced(FLIP, "    - RandGaussianNoised: {keys: [image, label]}"),
        ("config.yaml:14: transforms.train[1].RandGaussianNoised.keys: RandGaussianNoised would change the values of "
         "the label map. Leave `label` out.",)),
]  # fmt: skip

KEYWORDS = [
    Row("words for the channels of a network", replaced("[2, 4]", "[two, four]"),
        ("config.yaml:16: model.UNet.channels: expected a list of integers, found ['two', 'four'].",)),
    Row("a number for the strides of a network", replaced("strides: [2]", "strides: 2"),
        ("config.yaml:16: model.UNet.strides: expected a list of integers, found 2. (UNet says: TypeError: ...)",)),
    Row("a normalisation that there is not", replaced("strides: [2]", "strides: [2], norm: some"),
        ("config.yaml:16: model.UNet: UNet refuses these keywords: ValueError: Unsupported option 'SOME', ...",)),
    Row("a stride of nothing", replaced("strides: [2]", "strides: [0]"),
        ("config.yaml:15: model: fails on an image of shape (1, 1, 8, 8, 8): RuntimeError: ... stride ...",)),
    Row("a window that cannot be halved", replaced("[8, 8, 8]", "[9, 9, 9]"),
        ("config.yaml:15: model: for an input of shape (1, 1, 9, 9, 9) the output has shape (1, 2, 10, 10, 10), "
         "expected (1, 2, 9, 9, 9): a channel for each of data.classes, and the size of the input. Networks that "
         "halve their input need a window (roi_size) that can be halved as often.",)),
    Row("a window of two sides in three dimensions", replaced("[8, 8, 8]", "[8, 8]"),
        (f"config.yaml:13: transforms.train[0].SpatialPadd.spatial_size: {NOT_A_SIZE}",)),
    Row("a word for the learning rate", replaced("lr: 0.01", "lr: fast"),
        ("config.yaml:18: optimizer.AdamW.lr: expected a number, found 'fast'. (AdamW says: TypeError: ...)",)),
    Row("a learning rate below zero", replaced("lr: 0.01", "lr: -1"),
        ("config.yaml:18: optimizer.AdamW: AdamW refuses these keywords: ValueError: Invalid learning rate: -1.",)),
    Row("three betas for two", replaced("lr: 0.01", "lr: 0.01, betas: [0.9, 0.99, 0.9]"),
        ("config.yaml:18: optimizer.AdamW.betas: expected a list of 2 numbers, found [0.9, 0.99, 0.9]. (AdamW says: "
         "ValueError: too many values ...)",)),
    Row("weights for other classes", added("loss: {DiceCELoss: {weight: [1, 2, 3]}}\n"),
        ("config.yaml:24: loss.DiceCELoss.weight: expected 2 numbers, one for each of data.classes, found "
         "[1, 2, 3].",)),
    Row("a schedule that divides by zero", added("scheduler: {StepLR: {step_size: 0}}\n"),
        ("config.yaml:24: scheduler.StepLR: StepLR fails at its first step: ZeroDivisionError: ...",)),
    Row("windows that overlap altogether", added("inferer: {SlidingWindowInferer: {overlap: 2}}\n"),
        ("config.yaml:24: inferer: fails on an image of shape (1, 1, 8, 8, 8): ValueError: overlap must be ...",)),
    Row("a word for a probability", replaced("spatial_axis: 0", "spatial_axis: 0, prob: often"),
        ("config.yaml:14: transforms.train[1].RandFlipd.prob: expected a number, found 'often'.",)),
    Row("a probability of seven", replaced("spatial_axis: 0", "spatial_axis: 0, prob: 7"),
        ("config.yaml:14: transforms.train[1].RandFlipd.prob: expected a number from 0 to 1, found 7.",)),
    Row("an axis that no image has", replaced("spatial_axis: 0", "spatial_axis: 7"),
        ("config.yaml:14: transforms.train[1].RandFlipd: RandFlipd cannot work with these keywords. (RandFlipd says: "
         "IndexError: ...)",)),
    Row("a key that no case has", replaced("spatial_axis: 0", "spatial_axis: 0, keys: [img]"),
        ("config.yaml:14: transforms.train[1].RandFlipd.keys: expected image or label, found 'img'.",)),
    Row("a decimal comma in braces", replaced("lr: 0.01", "lr: 0,01"),
        ("config.yaml:18: optimizer.AdamW.lr: expected one value, found 0 and 1 with a comma between them. Write a "
         "decimal point, or brackets around a list.",)),
    Row("a decimal comma on the command line", nothing,
        ("command line: optimizer.AdamW.lr: expected a number, found '0,001'. Write a decimal point. (AdamW says: ...",
         ),
        (*FIT, "optimizer.AdamW.lr=0,001")),
    Row("a metric without its split", added("checkpoint: {monitor: dice}\n"),
        ("config.yaml:24: checkpoint.monitor: expected a metric of a split, found 'dice'. Did you mean valid/dice?",)),
    Row("two mistakes that need no import, of which one is the window, and two that are told when these are right",
        both(replaced("[8, 8, 8]", "8x8x8"), replaced("channels: [2, 4]", "channels: 16"),
             replaced("max_epochs: 1", "max_epochs: 1\n  gpus: 1\n  accelerator: gpuu")),
        ("config.yaml:13: transforms.train[0].SpatialPadd.spatial_size: expected 3 positive integers, found '8x8x8': "
         "the window must have one size.",
         "config.yaml:21: trainer.gpus is not an argument of lightning.Trainer. Write `accelerator: gpu` and "
         "`devices: 1`.")),
    Row("two mistakes that take an import to see",
        both(replaced("channels: [2, 4]", "channels: 16"),
             replaced("max_epochs: 1", "max_epochs: 1\n  accelerator: gpuu")),
        ("config.yaml:16: model.UNet.channels: expected a list of integers, found 16. (UNet says: ...",
         "config.yaml:21: trainer.accelerator: lightning.Trainer refuses 'gpuu': ...")),
    Row("a metric that is not computed", added("checkpoint: {monitor: valid/dise}\n"),
        ("config.yaml:24: checkpoint.monitor: nothing is logged as valid/dise. Did you mean valid/dice?",)),
]  # fmt: skip

ROWS = [*TYPES, *UNKNOWN, *COMPONENTS, *KEYWORDS]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_wrong_setting_is_told_with_its_key_and_line(row: Row, place: Place) -> None:
    check(row, place)
