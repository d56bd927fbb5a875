"""The section on a search for good settings: which are tried, how many trainings it takes, and which go on."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from trainlib.config.section import Section
from trainlib.suggest import did_you_mean

KINDS: dict[str, str] = {
    "choice": "a list of at least two different values",
    "uniform": "[low, high] with low below high",
    "loguniform": "[low, high] with 0 below low and low below high",
    "quniform": "[low, high, step] with low below high",
    "randint": "two integers [low, high], both of which may be drawn",
    "lograndint": "two integers [low, high] above 0, both of which may be drawn",
}
"""Kind of distribution -> what it takes."""
INTEGER = ("randint", "lograndint")
LOGARITHMIC = ("loguniform", "lograndint")


class Distribution(BaseModel):
    """What a setting is drawn from, written as one name with its values, such as ``loguniform: [1e-4, 1e-2]``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: str
    values: list[Any]

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        """Accept a mapping from one kind to its values, and refuse values that nothing can be drawn from."""
        if not isinstance(value, dict) or len(value) != 1:
            context = {"found": ", ".join(map(str, value)) if isinstance(value, dict) and value else repr(value)}
            raise PydanticCustomError("distribution", "one kind with its values, as in `choice: [1, 2]`", context)
        [(kind, values)] = value.items()
        if kind not in KINDS:
            hint = did_you_mean(str(kind), KINDS).strip()
            raise PydanticCustomError(
                "distribution", "a kind of distribution", {"found": f"{kind!r}. {hint}".removesuffix(".")}
            )
        if not isinstance(values, list) or not _fit(kind, values):
            raise PydanticCustomError("distribution", f"{KINDS[kind]} for {kind}", {"found": repr(values)})
        return {"kind": kind, "values": values}

    @model_serializer
    def _to_yaml(self) -> dict[str, Any]:
        return {self.kind: self.values}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        """Describe what stands in a file."""
        kinds = {kind: {"type": "array", "description": text} for kind, text in KINDS.items()}
        return {
            "title": "Distribution",
            "description": cls.__doc__,
            "type": "object",
            "properties": kinds,
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        }


def _fit(kind: str, values: list[Any]) -> bool:
    """Tell whether a distribution can be drawn from."""
    if kind == "choice":
        return 1 < len(values) == len({json.dumps(value, sort_keys=True, default=str) for value in values})
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)]
    if numbers != values or len(values) != (3 if kind == "quniform" else 2) or not values[0] < values[1]:
        return False
    if kind == "quniform" and not 0 < values[2] <= values[1] - values[0]:
        return False
    if kind in INTEGER and not all(isinstance(value, int) for value in values):
        return False
    return kind not in LOGARITHMIC or values[0] > 0


class PerTrialSection(Section):
    """What each training of a search gets of a machine."""

    cpu: Annotated[float, Field(gt=0)] = 1
    """Processors."""
    gpu: Annotated[float, Field(ge=0)] = 0
    """GPUs; 0.5 lets two trainings share one, 0 trains on processors."""


class TuneSection(Section):
    """A search for good settings by `trainlib tune`."""

    metric: str | None = None
    """Metric that decides; null is checkpoint.monitor."""
    mode: Literal["auto", "min", "max"] = "auto"
    """Whether a smaller or a larger value of it is better; `auto` knows by its name."""
    trials: Annotated[int, Field(ge=1)] = 20
    """Trainings of the search."""
    space: Annotated[dict[str, Distribution], Field(min_length=1)]
    """Settings in dotted keys, each with what it is drawn from."""
    scheduler: Literal["asha", "median", "pbt", "none"] = "asha"
    """Which trainings are ended early; `pbt` lets the worst go on as copies of the best with other settings."""
    grace: Annotated[int, Field(ge=1)] | None = None
    """Epochs before which none is ended, and of `pbt` those between two copies; null is a tenth of max_epochs."""
    search: Literal["optuna", "random"] | None = None
    """How new settings are chosen; null is `optuna`, for `pbt` `random`."""
    per_trial: PerTrialSection = PerTrialSection()
    """What each training gets of a machine."""
