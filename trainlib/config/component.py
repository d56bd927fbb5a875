"""A component: the name of something to build and the keywords to build it with."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_serializer, model_validator
from pydantic_core import PydanticCustomError


def spelt_out(value: Any) -> Any:
    """Write a bare name, or a mapping from one name to its keywords, as the fields of a component.

    Raises:
        PydanticCustomError: It is neither.
    """
    if isinstance(value, str) and value:
        return {"name": value}
    if not isinstance(value, dict):
        raise PydanticCustomError("component", "Input should be a name, or a name with its keywords")
    if "name" in value and value.keys() <= {"name", "kwargs"}:
        return value
    if len(value) != 1:
        names = ", ".join(map(str, value)) or "{}"
        raise PydanticCustomError("component_names", "Input should be one name with its keywords", {"found": names})
    [(name, kwargs)] = value.items()
    if kwargs is not None and not isinstance(kwargs, dict):
        raise PydanticCustomError(
            "component_keywords",
            "Input should be the keywords of {name}, as in `{name}: {keyword: value}`",
            {"name": str(name), "found": repr(kwargs)},
        )
    if odd := [key for key in kwargs or {} if not isinstance(key, str)]:
        raise PydanticCustomError(
            "component_keywords", "Input should be names as keywords of {name}", {"name": name, "found": odd[0]}
        )
    return {"name": str(name), "kwargs": kwargs or {}}


class Component(BaseModel):
    """A class or function to be called, written ``Name`` or ``Name: {keyword: value}``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    kwargs: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        """Accept a bare name, or a mapping from one name to its keywords."""
        return spelt_out(value)

    @model_serializer
    def _to_yaml(self) -> str | dict[str, Any]:
        return {self.name: self.kwargs} if self.kwargs else self.name

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        """Describe both spellings, so that editors accept what the loader accepts."""
        mapping = {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": {"type": ["object", "null"]},
        }
        return {"title": "Component", "description": cls.__doc__, "anyOf": [{"type": "string"}, mapping]}
