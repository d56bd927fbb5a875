"""Read one config file, and say what is wrong with its YAML or its interpolations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import GrammarParseError, MissingMandatoryValue, OmegaConfBaseException

from trainlib.config.meant import colon_meant
from trainlib.config.nesting import DEEPEST, outline
from trainlib.config.problems import setting_paths
from trainlib.config.sources import Key, Sources, dotted
from trainlib.errors import ConfigError, Problem
from trainlib.suggest import nearest

# What helps with some of the mistakes that YAML finds.
_REMEDIES = {
    "duplicate key": " Leave one of them.",
    "unexpected end of stream": " Close the quote.",
    **dict.fromkeys(("unknown escape character", "hexdecimal number"), " Write / or single quotes."),
}
# What it says of a line after one that is no setting, for no space follows its colon.
_NO_SETTING = ("could not find expected ':'", "mapping values are not allowed")


def read_file(path: Path) -> dict[str, Any]:
    """Read one YAML file into a mapping.

    Raises:
        ConfigError: It cannot be read, is not valid YAML or holds no mapping.
    """
    try:
        if path.is_dir():
            raise ConfigError(f"{path}: is a folder. Name the config file in it.")
        _check_outline(path)
        content = OmegaConf.load(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such config file. Check the path after -c.") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read as a config file ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not a text file in UTF-8. Save it as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax_error(path, error)]) from None
    except GrammarParseError as error:
        raise ConfigError([unresolved(error, Sources((path,)))]) from None
    except RecursionError:  # interpolations within interpolations
        raise ConfigError(f"{path}: a value is nested too deeply to be read.") from None
    except (yaml.YAMLError, OmegaConfBaseException, ValueError) as error:
        if "Incompatible key type" in str(error):
            raise ConfigError(f"{path}: a key is no name. Put a word or a number before each colon.") from None
        raise ConfigError(f"{path}: is not valid YAML: {str(error).splitlines()[0].rstrip('.')}.") from None
    if not OmegaConf.is_dict(content):
        raise ConfigError(f"{path}: expected a mapping of settings such as `data:`, found a list.")
    if not content:
        raise ConfigError(f"{path}: the file holds no settings. It needs at least a `data:` section.")
    plain = OmegaConf.to_container(content, resolve=False)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _check_outline(path: Path) -> None:
    """Refuse a text whose reading would fail without a word on the reason.

    Raises:
        ConfigError: It is a single value, or nested too deeply.
    """
    plain, too_deep = outline(path.read_text(encoding="utf-8-sig"))
    if plain:
        hint = colon_meant(path.read_text(encoding="utf-8-sig"))
        raise ConfigError(f"{path}: expected a mapping of settings such as `data:`, found a single value.{hint}")
    if too_deep is not None:
        text = f"is nested more than {DEEPEST} levels deep, which no setting is. Close what is left open before."
        raise ConfigError([Problem(text, f"{path}:{too_deep}")])


def _syntax_error(path: Path, error: yaml.MarkedYAMLError) -> Problem:
    """Say what YAML stumbles over, where, and in what that began if this is on another line."""
    mark, begun = error.problem_mark or error.context_mark, error.context_mark
    if begun and "simple key" in str(error.context):  # the mistake is where the key stands, not what follows
        mark = begun
    reason = str(error.problem or error.context).rstrip(".")
    line = mark.line if mark else 0
    if match := re.search(r"constructor for the tag '(.+)'", reason):
        tag = match[1].replace("tag:yaml.org,2002:", "!!")
        reason = f"the tag {tag} is refused: a config holds plain values, and nothing in it is run. Take it out"
    elif "expansion exceeds" in reason:
        reason = "its aliases (*name) multiply to more values than a config has. Write them out"
    elif error.context and error.context.startswith("expected"):
        reason = f"{error.context}, {reason}"
    elif begun and mark and begun.line != mark.line and error.context:
        reason += f" ({error.context} that begins in line {begun.line + 1})"
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    if reason.startswith(_NO_SETTING) and colon_meant(*lines[max(line - 1, 0) : line + 1]):
        return Problem(
            f"is not valid YAML: {reason}.{colon_meant(*lines[max(line - 1, 0) : line + 1])}", f"{path}:{line + 1}"
        )
    tab = line < len(lines) and "\t" in lines[line]
    hint = next((remedy for words, remedy in _REMEDIES.items() if words in reason), "")
    hint = " Indent with spaces: YAML allows no tabs there." if tab else hint
    return Problem(f"is not valid YAML: {reason}.{hint}", f"{path}:{line + 1}")


def unresolved(error: OmegaConfBaseException, sources: Sources) -> Problem:
    """Say which key holds an interpolation that stands for nothing, or ``???`` in place of a value."""
    name = str(error.full_key or "")
    where = sources.locate(tuple(int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", name)))
    if isinstance(error, MissingMandatoryValue):
        return Problem(f"{name}: ??? stands for a value that is still to be given. Give it, as in {name}=VALUE.", where)
    if isinstance(error, GrammarParseError):
        text = (
            f"{name}: ${{ begins an interpolation that cannot be read. Write ${{section.key}}, or \\${{ for the signs."
        )
        return Problem(text, where)
    reason = str(error.msg or error).splitlines()[0].rpartition("resolving interpolation: ")[2].strip('"')
    return Problem(f"{name}: the interpolation cannot be resolved: {_in_words(reason)}", where)


def _in_words(reason: str) -> str:
    """Say what OmegaConf says of an interpolation with what it means and what helps."""
    if match := re.fullmatch(r"Interpolation key '(.*)' not found", reason):
        meant = nearest(match[1], setting_paths())
        hint = f"Did you mean ${{{meant}}}?" if meant else "Name one that the config has, as in ${run.name}."
        return f"there is no setting {match[1]}. {hint}"
    if match := re.fullmatch(r"Environment variable '(.*)' not found", reason):
        name = match[1]
        return f"the environment variable {name} is not set. Set it, or give a default: ${{oc.env:{name},VALUE}}."
    if match := re.fullmatch(r"Unsupported interpolation type (.*)", reason):
        return f"{match[1]} is not known before a colon. Write ${{section.key}}, or ${{oc.env:NAME}}."
    if reason == "Recursive interpolation detected":
        return "it refers to itself, be it through others. Write the value out."
    if reason == "Interpolation to parent node detected":
        return "it refers to the section that it stands in. Write the value out."
    return f"{reason.rstrip('.')}."


def null_signs(node: Any, sources: Sources, key: Key = ()) -> list[Problem]:
    """Find texts that hold the null character, which no name of a file or column can."""
    if isinstance(node, dict):
        return [found for name, value in node.items() for found in null_signs(value, sources, (*key, str(name)))]
    if isinstance(node, list):
        return [found for i, value in enumerate(node) for found in null_signs(value, sources, (*key, i))]
    if not isinstance(node, str) or "\0" not in node:
        return []
    return [Problem(f"{dotted(key)}: {node!r} holds a null character. Take the \\0 out.", sources.locate(key))]
