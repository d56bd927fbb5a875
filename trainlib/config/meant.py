"""What was probably meant by a setting that is wrong: names of other tools, signs that YAML reads in its own way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from trainlib.config.defaults import TASK
from trainlib.config.sources import Key, Sources, dotted
from trainlib.errors import Problem

# What other tools call a setting, where the nearest name would be another one.
_OTHER_NAMES = {
    **dict.fromkeys(("epoch", "epochs", "num_epoch", "num_epochs", "n_epochs", "nb_epochs"), "trainer.max_epochs"),
    **dict.fromkeys(("lr", "learning_rate"), "optimizer.{optimizer}.lr"),
    **dict.fromkeys(("workers", "n_workers", "nworkers"), "data.num_workers"),
    **dict.fromkeys(("bs", "batchsize"), "data.batch_size"),
}
# Sections of a component -> keywords that many of them have, and that are no names of components.
_KEYWORDS = {
    "model": {"channels", "strides", "num_res_units", "norm", "act", "dropout", "kernel_size", "up_kernel_size",
              "feature_size", "img_size", "init_filters", "features", "filters", "spatial_dims", "in_channels",
              "out_channels", "bias", "adn_ordering", "pretrained"},
    "loss": {"to_onehot_y", "softmax", "sigmoid", "include_background", "weight", "lambda_dice", "lambda_ce", "gamma",
             "squared_pred", "batch", "reduction", "smooth_nr", "smooth_dr", "label_smoothing"},
    "optimizer": {"lr", "learning_rate", "weight_decay", "momentum", "betas", "eps", "nesterov", "amsgrad"},
    "scheduler": {"max_lr", "total_steps", "pct_start", "step_size", "gamma", "milestones", "T_max", "T_0", "eta_min",
                  "warmup_steps", "patience", "factor", "div_factor", "final_div_factor", "base_lr", "power"},
    "inferer": {"roi_size", "overlap", "mode", "sw_batch_size", "sigma_scale", "padding_mode"},
}  # fmt: skip
_LONG = 60  # signs of a value beyond which it is not repeated
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
_NO_SPACE = re.compile(r"\s*(- )?\w+:[^\s/\\]")
"""A line in which no space stands after the colon of a setting; in that of an address or a path there is a slash."""


@dataclass(frozen=True)
class Written:
    """What a mistake stands in.

    Attributes:
        sources: The files and overrides.
        task: The kind of task, which decides on the default components.
    """

    sources: Sources
    task: str

    def component(self, section: str) -> str:
        """Name the component that a section has where it is written right, or else its default."""
        for value in self.sources.values(section):
            names = [value] if isinstance(value, str) else _split(section, value)[1] if isinstance(value, dict) else []
            if len(names) == 1:
                return str(names[0])
        default = TASK[self.task].get(section) or {"AdamW" if section == "optimizer" else "OneCycleLR": {}}
        return str(next(iter(default)))


def _split(section: str, value: Mapping[Any, Any]) -> tuple[list[str], list[Any]]:
    """Divide the keys of a component's section into keywords and names of components."""
    keywords = [name for name in value if name in _KEYWORDS[section]]
    return keywords, [name for name in value if name not in keywords]


def component_meant(section: str, value: Any, written: Written) -> str:
    """Say how keywords that stand in the place of a component are written; nothing where there are none.

    Args:
        section: The section.
        value: What stands there.
        written: What it stands in.
    """
    if section not in _KEYWORDS or not isinstance(value, dict):
        return ""
    keywords, names = _split(section, value)
    if not keywords or len(names) > 1 or not all(isinstance(value[name], dict | None) for name in names):
        return ""
    name = names[0] if names else written.component(section)
    kwargs = {keyword: value[keyword] for keyword in keywords}
    if not names and written.sources.locate((section,)) == "command line":
        return f" Write {' '.join(f'{section}.{name}.{keyword}={_flow(kwargs[keyword])}' for keyword in kwargs)}."
    inside = ", ".join(f"{keyword}: {_flow(word)}" for keyword, word in {**(value.get(name) or {}), **kwargs}.items())
    return f" Write `{section}: {{{name}: {{{inside}}}}}`."


def _flow(value: Any) -> str:
    """Write a value in one line of YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("...\n").strip()
    return text if len(text) <= _LONG else "..."


def other_name(name: str, optimizer: str) -> str:
    """Say, as a question, which setting other tools have under a name; nothing where there is none.

    Args:
        name: The name.
        optimizer: Name of the config's optimizer.
    """
    meant = _OTHER_NAMES.get(name, "").format(optimizer=optimizer)
    return f" Did you mean {meant}?" if meant else ""


def value_meant(kind: str, value: Any) -> str:
    """Tell what helps where YAML read another type than was meant.

    Args:
        kind: What pydantic calls the mistake.
        value: What was read.
    """
    if kind == "string_type" and isinstance(value, bool):
        return " Put it in quotes: YAML reads yes, no, on and off as true and false."
    if kind == "string_type" and isinstance(value, int | float):
        return f" Put it in quotes: '{value}'."
    if not isinstance(value, str):
        return ""
    if kind in ("int_type", "float_type"):
        return " Take the quotes away." if value.lstrip("+-").replace(".", "").isdigit() else comma_meant(value)
    return colon_meant(value) if kind in ("model_type", "dict_type") else ""


def comma_meant(value: Any) -> str:
    """Tell what helps where a text is a number with a decimal comma."""
    return " Write a decimal point." if isinstance(value, str) and _DECIMAL_COMMA.fullmatch(value) else ""


def colon_meant(*lines: str) -> str:
    """Tell what helps where the space after a colon is missing."""
    return " Write a space after the colon." if any(map(_NO_SPACE.match, lines)) else ""


def decimal_commas(node: Any, sources: Sources, key: Key = ()) -> Iterator[tuple[Key, Key, Problem]]:
    """Find decimal commas in braces, where a comma separates settings: ``{lr: 0,5}`` is lr: 0, and 5 without a value.

    Yields:
        Key of the setting, key of what stands behind the comma, and the problem.
    """
    if isinstance(node, list):
        for i, value in enumerate(node):
            yield from decimal_commas(value, sources, (*key, i))
    if not isinstance(node, dict):
        return
    before: Any = None
    for name, value in node.items():
        here: Key = (*key, str(name))
        if _is_number(name) and value is None and isinstance(before, str) and _is_number(node[before]):
            setting: Key = (*key, before)
            text = f"expected one value, found {node[before]} and {name} with a comma between them."
            remedy = "Write a decimal point, or brackets around a list."
            yield setting, here, Problem(f"{dotted(setting)}: {text} {remedy}", sources.locate(setting))
        yield from decimal_commas(value, sources, here)
        before = name


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
