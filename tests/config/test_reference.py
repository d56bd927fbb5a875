from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from tests.conftest import ROOT
from trainlib.cli import app
from trainlib.config.reference import config_reference
from trainlib.config.schema import Config


def keys(section: type[BaseModel] = Config) -> list[tuple[str, str]]:
    """List every setting with its description."""
    found = []
    for name, field in section.model_fields.items():
        if section.__name__ == "Model" and name in ("name", "kwargs"):
            continue
        found.append((name, " ".join((field.description or "").replace("``", "`").split())))
        inner: Any = [field.annotation, *getattr(field.annotation, "__args__", ())]
        for kind in inner:
            if (
                isinstance(kind, type)
                and issubclass(kind, BaseModel)
                and kind.__name__ not in ("Component", "Distribution")
            ):
                found += keys(kind)
    return found


def rows(page: str, heading: str) -> dict[str, list[str]]:
    """Read the table below a heading: first cell -> the others."""
    part = page.split(f"\n{heading}\n", 1)[1].split("\n#", 1)[0]
    lines = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")][2:]
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines}


def test_the_page_of_the_settings_is_up_to_date() -> None:
    page = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    assert page == config_reference(), "docs/config.md is out of date. Write it anew with `make docs`."


def test_the_command_prints_the_page() -> None:
    done = CliRunner().invoke(app, ["schema", "--markdown"])
    assert (done.exit_code, done.stdout) == (0, config_reference())


def test_every_setting_stands_in_the_page_with_its_meaning() -> None:
    page = config_reference()
    found = keys()
    assert ("max_nonfinite", "Batches of the whole training that may be skipped because their loss is not finite; "
            "one more ends it.") in found  # fmt: skip
    assert len(found) > 75
    for name, description in found:
        assert description.endswith("."), name
        assert f"`{name}`" in page
        assert f" {description} |" in page


@pytest.mark.parametrize(
    ("heading", "key", "kind", "default"),
    [
        ("## run", "`name`", "a name without slashes that does not begin with a dot", "`run`"),
        ("## data", "`train_csv`", "text", "**needed**"),
        ("## data", "`image_cols`", "text or list of texts", "`[image]`"),
        ("## data", "`num_workers`", "integer ≥ 0 or `auto`", "`auto`"),
        ("## data", "`classes`", "list, each item a name without slashes", "[by the task](#what-the-task-decides)"),
        ("## data", "`label_map`", "mapping, each value integer or text", "`{}`"),
        ("## transforms", "`prob`", "number ≥ 0 and ≤ 1", "`0.2`"),
        ("## transforms", "`post`", "list of [components](#components)", "`[]`"),
        ("## model", "`weights`", "text or `null`", "`null`"),
        ("### tune.per_trial", "`cpu`", "number > 0", "`1`"),
        ("## Sections", "[`early_stopping`](#early_stopping)", "section or `null`", "`null`"),
        ("## Sections", "[`transforms`](#transforms)", "section", "see there"),
        ("## Sections", "`optimizer`", "[component](#components)", "`{AdamW: {lr: 0.002}}`"),
    ],
)
def test_a_setting_has_its_type_and_its_default(heading: str, key: str, kind: str, default: str) -> None:
    assert rows(config_reference(), heading)[key][:2] == [kind, default]


def test_only_what_every_config_needs_is_called_needed() -> None:
    needed = [line.split("`")[1] for line in config_reference().splitlines() if "**needed**" in line]
    assert needed == ["data", "train_csv", "valid_csv", "credentials", "space"]


def test_every_link_of_the_page_leads_to_a_heading_of_it() -> None:
    page = config_reference()
    headings = [line.lstrip("# ").lower() for line in page.splitlines() if line.startswith("#")]
    anchors = {heading.replace(".", "").replace(" ", "-") for heading in headings}
    links = {part.split(")", 1)[0] for part in page.split("](#")[1:]}
    assert links <= anchors
