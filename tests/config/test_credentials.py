"""The file of Pushover's credentials: what is wrong is told, what is in it never shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.config.helpers import DATA, mistakes
from trainlib.config.credentials import Credentials, read_credentials
from trainlib.errors import ConfigError

TOKEN = "azGDORePK8gMaC0QOYAMyEEuzJnyUi"
KEY = "uQiRzpo4DXghDmr9QzzfQu27cmVRsG"
BOTH = f"app_token: {TOKEN}\nuser_key: {KEY}\n"
SECRETS = (TOKEN, KEY, "s3cr3t")


def refusal(folder: Path, text: str) -> str:
    """Read a file with this text, which is refused; return why, the folder left out."""
    (folder / "pushover.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_credentials(folder / "pushover.yaml")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    message = str(caught.value)
    assert [secret for secret in SECRETS if secret in message] == []
    assert "\n" not in message
    return message.replace(f"{folder}/", "")


def test_token_key_and_proxies_are_read(tmp_path: Path) -> None:
    path = tmp_path / "pushover.yaml"
    path.write_text("\ufeff" + BOTH + "proxies: {http: 'http://a:3128', https: 'http://me:s3cr3t@[::1]:3128'}\n")
    found = read_credentials(path)
    assert (found.app_token, found.user_key) == (TOKEN, KEY)
    assert found.proxies == {"http": "http://a:3128", "https": "http://me:s3cr3t@[::1]:3128"}


@pytest.mark.parametrize("proxies", ["", "proxies:\n", "proxies: {}\n"])
def test_proxies_may_be_left_out(tmp_path: Path, proxies: str) -> None:
    path = tmp_path / "pushover.yaml"
    path.write_text(BOTH + proxies)
    assert read_credentials(str(path)) == Credentials(TOKEN, KEY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected the keys app_token and user_key, a line each"),
        (f"{TOKEN}\n{KEY}", "expected the keys app_token and user_key, a line each"),
        (f"- {TOKEN}\n", "expected the keys app_token and user_key, a line each"),
        (f"app_token: {TOKEN}\n", "user_key is missing."),
        (f"user_key: {KEY}\n", "app_token is missing."),
        (BOTH + "device: phone\n", "expected no other keys than app_token, user_key, proxies."),
        (f"s3cr3t: {TOKEN}\nuser_key: {KEY}\n", "expected no other keys than app_token, user_key, proxies."),
        (f"sesame: {TOKEN}\nuser_key: {KEY}\n", "expected no other keys than app_token, user_key, proxies."),
        (f"app_tokn: {TOKEN}\nuser_key: {KEY}\n", "app_tokn is not one of its keys. Did you mean app_token?"),
        (f"{{{TOKEN}: , {KEY}: }}", "expected no other keys than app_token, user_key, proxies."),
        (f"{{app_token:{TOKEN}, user_key:{KEY}}}", "expected no other keys than"),
        (f"app_token:\nuser_key: {KEY}\n", "app_token: expected a text, found nothing."),
        (f"app_token: ''\nuser_key: {KEY}\n", "app_token: expected a text, found nothing."),
        (f"app_token: [{TOKEN}]\nuser_key: {KEY}\n", "app_token: expected a text, found a list."),
        (f"app_token: {TOKEN}\nuser_key: {{a: {KEY}}}\n", "user_key: expected a text, found a mapping."),
        (f"app_token: 123456\nuser_key: {KEY}\n", "app_token: expected a text. Put it in quotes"),
        (f"app_token: {TOKEN}\nuser_key: 2024-01-31\n", "user_key: expected a text. Put it in quotes"),
        (f"app_token: {TOKEN}\nuser_key: '{KEY} '\n", "user_key: expected a text without spaces."),
        (f"app_token: |\n  {TOKEN}\nuser_key: {KEY}\n", "app_token: expected a text without spaces."),
        (BOTH + "proxies: http://me:s3cr3t@proxy:1\n", "proxies: expected http, https, all, each with a URL such as"),
        (BOTH + "proxies: {https: 5}\n", "proxies: expected http, https, all"),
        (BOTH + "proxies: {https: me:s3cr3t@proxy}\n", "proxies: expected http, https, all"),
        (BOTH + "proxies: {https: 'http://me:s3cr3t@proxy:x'}\n", "proxies: expected http, https, all"),
        (BOTH + "proxies: {https: 'http://me:s3cr3t@[::1'}\n", "proxies: expected http, https, all"),
        (BOTH + "proxies: {'http://me:s3cr3t@proxy:1': https}\n", "proxies: expected http, https, all"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_file_and_key(tmp_path: Path, text: str, expected: str) -> None:
    assert refusal(tmp_path, text).startswith(f"pushover.credentials: pushover.yaml: {expected}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"app_token: {TOKEN}\nuser_key: '{KEY}\n", ":3"),
        (f"app_token: {TOKEN}\nuser_key: *{KEY}\n", ":2"),
        (f"app_token: {TOKEN}\nuser_key:{KEY}\n", ":3"),
        (f"app_token: {TOKEN}\nuser_key: !{KEY} a\n", ":2"),
        (f"app_token: {TOKEN}\nuser_key: 2024-99-99\n", ""),
        (f"app_token: {TOKEN}\nuser_key: {KEY}\x07\n", ""),
        ("[" * 5000, ""),
    ],
)
def test_what_is_not_yaml_is_told_without_quoting_it(tmp_path: Path, text: str, line: str) -> None:
    expected = f"pushover.credentials: pushover.yaml{line}: is not valid YAML. Write each key as in `app_token: abc`."
    assert refusal(tmp_path, text) == expected


def test_what_is_not_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "pushover.yaml"
    path.write_bytes(TOKEN.encode() + b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"pushover.yaml: is not valid YAML") as caught:
        read_credentials(path)
    assert TOKEN not in str(caught.value)


def test_a_missing_file_is_told_with_what_it_should_hold(tmp_path: Path) -> None:
    expected = f"there is no file {tmp_path}/no.yaml. Write one with the keys app_token and user_key."
    with pytest.raises(ConfigError, match=re.escape(expected)):
        read_credentials(tmp_path / "no.yaml")


@pytest.mark.parametrize("value", [TOKEN, f"sub/{TOKEN}"])
def test_a_token_in_place_of_the_file_is_not_shown(tmp_path: Path, value: str) -> None:
    folder = (tmp_path / value).parent
    expected = f"there is no file of the given name in {folder}. Write one with the keys app_token and user_key."
    with pytest.raises(ConfigError, match=re.escape(expected)) as caught:
        read_credentials(tmp_path / value)
    assert TOKEN not in str(caught.value)


def test_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\)"):
        read_credentials(tmp_path)


def test_no_secret_shows_in_the_credentials() -> None:
    shown = repr(Credentials(TOKEN, KEY, {"https": "http://me:s3cr3t@proxy:1"}))
    assert shown == "Credentials()"


@pytest.mark.parametrize(
    ("url", "texts"),
    [
        ("http://me:s3cr3t@proxy:1", ["s3cr3t"]),
        ("http://me:s3%26cr@t%2F@proxy:1", ["s3%26cr@t%2F", "s3&cr@t/"]),
        ("http://me:sä@proxy:1", ["sä", "s%C3%A4"]),
        ("http://me:s3@[::1", ["s3"]),
        ("http://me:s3@proxy:1", ["me:s3", "s3"]),
        ("http://tok3n@proxy:1", ["tok3n"]),
        ("http://tok%2F3n:@proxy:1", ["tok%2F3n", "tok/3n"]),
    ],
)
def test_every_secret_in_a_text_is_hidden_however_it_is_written(url: str, texts: list[str]) -> None:
    credentials = Credentials(TOKEN, KEY, {"https": url})
    assert credentials.hide(f"a {TOKEN}, {KEY} and {' and '.join(texts)} b") == (
        f"a ***, *** and {' and '.join('***' for _ in texts)} b"
    )


def test_without_a_proxy_only_token_and_key_are_hidden() -> None:
    assert Credentials(TOKEN, KEY, {"http": "http://proxy:1"}).hide(f"proxy {TOKEN}") == "proxy ***"


@pytest.mark.parametrize(
    "section",
    [
        f"{{credentials: a.yaml, app_token: {TOKEN}}}",
        f"{{app_token: {TOKEN}, user_key: {KEY}}}",
        f"{{credentials: {{app_token: {TOKEN}, user_key: {KEY}}}}}",
    ],
)
def test_credentials_in_the_config_itself_are_refused_without_being_shown(tmp_path: Path, section: str) -> None:
    told = " ".join(mistakes(tmp_path, f"{DATA}pushover: {section}\n"))
    assert "pushover" in told
    assert [secret for secret in SECRETS if secret in told] == []


def test_a_token_in_the_config_is_no_setting(tmp_path: Path) -> None:
    [told] = mistakes(tmp_path, f"{DATA}pushover: {{credentials: a.yaml, app_token: {TOKEN}}}\n")
    assert told.startswith("c.yaml:5: pushover.app_token is not a setting.")
