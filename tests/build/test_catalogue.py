"""The index holds what the packages hold, is made once, and made anew when it is damaged or out of date."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from trainlib.build import catalogue as module
from trainlib.build.catalogue import TRAINER, Catalogue, make_catalogue
from trainlib.build.keywords import Keywords
from trainlib.build.kinds import MODULES, names_of
from trainlib.build.lookup import find
from trainlib.config.schema import Config

DATA = {"train_csv": "a.csv", "valid_csv": "b.csv", "classes": ["background", "organ"]}
CONFIG = Config.model_validate({"data": DATA})


@pytest.fixture(scope="module")
def made() -> Catalogue:
    return make_catalogue()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, of which nothing is remembered in this process."""
    monkeypatch.setattr(module.platformdirs, "user_cache_dir", lambda _: str(tmp_path / "cache"))
    monkeypatch.setattr(module, "catalogue", module.catalogue.__wrapped__)
    return tmp_path / "cache"


@pytest.mark.parametrize("kind", MODULES)
def test_it_lists_every_component_with_the_keywords_of_its_signature(made: Catalogue, kind: str) -> None:
    assert names_of(kind) == {name for name, entry in made[kind].items() if not entry.alias}
    positional = {"optimizer": 1, "scheduler": 1}.get(kind, 0)
    for name, entry in made[kind].items():
        keywords = Keywords(find(kind, name, CONFIG).target)
        keywords.pass_by_position(positional)
        assert list(entry.keywords) == keywords.names, name
        assert entry.is_open == keywords.open, name


def test_it_knows_defaults_numbers_and_the_first_line_of_the_documentation(made: Catalogue) -> None:
    adam = made["optimizer"]["AdamW"]
    assert "params" not in adam.keywords
    assert adam.keywords["amsgrad"] == "False"
    assert made["model"]["UNet"].keywords["channels"] is None
    assert made["model"]["UNet"].numbers["channels"] == "a list of integers"
    assert made["transform"]["RandFlipDict"].alias
    assert made["transform"]["RandFlipd"].summary.startswith("Dictionary-based version")
    assert "max_epochs" in made[TRAINER]["Trainer"].keywords


def test_the_one_that_was_kept_equals_the_one_that_was_made(cache: Path, made: Catalogue) -> None:
    assert module.kept_catalogue() is None
    assert module.catalogue() == made == module.kept_catalogue()
    [kept] = cache.iterdir()
    before = kept.stat().st_mtime_ns
    assert module.catalogue() == made
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"mark": "?"}', "{}", "broken"])
def test_a_damaged_one_is_made_anew(
    cache: Path, made: Catalogue, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "make_catalogue", lambda: made)
    module.catalogue()
    [kept] = cache.iterdir()
    whole = kept.read_text()
    kept.write_text(whole.replace('"is_open"', '"was_open"') if content == "broken" else content)
    assert module.catalogue() == made
    assert kept.read_text() == whole


def test_another_version_of_a_package_voids_it(cache: Path, made: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "make_catalogue", lambda: made)
    module.catalogue()
    monkeypatch.setattr(module.sys, "version", "another")
    assert module.kept_catalogue() is None
    module.catalogue()
    assert module.kept_catalogue() == made
    assert len(list(cache.iterdir())) == 1


def test_a_folder_that_cannot_be_written_to_is_no_obstacle(
    cache: Path, made: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "make_catalogue", lambda: made)
    cache.write_text("a file where the folder should be")
    assert module.catalogue() == made


def test_of_packages_that_may_change_without_a_new_version_none_is_kept(
    cache: Path, made: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "make_catalogue", lambda: made)
    editable = json.dumps({"url": "file:///home/me/MONAI", "dir_info": {"editable": True}})
    read = PathDistribution.read_text
    monkeypatch.setattr(
        PathDistribution,
        "read_text",
        lambda self, name: editable if name == "direct_url.json" else read(self, name),
    )
    assert module.catalogue() == made
    assert not cache.exists()


def test_a_kept_one_is_read_without_the_packages(tmp_path: Path) -> None:
    code = (
        "import sys, platformdirs, trainlib.build.catalogue as module\n"
        f"platformdirs.user_cache_dir = lambda _: {str(tmp_path)!r}\n"
    )
    subprocess.run([sys.executable, "-c", f"{code}module.catalogue()"], check=True)
    names = "{'torch', 'monai', 'lightning', 'numpy', 'pandas'}"
    read = f"{code}assert module.kept_catalogue(); assert not {names} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", read], check=True)
