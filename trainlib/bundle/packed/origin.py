"""Build the network of the bundle that the training began with, from that bundle's own config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

SETTINGS = "origin.json"
METADATA = "origin_metadata.json"


def build_network() -> Any:
    """Build the network without its weights."""
    here = Path(__file__).parent
    settings = json.loads((here / SETTINGS).read_text(encoding="utf-8"))
    parser = ConfigParser()
    parser.read_config(str(here / settings["config"]))
    if (here / METADATA).is_file():
        parser.read_meta(str(here / METADATA))
    parser["bundle_root"] = str(here.parent)
    item = settings["item"]
    if settings["keywords"]:
        parser[item] = {**parser[item], **settings["keywords"]}
    return parser.get_parsed_content(item)
