"""Credentials in a diff."""

from __future__ import annotations

import pytest

from trainlib.callbacks.masking import mask_credentials

HEAD = "diff --git a/a.yaml b/a.yaml\nindex 1..2 100644\n--- a/a.yaml\n+++ b/a.yaml\n"


@pytest.mark.parametrize("mark", ["+", "-", " "])
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["app_token: S", "user_key: S"], ["app_token: ***", "user_key: ***"]),
        (["{app_token: S, user_key: S}"], ["{app_token: ***"]),
        (["{user_key: S, proxies: {http: S}, app_token: S}"], ["{user_key: ***"]),
        (["  {'app_token' : 'S',", "   \"user_key\":\"S\"}"], ["  {'app_token' : ***", '   "user_key": ***']),
        (['"{\\"app_token\\": \\"S\\"}"'], ['"{\\"app_token\\": ***']),
        (["# app_token: S"], ["# app_token: ***"]),
        (["app_token:", "  S", "user_key: |-", "  S", "other: 1"],
         ["app_token:", "  ***", "user_key: ***", "  ***", "other: 1"]),
        (["proxies: {http: S}", "other: 1"], ["proxies: ***", "other: 1"]),
        (["a:", "  proxies:", "    http: S", "", "# note", "    all: S", "  other: 1", "    b: 2"],
         ["a:", "  proxies:", "    ***", "", "# note", "    ***", "  other: 1", "    b: 2"]),
        (["  https: http://me:S@S@proxy:1/x"], ["  https: http://***@proxy:1/x"]),
    ],
)  # fmt: skip
def test_what_stands_behind_a_key_of_the_credentials_is_masked(
    mark: str, lines: list[str], expected: list[str]
) -> None:
    diff = HEAD + "@@ -1 +1 @@\n" + "".join(f"{mark}{line}\n" for line in lines)
    masked = HEAD + "@@ -1 +1 @@\n" + "".join(f"{mark}{line}\n" for line in expected)
    assert mask_credentials(diff) == masked


def test_a_value_that_changes_below_its_key_is_masked_on_both_sides() -> None:
    diff = "@@ -1,3 +1,3 @@\n app_token:\n-  S\n\\ No newline at end of file\n+  S\n user_key: S\n"
    assert mask_credentials(diff) == (
        "@@ -1,3 +1,3 @@\n app_token:\n-  ***\n\\ No newline at end of file\n+  ***\n user_key: ***\n"
    )


def test_what_git_writes_behind_the_line_numbers_is_masked_too() -> None:
    diff = "@@ -7 +7 @@ app_token: S\n-a\n+b\n@@ -9 +9 @@ proxies:\n-  http: S\n+  http: S\n"
    assert mask_credentials(diff) == ("@@ -7 +7 @@ app_token: ***\n-a\n+b\n@@ -9 +9 @@ proxies:\n-  ***\n+  ***\n")


def test_the_next_hunk_and_the_next_file_are_not_taken_for_a_value() -> None:
    diff = f"{HEAD}@@ -1 +1 @@\n+proxies:\n@@ -9 +9 @@\n+  a: 1\n+user_key:\n{HEAD}@@ -1 +1 @@ def f():\n+    b\n"
    assert mask_credentials(diff) == diff


@pytest.mark.parametrize(
    "text",
    ["url: ssh://git@example.org/a", "see http://example.org:80/a and me@example.org", "proxy: 1", "x\r", "\u2028a: 1"],
)
def test_everything_else_stays_as_it_is(text: str) -> None:
    diff = f"{HEAD}@@ -1 +1,2 @@\n+{text}\n+  {text}\n"
    assert mask_credentials(diff) == diff
