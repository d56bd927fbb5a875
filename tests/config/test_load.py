from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.config.helpers import DATA, config_of, mistakes, read
from trainlib.config.load import dump_config, load_config, read_config
from trainlib.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "c.yaml: the file holds no settings. It needs at least a `data:` section."),
        ("# only a comment\n", "c.yaml: the file holds no settings. It needs at least a `data:` section."),
        ("null\n", "c.yaml: the file holds no settings. It needs at least a `data:` section."),
        ("5\n", "c.yaml: expected a mapping of settings such as `data:`, found a single value."),
        ("- a\n", "c.yaml: expected a mapping of settings such as `data:`, found a list."),
        (DATA + "  root: a\n  root: b\n", "c.yaml:6: is not valid YAML: found duplicate key root (while constructing"),
        (DATA + "\troot: a\n", "Indent with spaces: YAML allows no tabs there."),
        (DATA + "model: !!python/object:os.system {}\n", "c.yaml:5: is not valid YAML: the tag !!python/object:os.sy"),
        (DATA + "model: !!python/name:os.system\n", "c.yaml:5: is not valid YAML: the tag !!python/name:os.system"),
        (DATA + "run: {name: 'a\n", "c.yaml:6: is not valid YAML: found unexpected end of stream (while scanning a "),
        (DATA + "---\nrun: {}\n", "expected a single document in the stream, but found another document."),
        (DATA + "run: *nope\n", "c.yaml:5: is not valid YAML: found undefined alias."),
        (DATA + "null: 4\n", "c.yaml: a key is no name. Put a word or a number before each colon."),
    ],
)
def test_a_file_that_is_no_config_is_one_sentence(tmp_path: Path, text: str, expected: str) -> None:
    [mistake] = mistakes(tmp_path, text)
    assert expected in mistake
    assert "\n" not in mistake


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (DATA.encode("utf-16"), "is not a text file in UTF-8. Save it as UTF-8"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "is not a text file in UTF-8. Save it as UTF-8"),
        (b"a: \x01\x02\n", "is not valid YAML"),
        (b"\x80\x02", "is not a text file in UTF-8"),
    ],
    ids=["utf-16", "jpeg", "control characters", "pickle"],
)
def test_a_file_that_is_no_text_is_one_sentence(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=expected) as caught:
        load_config(path)
    assert len(caught.value.problems) == 1


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(DATA + "sed: 1\n", encoding="utf-8-sig")
    [problem] = read_config(path).problems
    assert str(problem) == f"{path}:5: sed is not a setting. Did you mean seed?"


def test_a_missing_file_and_a_folder_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config([tmp_path / "no.yaml", tmp_path])
    assert [problem.text for problem in caught.value.problems] == [
        f"{tmp_path}/no.yaml: there is no such config file. Check the path after -c.",
        f"{tmp_path}: is a folder. Name the config file in it.",
    ]


def test_an_unreadable_file_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("trainlib.config.reading.OmegaConf.load", refuse)
    assert mistakes(tmp_path, DATA) == ["c.yaml: cannot be read as a config file (Permission denied)."]


@pytest.mark.parametrize("written", ["2e-3", "0.002", "2.0E-3", "2e-03"])
def test_a_number_is_a_number_in_files_and_overrides(tmp_path: Path, written: str) -> None:
    in_file = config_of(tmp_path, DATA + f"optimizer: {{AdamW: {{lr: {written}}}}}\n")
    overridden = config_of(tmp_path, DATA, [f"optimizer.AdamW.lr={written}"])
    assert in_file.optimizer.kwargs == overridden.optimizer.kwargs == {"lr": 0.002}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("  cache_dir: ${data.train_csv}/x", "train.csv/x"),
        ("  cache_dir: ${run.root}/x", "runs/x"),  # a default
        ("  cache_dir: ${oc.env:SOME_FOLDER}", "/some/folder"),
        (r"  cache_dir: /a\${b}", "/a${b}"),
    ],
)
def test_an_interpolation_stands_for_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, expected: str
) -> None:
    monkeypatch.setenv("SOME_FOLDER", "/some/folder")
    monkeypatch.chdir(tmp_path)
    config = config_of(tmp_path, DATA + line + "\n")
    assert config.data.cache_dir == str(tmp_path / expected)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("${data.root}", "the interpolation cannot be resolved: it refers to itself, be it through others."),
        ("${nope}", "the interpolation cannot be resolved: there is no setting nope. Name one that the config has"),
        ("${data.rot}", "cannot be resolved: there is no setting data.rot. Did you mean ${data.root}?"),
        ("${oc.env:NO_SUCH_VARIABLE}", "the environment variable NO_SUCH_VARIABLE is not set."),
        ("${nope:1}", "the interpolation cannot be resolved: nope is not known before a colon."),
        ("${data.root", "${ begins an interpolation that cannot be read. Write ${section.key}, or \\${ for the"),
        ("???", "??? stands for a value that is still to be given. Give it, as in data.root=VALUE."),
    ],
)
def test_an_interpolation_that_stands_for_nothing_names_its_key_and_line(
    tmp_path: Path, line: str, expected: str
) -> None:
    [mistake] = mistakes(tmp_path, DATA + f"  root: {line}\n")
    assert mistake.startswith("c.yaml:5: data.root: ")
    assert expected in mistake


