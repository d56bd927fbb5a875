"""The setting `model.compile`: how torch compiles the network."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from trainlib.config.section import Section


class CompileSection(Section):
    """Keywords of `torch.compile`; `true` stands for all of them as they are."""

    mode: Literal["default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"] = "default"
    """What to spend the time of compiling on; `reduce-overhead` helps small networks on a GPU."""
    dynamic: bool | None = None
    """Compile for any shape, `true`, or for each of eight shapes anew, `false`; null finds out which there are."""
    fullgraph: bool = False
    """Refuse a network that cannot be compiled as a whole, instead of compiling its parts."""
    backend: str = "inductor"
    """What compiles; others than torch's own come with packages."""
    options: dict[str, str | int | float | bool] = {}
    """Options of the backend, in place of a mode."""

    @model_validator(mode="after")
    def _check_mode(self) -> CompileSection:
        """Refuse a mode beside options, as torch does."""
        if self.options and self.mode != "default":
            raise PydanticCustomError(
                "compile_options",
                "Input should be no other than default beside options",
                {"key": ("model", "compile", "mode"), "found": self.mode},
            )
        return self

    @property
    def uses_graphs(self) -> bool:
        """Whether a GPU repeats whole steps as CUDA graphs."""
        return self.mode in ("reduce-overhead", "max-autotune") or bool(self.options.get("triton.cudagraphs"))

    def keywords(self) -> dict[str, Any]:
        """Return the keywords as `torch.compile` takes them."""
        chosen: dict[str, Any] = {"options": self.options} if self.options else {"mode": self.mode}
        return chosen | {"dynamic": self.dynamic, "fullgraph": self.fullgraph, "backend": self.backend}
