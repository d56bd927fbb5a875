"""The page that explains every setting, written from the schema so that it cannot fall behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from trainlib.config.defaults import CLASSIFICATION, SEGMENTATION, TASK, with_defaults
from trainlib.config.problems import PATTERNS
from trainlib.config.schema import Config

_BY_TASK = ("data.classes", "model", "loss", "inferer", "checkpoint.monitor", "transforms.base", "transforms.train")
_SIMPLE = {"string": "text", "boolean": "`true` or `false`", "null": "`null`", "object": "mapping", "array": "list"}
_MANY = {"text": "texts", "[component](#components)": "[components](#components)"}
_LINKS = {
    "Component": "[component](#components)",
    "Model": "[component](#components), and beside it [its settings](#model)",
    "Distribution": "[distribution](#distributions)",
}
_HEAD = """\
<!-- Written by `trainlib schema --markdown` from the docstrings in trainlib/config; after a change: `make docs`. -->

# Every setting

A config is YAML. Only `data.train_csv`, `data.valid_csv` and, in segmentation, `data.classes` are needed; everything
else has the default of the tables below. `trainlib fit -c config.yaml --print_config` shows what a config comes to in
full.

- **Several files** are laid over each other, later ones win: `-c config.yaml -c gpu.yaml`. Lists are replaced as a
  whole.
- **The command line** wins over the files: `trainlib fit -c config.yaml data.batch_size=4 model.UNet.dropout=0.1`.
  Items of lists have numbers, as in `transforms.train[2].RandFlipd.prob=0.5`.
- **`${...}`** stands for another setting, or for a variable of the environment:

  ```yaml
  run: {root: "${oc.env:HOME}/runs"}
  transforms:
    train:
      - SpatialPadd: {spatial_size: [64, 64, 64]}
      - RandSpatialCropd: {roi_size: "${transforms.train[0].SpatialPadd.spatial_size}"}
  ```

- **Paths** start in the folder where trainlib is called, and `~` is your home; the CSVs, and the paths inside them,
  start in `data.root`.
- **What is misspelt or of another type** is refused, all of it at once and with file and line. Nothing is converted:
  `"3"` is a text, `3` a number.
- **In an editor** with a YAML language server the first line `# yaml-language-server: $schema=schema.json` completes
  and checks a config; `trainlib schema > schema.json` writes that file, and `trainlib init` has done so already.

## Components

Networks, losses, optimizers, schedules, inferers, transforms, callbacks and loggers are named as they are in MONAI,
torch and Lightning, and get their keywords in a mapping; without keywords the name is enough:

```yaml
loss: DiceFocalLoss
optimizer:
  SGD: {lr: 0.01, momentum: 0.99, nesterov: true}
transforms:
  train:
    - RandFlipd: {spatial_axis: 0, prob: 0.5}
    - RandGaussianNoised
```

- What trainlib knows is filled in unless you say otherwise: dimensions and channels of the network, the number of
  steps of a schedule, the window of the inferer, the `keys` of transforms, and `mode: nearest` for labels.
- The same name in a later file, or on the command line, adds keywords to those that stand there; another name
  replaces the component.
- A dotted path, as in `my_package.MyNet`, names a class or function of your own; [patches](patches.md) need no
  package.
- A keyword that does not exist is refused, with the nearest one that does.
"""
_DISTRIBUTIONS = """\
### Distributions

What a setting is drawn from is one kind with its values, as in `optimizer.AdamW.lr: {loguniform: [1e-4, 1e-2]}`.

| kind | values |
|---|---|
"""
_TASKS = """\
## What the task decides

