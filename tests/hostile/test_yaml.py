"""Configs that cannot be read: no YAML, no text, no file; and interpolations that stand for nothing."""

from __future__ import annotations

import pytest

from tests.hostile.place import CONFIG, Place, added, folder, nothing, removed, replaced, written
from tests.hostile.runner import CHECKED, FIT, Row, check, nothing_was_run
from trainlib.config.load import load_config

INVALID = "is not valid YAML:"
UNRESOLVED = "the interpolation cannot be resolved:"
RUN_CODE = "!!python/object/apply:os.system ['touch ran']"


def name_is_read(place: Place, _: str) -> None:
    assert load_config(place.config).run.name == "größe"


def config_with(old: str, new: str, encoding: str = "utf-8") -> bytes:
    return CONFIG.replace(old, new).encode(encoding)


ROWS = [
    Row("a bracket that is not closed", replaced("[background, organ]", "[background, organ"),
        (f"config.yaml:8: {INVALID} did not find expected ',' or ']' (while parsing a flow sequence that begins in "
         "line 7).",)),
    Row("a line without a colon", replaced("num_workers: 0", "num_workers 0"),
        (f"config.yaml:8: {INVALID} could not find expected ':'.",)),
    Row("a line that is indented too far", replaced("  num_workers", "   num_workers"),
        (f"config.yaml:8: {INVALID} did not find expected key (while parsing a block mapping that begins in "
         "line 3).",)),
    Row("a tab as indentation", replaced("  num_workers", "\tnum_workers"),
        (f"config.yaml:8: {INVALID} found character that cannot start any token. Indent with spaces: YAML allows no "
         "tabs there.",)),
    Row("a quote that is not closed", replaced("root: data", "root: 'data"),
        (f"config.yaml:24: {INVALID} found unexpected end of stream (while scanning a quoted scalar that begins in "
         "line 3). Close the quote.",)),
    Row("a path of Windows in double quotes", replaced("root: data", 'root: "C:\\data\\liver"'),
        (f"config.yaml:3: {INVALID} found unknown escape character. Write / or single quotes.",)),
    Row("a path of Windows that looks like a sign", replaced("root: data", 'root: "C:\\users\\liver"'),
        (f"config.yaml:3: {INVALID} did not find expected hexdecimal number. Write / or single quotes.",)),
    Row("no space after a colon", replaced("root: data", "root:data"),
        (f"config.yaml:4: {INVALID} mapping values are not allowed in this context. Write a space after the colon.",)),
    Row("no space after the last colon of a section", replaced("batch_size: 2", "batch_size:2"),
        (f"config.yaml:9: {INVALID} could not find expected ':'. Write a space after the colon.",)),
    Row("no space after a colon in braces", replaced("name: broken", "name:broken"),
        ("config.yaml:1: run.name:broken is not a setting. Write a space after the colon.",)),
    Row("one setting without a space", written("config.yaml", "seed:5\n"),
        ("config.yaml: expected a mapping of settings such as `data:`, found a single value. Write a space after the "
         "colon.",)),
    Row("interpolations within interpolations on the command line", nothing,
        ("run.name=...: the value is nested too deeply to be read.",),
        (*FIT, f"run.name={'${' * 400}a{'}' * 400}")),
    Row("a section that stands there twice", added("optimizer: SGD\n"),
        (f"config.yaml:24: {INVALID} found duplicate key optimizer (while constructing a mapping that begins in "
         "line 1). Leave one of them.",)),
    Row("a setting that stands there twice", replaced("batch_size: 2", "batch_size: 2\n  root: other"),
        (f"config.yaml:10: {INVALID} found duplicate key root (while constructing a mapping that begins in line 3). "
         "Leave one of them.",)),
    Row("a keyword that stands there twice", replaced("lr: 0.01", "lr: 0.01, lr: 0.1"),
        (f"config.yaml:18: {INVALID} found duplicate key lr. Leave one of them.",)),
    Row("a tag that would run a command", added(f"seed: {RUN_CODE}\n"),
        (f"config.yaml:24: {INVALID} the tag !!python/object/apply:os.system is refused: a config holds plain values, "
         "and nothing in it is run. Take it out.",), then=nothing_was_run),
    Row("a tag that would build an object", added("inferer: !!python/object:torch.nn.Linear {}\n"),
        (f"config.yaml:24: {INVALID} the tag !!python/object:torch.nn.Linear is refused: ... Take it out.",)),
    Row("a tag that nobody knows", added("seed: !Ref other\n"),
        (f"config.yaml:24: {INVALID} the tag !Ref is refused: ... Take it out.",)),
    Row("a tag on the command line", nothing,
        ("seed=!!python/name:os.system: the value is not valid YAML (could not determine a constructor for the tag "
         "'tag:yaml.org,2002:python/name:os.system').",), (*FIT, "seed=!!python/name:os.system")),
    Row("an alias without an anchor", added("seed: *nowhere\n"),
        (f"config.yaml:24: {INVALID} found undefined alias.",)),
    Row("aliases that multiply each other", added("".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 1}]\n"
                                                          for i in range(9))),
        (f"config.yaml:...: {INVALID} its aliases (*name) multiply to more values than a config has. Write them "
         "out.",)),
    Row("two documents in a file", added("---\nseed: 1\n"),
        (f"config.yaml:24: {INVALID} expected a single document in the stream, but found another document.",)),
    Row("a key that is nothing", added("null: 1\n"),
        ("config.yaml: a key is no name. Put a word or a number before each colon.",)),
    Row("brackets within brackets, three thousand deep", written("config.yaml", "[" * 3000),
        ("config.yaml:1: is nested more than 50 levels deep, which no setting is. Close what is left open before.",)),
    Row("sections within sections, six hundred deep",
        written("config.yaml", "".join(" " * i + "a:\n" for i in range(600))),
        ("config.yaml:51: is nested more than 50 levels deep, which no setting is. Close what is left open before.",)),
    Row("an empty file", written("config.yaml", ""),
        ("config.yaml: the file holds no settings. It needs at least a `data:` section.",)),
    Row("a file of comments", written("config.yaml", "# soon\n"),
        ("config.yaml: the file holds no settings. It needs at least a `data:` section.",)),
    Row("a list in place of settings", written("config.yaml", "- data\n"),
        ("config.yaml: expected a mapping of settings such as `data:`, found a list.",)),
    Row("a word in place of settings", written("config.yaml", "import trainlib\n"),
        ("config.yaml: expected a mapping of settings such as `data:`, found a single value.",)),
    Row("a folder", folder("config.yaml"), ("config.yaml: is a folder. Name the config file in it.",)),
    Row("no file", removed("config.yaml"),
        ("config.yaml: there is no such config file. Check the path after -c.",)),
    Row("a picture", written("config.yaml", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ("config.yaml: is not a text file in UTF-8. Save it as UTF-8.",)),
    Row("UTF-16", written("config.yaml", config_with("", "", "utf-16")),
        ("config.yaml: is not a text file in UTF-8. Save it as UTF-8.",)),
    Row("Latin-1", written("config.yaml", config_with("broken", "größe", "latin-1")),
        ("config.yaml: is not a text file in UTF-8. Save it as UTF-8.",)),
    Row("UTF-8 with a byte order mark", written("config.yaml", config_with("broken", "größe", "utf-8-sig")),
        words=CHECKED, then=name_is_read),
    Row("line ends of Windows", written("config.yaml", config_with("broken", "größe").replace(b"\n", b"\r\n")),
        words=CHECKED, then=name_is_read),
    Row("a control character", added("seed: \x01\n"),
        (f"config.yaml: {INVALID} unacceptable character #x0001: control characters are not allowed.",)),
    Row("a null character in a path", replaced("root: data", 'root: "da\\0ta"'),
        ("config.yaml:3: data.root: 'da\\x00ta' holds a null character. Take the \\0 out.",)),
    Row("an interpolation that points nowhere", replaced("train_csv: train.csv", "train_csv: ${data.trian_csv}"),
        (f"config.yaml:4: data.train_csv: {UNRESOLVED} there is no setting data.trian_csv. Did you mean "
         "${data.train_csv}?",)),
    Row("an interpolation of itself", replaced("root: data", "root: ${data.root}"),
        (f"config.yaml:3: data.root: {UNRESOLVED} it refers to itself, be it through others. Write the value out.",)),
    Row("two interpolations of each other",
        replaced("train.csv\n  valid_csv: valid.csv", "${data.valid_csv}\n  valid_csv: ${data.train_csv}"),
        (f"config.yaml:4: data.train_csv: {UNRESOLVED} it refers to itself, be it through others. Write the value "
         "out.",)),
    Row("an interpolation of its own section", replaced("root: data", "root: ${data}"),
        (f"config.yaml:3: data.root: {UNRESOLVED} it refers to the section that it stands in. Write the value out.",)),
    Row("an environment variable that is not set", replaced("root: data", "root: ${oc.env:NO_SUCH_VARIABLE}"),
        (f"config.yaml:3: data.root: {UNRESOLVED} the environment variable NO_SUCH_VARIABLE is not set. Set it, or "
         "give a default: ${oc.env:NO_SUCH_VARIABLE,VALUE}.",)),
    Row("an interpolation of no known kind", replaced("root: data", "root: ${eval:1}"),
        (f"config.yaml:3: data.root: {UNRESOLVED} eval is not known before a colon. Write ${{section.key}}, or "
         "${oc.env:NAME}.",)),
    Row("an interpolation that is not closed", replaced("root: data", "root: ${data.train_csv"),
        ("config.yaml:3: data.root: ${ begins an interpolation that cannot be read. Write ${section.key}, or \\${ for "
         "the signs.",)),
    Row("a value that is still to be given", replaced("root: data", "root: ???"),
        ("config.yaml:3: data.root: ??? stands for a value that is still to be given. Give it, as in "
         "data.root=VALUE.",)),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_config_that_cannot_be_read_is_one_sentence(row: Row, place: Place) -> None:
    check(row, place)
