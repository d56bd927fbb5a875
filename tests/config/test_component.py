from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from trainlib.config.component import Component


class Holder(BaseModel):
    one: Component


@pytest.mark.parametrize(
    ("written", "name", "kwargs"),
    [
        ("UNet", "UNet", {}),
        ({"UNet": None}, "UNet", {}),
        ({"UNet": {}}, "UNet", {}),
        ({"UNet": {"channels": [1, 2]}}, "UNet", {"channels": [1, 2]}),
        ({"a.b.C": {"x": 1}}, "a.b.C", {"x": 1}),
        ({"Net": {"name": "x", "kwargs": 3}}, "Net", {"name": "x", "kwargs": 3}),
    ],
)
def test_a_name_or_a_name_with_its_keywords_is_a_component(written: Any, name: str, kwargs: dict[str, Any]) -> None:
    component = Holder.model_validate({"one": written}).one
    assert (component.name, component.kwargs) == (name, kwargs)


@pytest.mark.parametrize("written", [None, 5, True, "", [], ["UNet"], {}, {"A": {}, "B": {}}, {"A": 3}, {"A": {1: 2}}])
def test_anything_else_is_none(written: Any) -> None:
    with pytest.raises(ValidationError, match=r"1 validation error for Holder\none\n  Input should be"):
        Holder.model_validate({"one": written})


@pytest.mark.parametrize(
    ("component", "written"),
    [
        (Component(name="UNet"), "UNet"),
        (Component(name="UNet", kwargs={"norm": "batch"}), {"UNet": {"norm": "batch"}}),
    ],
)
def test_a_component_is_written_as_the_user_does(component: Component, written: Any) -> None:
    assert component.model_dump() == written
    assert json.loads(component.model_dump_json()) == written
    assert Component.model_validate(written) == component


def test_a_component_cannot_be_changed_and_can_be_pickled() -> None:
    component = Component(name="UNet", kwargs={"norm": "batch"})
    with pytest.raises(ValidationError, match="frozen"):
        component.name = "VNet"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(component)) == component


def test_the_json_schema_accepts_both_spellings() -> None:
    schema = Component.model_json_schema()
    kinds = [choice["type"] for choice in schema["anyOf"]]
    assert kinds == ["string", "object"]
    assert schema["anyOf"][1]["maxProperties"] == 1
