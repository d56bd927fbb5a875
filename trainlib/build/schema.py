"""The JSON Schema of a config with all components and their keywords, for editors to complete and check."""

from __future__ import annotations

from typing import Any

from trainlib.build.catalogue import TRAINER, Catalogue, Entry, catalogue
from trainlib.config.model import SETTINGS
from trainlib.config.schema import Config

_SINGLE = ("loss", "optimizer", "scheduler", "inferer")
_ANY_KEYWORDS: dict[str, Any] = {"type": ["object", "null"]}
# A class of another package is named by its dotted path.
_DOTTED = r"\."


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of the config: its sections, and what the installed packages offer for them."""
    schema, index = Config.model_json_schema(), catalogue()
    definitions, sections = schema["$defs"], schema["properties"]
    for kind in index.keys() - {TRAINER}:
        definitions[kind] = _component(kind, index[kind])
    for kind in _SINGLE:
        _refer(sections[kind], kind)
    _add_settings(definitions["model"], definitions.pop("Model"))
    sections["model"]["$ref"] = "#/$defs/model"
    sections["callbacks"]["items"] = {"$ref": "#/$defs/callback"}
    for section in ("base", "train", "post"):
        definitions["TransformsSection"]["properties"][section]["items"] = {"$ref": "#/$defs/transform"}
    sections["trainer"] |= _trainer(index)
    for part in (schema, *definitions.values()):  # what one file leaves out another one may hold
        for rule in ("required", "if", "else"):
            part.pop(rule, None)
    return schema


def _component(kind: str, entries: dict[str, Entry]) -> dict[str, Any]:
    """Describe both spellings of a component: its name, or its name with keywords."""
    shown = {name: entry for name, entry in entries.items() if not entry.alias}
    choices: list[dict[str, Any]] = [{"enum": list(shown)}, {"pattern": _DOTTED}]
    others: dict[str, Any] = {"patternProperties": {_DOTTED: _ANY_KEYWORDS}, "additionalProperties": False}
    if kind == "transform":  # which a script may define under any name
        choices, others = [{"enum": list(shown)}, {"type": "string"}], {"additionalProperties": _ANY_KEYWORDS}
    properties = {name: {**_ANY_KEYWORDS, **_keywords(entry)} for name, entry in shown.items()}
    mapping = {"type": "object", "minProperties": 1, "maxProperties": 1, "properties": properties, **others}
    return {"title": kind.capitalize(), "anyOf": [{"type": "string", "anyOf": choices}, mapping]}


def _keywords(entry: Entry) -> dict[str, Any]:
    """Describe the keywords of a component; their types are left to it, for annotations are not always exact."""
    properties = {}
    for name, default in entry.keywords.items():
        texts = [entry.numbers.get(name, ""), "" if default is None else f"default {default}"]
        properties[name] = {"description": ", ".join(filter(None, texts))}
    return {"description": entry.summary, "properties": properties, "additionalProperties": entry.is_open}


def _add_settings(component: dict[str, Any], described: dict[str, Any]) -> None:
    """Add what stands beside the name of a network, and the bundle that may stand in its place."""
    [_, mapping], [_, with_settings] = component["anyOf"], described["anyOf"]
    mapping["properties"] |= with_settings["properties"]
    mapping["maxProperties"] += len(SETTINGS)
    component["description"] = described["description"]


def _refer(section: dict[str, Any], kind: str) -> None:
    """Let a section refer to its kind of component instead of any."""
    for place in (section, *section.get("anyOf", ())):
        if "$ref" in place:
            place["$ref"] = f"#/$defs/{kind}"


def _trainer(index: Catalogue) -> dict[str, Any]:
    """Describe the arguments of the Trainer."""
    properties = _keywords(index[TRAINER]["Trainer"])["properties"]
    logger = {"$ref": "#/$defs/logger"}
    properties["logger"] = {"anyOf": [logger, {"type": "array", "items": logger}, {"type": "null"}]}
    return {"properties": properties, "additionalProperties": False}
