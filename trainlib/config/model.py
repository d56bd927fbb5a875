"""The section `model`: the network, what it starts from, the part of it that stays as it is, and how it is run."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, field_validator, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from trainlib.config.compiling import CompileSection
from trainlib.config.component import Component, spelt_out
from trainlib.suggest import nearest

OF_ONE_NETWORK = ("weights", "freeze")
SETTINGS = (*OF_ONE_NETWORK, "channels_last", "compile")
"""What stands beside the name of the network; the first two mean nothing to another network."""
BUNDLE = "bundle"
"""In place of a network's name: the network and the weights of the MONAI bundle whose folder follows."""
_OF_BUNDLE = "Folder of a MONAI bundle, in place of the name of a network; its weights come along."


class Model(Component):
    """A network, written ``Name`` or ``Name: {keyword: value}``, and beside it how its training begins.

    ``bundle: FOLDER`` takes network and weights of a MONAI bundle.
    """

    model_config = ConfigDict(use_attribute_docstrings=True)

    weights: str | None = None
    """Checkpoint, run folder or file of a state dict whose weights the training starts from; null starts at random."""
    freeze: list[str] = []
    """Modules and parameters that are not trained, by dotted name; `*` stands for anything, as in `model.*.norm`."""
    channels_last: bool = False
    """Keep the channels of a voxel beside each other in memory, which some GPUs compute faster with."""
    compile: CompileSection | None = None
    """Let torch compile the network before it is trained."""

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        """Accept what a component may be, and the settings beside it."""
        component, settings = apart(value)
        _refuse_typos(component)
        if isinstance(component, dict) and isinstance(component.get(BUNDLE), str) and len(component) == 1:
            component = {BUNDLE: {"path": component[BUNDLE]}}
        return {**spelt_out(component), **settings}

    @field_validator("compile", mode="before")
    @classmethod
    def _take_keywords_or_none(cls, value: Any) -> Any:
        """Accept true for no keywords, and false for none at all.

        Raises:
            PydanticCustomError: It is something else than these, keywords or null.
        """
        if isinstance(value, bool):
            return {} if value else None
        if not isinstance(value, dict | CompileSection | None):
            raise PydanticCustomError("compile", "Input should be true, false or keywords of torch.compile")
        return value

    @property
    def brings_weights(self) -> bool:
        """Whether the network can be used without a checkpoint: that of a bundle, as it is."""
        return self.name == BUNDLE and self.kwargs.keys() <= {"path"}

    @model_serializer
    def _to_yaml(self) -> str | dict[str, Any]:
        settings: dict[str, Any] = {"weights": self.weights} if self.weights is not None else {}
        settings |= {"freeze": self.freeze} if self.freeze else {}
        settings |= {"channels_last": True} if self.channels_last else {}
        if self.compile is not None:
            settings["compile"] = self.compile.model_dump(exclude_defaults=True) or True
        if settings:
            return {self.name: self.kwargs, **settings}
        return {self.name: self.kwargs} if self.kwargs else self.name

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        """Describe both spellings, so that editors accept what the loader accepts."""
        texts = {name: cls.model_fields[name].description for name in SETTINGS}
        compiled = handler(CompileSection.__pydantic_core_schema__)
        mapping: dict[str, Any] = {
            "type": "object",
            "properties": {
                "weights": {"type": ["string", "null"], "default": None, "description": texts["weights"]},
                "freeze": {"type": "array", "items": {"type": "string"}, "default": [], "description": texts["freeze"]},
                "channels_last": {"type": "boolean", "default": False, "description": texts["channels_last"]},
                "compile": {
                    "anyOf": [{"type": "boolean"}, compiled, {"type": "null"}],
                    "default": False,
                    "description": texts["compile"],
                },
            },
            "minProperties": 1,
            "maxProperties": 1 + len(SETTINGS),
            "additionalProperties": {"type": ["object", "null"]},
        }
        mapping["properties"][BUNDLE] = {"type": ["string", "object"], "description": _OF_BUNDLE}
        return {"title": "Model", "description": cls.__doc__, "anyOf": [{"type": "string"}, mapping]}


def _refuse_typos(component: Any) -> None:
    """Tell a misspelt setting beside the name of a network, which would be taken for another network.

    Raises:
        PydanticCustomError: There is one.
    """
    names = [name for name in component if isinstance(name, str)] if isinstance(component, dict) else []
    for name in names:
        is_setting = len(names) > 1 or not isinstance(component[name], dict | None)
        if is_setting and name not in (BUNDLE, "name", "kwargs") and nearest(name, (*SETTINGS, BUNDLE), cutoff=0.8):
            raise PydanticCustomError("invalid_key", "Input should be a setting", {"key": ("model", name)})


def apart(value: Any) -> tuple[Any, dict[str, Any]]:
    """Divide what stands under ``model`` into the component and the settings beside it."""
    if not isinstance(value, dict):
        return value, {}
    settings = {name: value[name] for name in SETTINGS if name in value}
    return {name: part for name, part in value.items() if name not in settings}, settings