def test_a_wrong_interpolation_in_a_list_is_located(tmp_path: Path) -> None:
    text = DATA + "transforms:\n  train:\n    - RandFlipd\n    - RandZoomd: {prob: '${nope}'}\n"
    assert mistakes(tmp_path, text)[0].startswith("c.yaml:8: transforms.train[1].RandZoomd.prob: the interpolation")


def test_a_wrong_interpolation_in_an_override_is_located(tmp_path: Path) -> None:
    [mistake] = mistakes(tmp_path, DATA, ["data.root=${nope}"])
    assert mistake.startswith("command line: data.root: the interpolation cannot be resolved")


def test_all_mistakes_are_told_at_once_each_with_its_line(tmp_path: Path) -> None:
    text = DATA + "  batch_sise: 4\nseed: -1\ntransforms:\n  train:\n    - RandFlipd\n    - 5\n"
    assert sorted(mistakes(tmp_path, text)) == [
        "c.yaml:10: transforms.train[1]: expected a name, or a name with its keywords, found 5.",
        "c.yaml:5: data.batch_sise is not a setting. Did you mean data.batch_size?",
        "c.yaml:6: seed: expected a number not below 0, found -1.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "data: null\n",
        "data: 5\n",
        "seed: 1\n",
        DATA.replace("[background, heart]", "[no, yes]"),
        DATA.replace("[background, heart]", "[x]"),
        DATA + "  label_map: {1.5: 1}\n",
        DATA + "  label_map: {true: 1}\n",
        DATA + "  image_cols: [1]\n",
        DATA + "transforms: {train: [null]}\n",
        DATA + "model: null\ntrainer: 5\nearly_stopping: 3\n",
        DATA + "nonsense: {a: {b: [1, {c: 2}]}}\n",
    ],
)
def test_what_is_right_in_a_wrong_config_is_kept_for_further_checks(tmp_path: Path, text: str) -> None:
    loaded = read(tmp_path, text)
    assert loaded.problems
    assert loaded.config is not None
    assert loaded.wrong


def test_a_wrong_key_does_not_take_its_neighbours_along(tmp_path: Path) -> None:
    loaded = read(tmp_path, DATA + "  label_map: {255: liver}\n  batch_size: 7\n")
    assert loaded.config is not None
    assert loaded.config.data.batch_size == 7
    assert loaded.config.data.label_map == {}
    assert loaded.wrong == {("data", "label_map", "255")}


def test_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = config_of(tmp_path, DATA + "  root: d\n  cache_dir: ~/c\nrun: {root: r}\npatch: {model: p/m.py}\n")
    assert config.data.root == str(tmp_path / "d")
    assert config.data.cache_dir == str(Path.home() / "c")
    assert config.run.root == str(tmp_path / "r")
    assert config.patch.model == str(tmp_path / "p" / "m.py")
    assert config.patch.loss is None
    assert config.data.train_csv == "train.csv"  # below data.root


@pytest.mark.parametrize(
    ("text", "overrides"),
    [
        ("", []),
        ("  label_map: {255: 1, -1: background, 7: heart}\n", []),
        ("  spatial_dims: 2\n", []),
        ("scheduler: null\nearly_stopping: {patience: 3}\n", []),
        ("run: {name: '1e3'}\n", []),
        ("run: {name: 'yes'}\n", []),
        ("run: {name: '2024'}\n", []),
        ("run: {name: 2024-01-01}\n", []),
        ("run: {name: Größe}\n", []),
        (r"  group_col: a\${b}c" + "\n", []),
        (r"  group_col: x\\\${b}" + "\n", []),
        ("optimizer: {AdamW: {lr: 1e-5, betas: [0.9, 0.999], weight_decay: .inf}}\n", []),
        ("model: {UNet: null}\n", []),
        ("model: {name: UNet}\n", []),
        ("model: {UNet: {norm: null}}\n", []),
        ("", ["model=SegResNet", "model={UNet: {channels: [4, 8], strides: [2]}}"]),
        ("transforms: {train: [], post: [KeepLargestConnectedComponentd], prob: 1}\n", []),
        ("trainer: {max_epochs: 3, gradient_clip_val: 0.5, devices: [0, 1], profiler: null}\n", []),
    ],
)
def test_a_dumped_config_reads_back_to_an_equal_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, overrides: list[str]
) -> None:
    config = config_of(tmp_path, DATA + text, overrides)
    (tmp_path / "dumped.yaml").write_text(dump_config(config), encoding="utf-8")
    (elsewhere := tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(elsewhere)  # absolute paths: it means the same from anywhere
    assert load_config(tmp_path / "dumped.yaml") == config


def test_a_dumped_config_keeps_the_order_of_the_sections(tmp_path: Path) -> None:
    dumped = yaml.safe_load(dump_config(config_of(tmp_path, DATA)))
    assert list(dumped)[:6] == ["run", "seed", "task", "data", "transforms", "model"]


def test_load_config_takes_one_file_or_several(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(DATA)
    (tmp_path / "b.yaml").write_text("seed: 7\n")
    assert load_config(str(tmp_path / "a.yaml")).seed == 42
    assert load_config([tmp_path / "a.yaml", tmp_path / "b.yaml"]).seed == 7


def test_a_mistake_points_into_the_file_that_wins(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(DATA + "seed: x\n")
    (tmp_path / "b.yaml").write_text("# first line\nseed: y\n")
    [problem] = read_config([tmp_path / "a.yaml", tmp_path / "b.yaml"]).problems
    assert str(problem) == f"{tmp_path}/b.yaml:2: seed: expected an integer, found 'y'."
