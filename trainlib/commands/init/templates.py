"""Fill the templates of a project's files."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import trainlib
from trainlib.build.schema import config_schema
from trainlib.commands.init.facts import Facts

_TEMPLATES = Path(__file__).parent / "templates"
_SUFFIX = ".j2"
_PLAIN = re.compile(r"/?[^\W\d][\w ./-]*")

FILES = {
    "config.yaml": "config.yaml",
    "smoke.yaml": "smoke.yaml",
    "Makefile": "Makefile",
    "README.md": "README.md",
    "requirements.txt": "requirements.txt",
    ".gitignore": "gitignore",
    ".github/workflows/ci.yml": "ci.yml",
    "patches/transforms.py": "patches/transforms.py",
    "patches/model.py": "patches/model.py",
    "patches/loss.py": "patches/loss.py",
    "patches/optimizer.py": "patches/optimizer.py",
}
"""File of the project -> its template."""


def texts(facts: Facts) -> dict[str, str]:
    """Write every file of a project but the notebooks.

    Args:
        facts: What is known of it.

    Returns:
        Path in the project -> text.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["yaml"] = flow
    environment.filters["gitignored"] = _gitignored
    context = {
        "facts": facts,
        "data": {"root": "data", "label_map": {}, "group_col": None} | facts.data,
        "segmentation": facts.task == "segmentation",
        "version": trainlib.__version__,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }
    filled = {path: environment.get_template(name + _SUFFIX).render(context) for path, name in FILES.items()}
    return filled | {"schema.json": json.dumps(config_schema(), separators=(",", ":")) + "\n"}


def flow(value: Any) -> str:
    """Write a value as YAML in one line."""
    # In a list, for there more texts need quotes than on a line of their own.
    text = yaml.dump([value], Dumper=_Dumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
    return str(text).removeprefix("[").removesuffix("]\n")


def _gitignored(folder: str) -> str:
    """Write a folder of the project as a line of .gitignore, in which some signs are wildcards."""
    escaped = re.sub(r"([\\*?[])", r"\\\1", folder)
    return f"/{escaped}/"


class _Dumper(yaml.SafeDumper):
    """Writes texts that OmegaConf could take for anything else, such as 1e3, in quotes."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = None if _PLAIN.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
