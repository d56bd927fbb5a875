"""Configs that were valid, until something happened to them."""

from __future__ import annotations

import copy
from typing import Any

import yaml
from hypothesis import strategies as st

from tests.fuzzing.values import ODD_TEXTS, odd_values

Key = tuple[str | int, ...]
# Sections whose values say how many parts something is built of: a large one would take for ever, and rightly so.
BUILT = ("model", "loss", "optimizer", "scheduler", "inferer", "transforms")

DATA: dict[str, Any] = {
    "root": "data",
    "train_csv": "train.csv",
    "valid_csv": "valid.csv",
    "test_csv": "test.csv",
    "image_cols": "image",
    "label_cols": "label",
    "classes": ["background", "organ"],
    "label_map": {255: 1},
    "spatial_dims": 3,
    "batch_size": 2,
    "cache": "none",
    "num_workers": 0,
}
SEGMENTATION: dict[str, Any] = {
    "run": {"name": "fuzzed", "root": "runs", "overwrite": False},
    "seed": 1,
    "task": "segmentation",
    "data": DATA,
    "transforms": {
        "prob": 0.2,
        "base": ["LoadImaged", "EnsureChannelFirstd", {"NormalizeIntensityd": {"channel_wise": True}}],
        "train": [
            {"SpatialPadd": {"spatial_size": [8, 8, 8]}},
            {"RandSpatialCropd": {"roi_size": [8, 8, 8]}},
            {"RandFlipd": {"spatial_axis": 0, "prob": 0.5}},
            {"RandGaussianNoised": {"std": 0.1}},
        ],
        "post": ["KeepLargestConnectedComponentd"],
    },
    "model": {"UNet": {"channels": [2, 4], "strides": [2], "num_res_units": 1}},
    "loss": {"DiceCELoss": {"softmax": True, "weight": [1.0, 2.0]}},
    "optimizer": {"AdamW": {"lr": 0.01, "betas": [0.9, 0.99]}},
    "scheduler": {"OneCycleLR": {"max_lr": 0.01}},
    "inferer": {"SlidingWindowInferer": {"overlap": 0.25, "mode": "gaussian"}},
    "trainer": {"max_epochs": 1, "gradient_clip_val": 1.0, "precision": 32},
    "early_stopping": {"patience": 3},
    "checkpoint": {"monitor": "valid/dice", "mode": "auto"},
    "metrics": {"include_background": False, "surface_every": 0},
    "progress": None,
    "report": None,
    "emissions": None,
    "patch": {"model": None},
}
CLASSIFICATION: dict[str, Any] = {
    **{name: value for name, value in SEGMENTATION.items() if name not in ("loss", "inferer", "checkpoint")},
    "task": "classification",
    "data": {**DATA, "label_cols": "class", "classes": ["sick", "well"], "label_map": {}, "balance": True},
    "transforms": {"base": ["LoadImaged", "EnsureChannelFirstd"], "train": [{"RandFlipd": {"spatial_axis": 1}}]},
    "model": {"DenseNet": {"init_features": 2, "growth_rate": 2, "block_config": [1]}},
}


@st.composite
def config_texts(draw: st.DrawFn, most: int = 3) -> bytes:
    """Draw the content of a config file, with so many changes at most before its text is edited."""
    config = copy.deepcopy(draw(st.sampled_from([SEGMENTATION, CLASSIFICATION])))
    for _ in range(draw(st.integers(0, most))):
        _change(draw, config)
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=draw(st.booleans()))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        text = _edited(draw, text)
    return _encoded(draw, text)


@st.composite
def overrides(draw: st.DrawFn) -> list[str]:
    """Draw settings of the command line."""
    keys = [_dotted(key) for config in (SEGMENTATION, CLASSIFICATION) for key in _keys(config)]
    key = st.one_of(st.sampled_from(keys), st.sampled_from(ODD_TEXTS))
    setting = st.builds("{}{}{}".format, key, st.sampled_from(["=", "=", "=", "", "=="]), st.sampled_from(ODD_TEXTS))
    return draw(st.lists(setting, max_size=2))


def _keys(node: Any, here: Key = ()) -> list[Key]:
    """List the keys of everything below a node."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [key for name, value in items for key in ((*here, name), *_keys(value, (*here, name)))]


def _dotted(key: Key) -> str:
    return ".".join(map(str, key))


def _change(draw: st.DrawFn, config: dict[Any, Any]) -> None:
    """Delete, rename, copy, nest, exchange or replace one of the values."""
    keys = _keys(config)
    if not keys:
        return
    *parents, last = draw(st.sampled_from(keys))
    node: Any = config
    for part in parents:
        node = node[part]
    large = not parents or parents[0] not in BUILT
    value = copy.deepcopy(draw(odd_values(large=large and last not in BUILT)))
    match draw(st.sampled_from(["replace", "replace", "delete", "rename", "copy", "list", "mapping", "exchange"])):
        case "delete":
            del node[last]
        case "rename" if isinstance(node, dict):
            node[_renamed(draw, str(last))] = node.pop(last)
        case "copy" if isinstance(node, dict):
            node[_renamed(draw, str(last))] = copy.deepcopy(node[last])
        case "copy":
            node.append(copy.deepcopy(node[last]))
        case "list":
            node[last] = [node[last]]
        case "mapping":
            node[last] = {draw(st.sampled_from(ODD_TEXTS)): node[last]}
        case "exchange":
            node[last] = copy.deepcopy(_at(config, draw(st.sampled_from(keys))))
        case _:
            node[last] = value


def _at(node: Any, key: Key) -> Any:
    for part in key:
        node = node[part]
    return node


def _renamed(draw: st.DrawFn, name: str) -> str:
    """Misspell a name."""
    place = draw(st.integers(0, len(name)))
    return draw(
        st.sampled_from([name[:place] + name[place + 1 :], name[:place] + "e" + name[place:], name.upper(), f"{name}s",
                         f" {name}", name[::-1], *ODD_TEXTS])
    )  # fmt: skip


def _edited(draw: st.DrawFn, text: str) -> str:
    """Edit a text as an unsteady hand does."""
    lines = text.split("\n")
    line, other = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
    place = draw(st.integers(0, len(text)))
    match draw(st.sampled_from(["insert", "cut", "without", "again", "indent", "tab", "swap", "colon"])):
        case "insert":
            return text[:place] + draw(st.sampled_from(ODD_TEXTS)) + text[place:]
        case "cut":
            return text[:place]
        case "without":
            del lines[line]
        case "again":
            lines.insert(other, lines[line])
        case "indent":
            lines[line] = " " * draw(st.integers(0, 5)) + lines[line].lstrip()
        case "tab":
            lines[line] = "\t" + lines[line]
        case "swap":
            lines[line], lines[other] = lines[other], lines[line]
        case "colon":
            lines[line] = lines[line].replace(":", draw(st.sampled_from(["", ";", "::", " :", ": &a", ": *a"])))
    return "\n".join(lines)


def _encoded(draw: st.DrawFn, text: str) -> bytes:
    encoding = draw(st.sampled_from(["utf-8"] * 9 + ["utf-8-sig", "utf-16", "latin-1", "cp037"]))
    content = text.encode(encoding, "replace")
    if draw(st.sampled_from([False] * 9 + [True])):
        place = draw(st.integers(0, len(content)))
        content = content[:place] + draw(st.binary(max_size=4)) + content[place:]
    return content