Where a config has none of its own, these are the defaults. With several label columns (multi-label classification)
the loss is `BCEWithLogitsLoss`. `data.classes` are needed in a segmentation; a classification finds them in the
training CSV.
"""


def config_reference() -> str:
    """Write the reference of all settings as Markdown: how a config is read, then a table for each section."""
    schema = Config.model_json_schema()
    parts = [_HEAD, "## Sections\n", _table("", schema, schema["$defs"])]
    for name, part in schema["properties"].items():
        parts += _section(name, part, schema["$defs"])
    return "\n".join([*parts, _TASKS, *_defaults_of_tasks()])


def _section(path: str, part: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    """Yield heading and table of a section, then the sections in it; nothing for a plain setting."""
    kind = _kind(part)
    section = _definition(part, definitions)
    if kind == "Model":  # its settings stand beside the name of the network
        properties = section["anyOf"][1]["properties"]
        section = {"description": section["description"], "properties": properties}
    if not (properties := section.get("properties")) or kind == "Distribution":
        return
    yield f"{'##' if '.' not in path else '###'} {path}\n"
    yield f"{_line(section['description'])} {_may_be_off(part)}".strip() + "\n"
    yield _table(path, section, definitions)
    for name, inner in properties.items():
        yield from _section(f"{path}.{name}", inner, definitions)
        if _kind(inner.get("additionalProperties")) == "Distribution":
            kinds = definitions["Distribution"]["properties"]
            yield _DISTRIBUTIONS + "".join(f"| `{name}` | {kind['description']} |\n" for name, kind in kinds.items())


def _table(path: str, section: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Lay out the keys of a section: name, type, default, meaning."""
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, part in section["properties"].items():
        full = f"{path}.{name}".removeprefix(".")
        inner = _definition(part, definitions)
        is_section = "properties" in inner or _kind(part) == "Model"
        key = f"[`{name}`](#{full.replace('.', '')})" if is_section else f"`{name}`"
        default = "**needed**" if name in section.get("required", []) else _default(full, part, is_section)
        cells = [key, _type(part, name), default, _line(part["description"])]
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def _kind(part: Any) -> str:
    """Return the name of what a setting refers to, alone or beside null; nothing for plain values."""
    branches = [part, *part.get("anyOf", [])] if isinstance(part, dict) else []
    return next((branch["$ref"].rpartition("/")[2] for branch in branches if "$ref" in branch), "")


def _definition(part: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return what describes a section, which may stand in the setting itself; nothing for plain values."""
    branches = part.get("anyOf", []) if isinstance(part, dict) else []
    inline: dict[str, Any] = next((branch for branch in branches if "properties" in branch), {})
    return definitions.get(_kind(part), inline)


def _type(part: dict[str, Any], name: str) -> str:
    """Say in plain words what a setting takes."""
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(_type(branch, name) for branch in part["anyOf"]))
    if "$ref" in part:
        return _LINKS.get(_kind(part), "section")
    if "enum" in part or "const" in part:
        values = [f"`{_flow(value)}`" for value in part.get("enum", [part.get("const")])]
        return " or ".join(filter(None, [", ".join(values[:-1]), values[-1]]))
    if "properties" in part:
        return "section"
    if isinstance(part["type"], list):
        return " or ".join(_type({"type": kind}, name) for kind in part["type"])
    if part["type"] in ("integer", "number"):
        return " ".join(filter(None, [part["type"], _bounds(part)]))
    if "pattern" in part:
        return PATTERNS[name]
    if part["type"] == "array" and "items" in part:
        item = _type(part["items"], name)
        return f"list of {_MANY[item]}" if item in _MANY else f"list, each item {item}"
    if isinstance(part.get("additionalProperties"), dict):
        return f"mapping, each value {_type(part['additionalProperties'], name)}"
    return _SIMPLE[part["type"]]


def _bounds(part: dict[str, Any]) -> str:
    """Write the limits of a number."""
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return " and ".join(f"{sign} {part[limit]}" for limit, sign in signs.items() if limit in part)


def _default(path: str, part: dict[str, Any], is_section: bool) -> str:
    """Write the default of a setting; those of a section stand in its own table."""
    if path in _BY_TASK:
        return "[by the task](#what-the-task-decides)"
    if "default" in part and (part["default"] in (None, False) or not is_section):
        return f"`{_flow(part['default'])}`"
    return "see there" if is_section else "none"


def _may_be_off(part: dict[str, Any]) -> str:
    """Say how a section is switched off, or that it is off."""
    if {"type": "null"} not in part.get("anyOf", []):
        return ""
    return "Off by default." if part.get("default") in (None, False) else "`null` switches it off."


def _line(text: str) -> str:
    """Write a docstring on one line of Markdown."""
    return " ".join(text.replace("``", "`").split())


def _flow(value: Any) -> str:
    """Write a value as YAML on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _defaults_of_tasks() -> Iterator[str]:
    """Yield the defaults of each task in two and three dimensions, as they would stand in a file."""
    for task in (SEGMENTATION, CLASSIFICATION):
        for dims in (3, 2):
            filled = with_defaults({"task": task, "data": {"spatial_dims": dims}})
            lines = [f"task: {task}", f"data: {{spatial_dims: {dims}}}", "transforms:"]
            for pipeline in ("base", "train"):
                lines += [f"  {pipeline}:", *(f"    - {_block(step)}" for step in filled["transforms"][pipeline])]
            lines += [f"{section}: {_flow(filled[section])}" for section in TASK[task]]
            yield f"### {task.capitalize()} in {dims}-D\n\n```yaml\n" + "\n".join(lines) + "\n```\n"


def _block(component: Any) -> str:
    """Write a component as it stands in a list."""
    if isinstance(component, str):
        return component
    [(name, keywords)] = component.items()
    return f"{name}: {_flow(keywords)}"
