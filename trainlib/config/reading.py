"""Read one config file, and say what is wrong with its YAML or its interpolations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import GrammarParseError, MissingMandatoryValue, OmegaConfBaseException

from trainlib.config.sources import Sources
from trainlib.errors import ConfigError, Problem


def read_file(path: Path) -> dict[str, Any]:
    """Read one YAML file into a mapping.

    Raises:
        ConfigError: It cannot be read, is not valid YAML or holds no mapping.
    """
    try:
        if path.is_dir():
            raise ConfigError(f"{path}: is a folder. Name the config file in it.")
        content = OmegaConf.load(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such config file. Check the path after -c.") from None
    except OSError as error:
        if error.strerror is None:  # OmegaConf's own, for a file that holds a number or the like
            raise ConfigError(f"{path}: expected a mapping of settings such as `data:`.") from None
        raise ConfigError(f"{path}: cannot be read as a config file ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not a text file in UTF-8. Save it as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax_error(path, error)]) from None
    except GrammarParseError as error:
        raise ConfigError([unresolved(error, Sources((path,)))]) from None
    except (yaml.YAMLError, OmegaConfBaseException, ValueError) as error:
        raise ConfigError(f"{path}: is not valid YAML: {str(error).splitlines()[0].rstrip('.')}.") from None
    if not OmegaConf.is_dict(content):
        raise ConfigError(f"{path}: expected a mapping of settings such as `data:`, found {_kind(content)}.")
    if not content:
        raise ConfigError(f"{path}: the file holds no settings. It needs at least a `data:` section.")
    plain = OmegaConf.to_container(content, resolve=False)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _syntax_error(path: Path, error: yaml.MarkedYAMLError) -> Problem:
    """Say what YAML stumbles over, where, and in what that began if this is on another line."""
    mark, begun = error.problem_mark or error.context_mark, error.context_mark
    reason = str(error.problem or error.context).rstrip(".")
    line = mark.line if mark else 0
    if error.context and error.context.startswith("expected"):
        reason = f"{error.context}, {reason}"
    elif begun and mark and begun.line != mark.line and error.context:
        reason += f" ({error.context} that begins in line {begun.line + 1})"
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    tab = line < len(lines) and "\t" in lines[line]
    hint = " Indent with spaces: YAML allows no tabs there." if tab else ""
    return Problem(f"is not valid YAML: {reason}.{hint}", f"{path}:{line + 1}")


def _kind(content: Any) -> str:
    return "a list" if OmegaConf.is_list(content) else "a single value"


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
    return Problem(f"{name}: the interpolation cannot be resolved: {reason}.", where)
