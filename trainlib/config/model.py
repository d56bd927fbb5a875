"""The section `model`: the network, the weights that it starts from, and the part of it that stays as it is."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, model_serializer, model_validator

from trainlib.config.component import Component, spelt_out

SETTINGS = ("weights", "freeze")
"""What stands beside the name of the network."""
BUNDLE = "bundle"
"""In place of a network's name: the network and the weights of the MONAI bundle whose folder follows."""


class Model(Component):
    """A network, written ``Name`` or ``Name: {keyword: value}``, and beside it how its training begins.

    ``bundle: FOLDER`` takes network and weights of a MONAI bundle.
    """

    model_config = ConfigDict(use_attribute_docstrings=True)

    weights: str | None = None
    """Checkpoint, run folder or file of a state dict whose weights the training starts from; null starts at random."""
    freeze: list[str] = []
    """Modules and parameters that are not trained, by dotted name; `*` stands for anything, as in `model.*.norm`."""

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        """Accept what a component may be, and the settings beside it."""
        component, settings = apart(value)
        if isinstance(component, dict) and isinstance(component.get(BUNDLE), str) and len(component) == 1:
            component = {BUNDLE: {"path": component[BUNDLE]}}
        return {**spelt_out(component), **settings}

    @property
    def brings_weights(self) -> bool:
        """Whether the network can be used without a checkpoint."""
        return self.name == BUNDLE

    @model_serializer
    def _to_yaml(self) -> str | dict[str, Any]:
        settings: dict[str, Any] = {"weights": self.weights} if self.weights is not None else {}
        settings |= {"freeze": self.freeze} if self.freeze else {}
        if settings:
            return {self.name: self.kwargs, **settings}
        return {self.name: self.kwargs} if self.kwargs else self.name

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        """Describe both spellings, so that editors accept what the loader accepts."""
        texts = {name: cls.model_fields[name].description for name in SETTINGS}
        mapping: dict[str, Any] = {
            "type": "object",
            "properties": {
                "weights": {"type": ["string", "null"], "description": texts["weights"]},
                "freeze": {"type": "array", "items": {"type": "string"}, "description": texts["freeze"]},
            },
            "minProperties": 1,
            "maxProperties": 1 + len(SETTINGS),
            "additionalProperties": {"type": ["object", "null"]},
        }
        mapping["properties"][BUNDLE] = {"type": ["string", "object"], "description": "Folder of a MONAI bundle."}
        return {"title": "Model", "description": cls.__doc__, "anyOf": [{"type": "string"}, mapping]}


def apart(value: Any) -> tuple[Any, dict[str, Any]]:
    """Divide what stands under ``model`` into the component and the settings beside it."""
    if not isinstance(value, dict):
        return value, {}
    settings = {name: value[name] for name in SETTINGS if name in value}
    return {name: part for name, part in value.items() if name not in settings}, settings
