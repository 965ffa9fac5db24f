"""Secrets of the InfluxDB store: where they come from, and that nothing prints them."""

from __future__ import annotations

import errno
import os
import traceback
from pathlib import Path

import pytest

from archioc.core.config.file import parse_config
from archioc.core.config.store import InfluxStore
from archioc.core.errors import ConfigError

SITE = Path("site.yml")
SECRET = "s3cr3t-tok3n"
BLOCK = "store:\n  influxdb:\n    url: http://localhost:8086\n    bucket: epics\n"


def influx(text: str) -> InfluxStore:
    """The block of a configuration with these keys added."""
    store = parse_config(BLOCK + text, SITE).store.influxdb
    assert store is not None
    return store


def test_secrets_in_the_file() -> None:
    """A token or a password can stand in the file."""
    assert influx(f"    token: {SECRET}").secret_token() == SECRET
    assert influx(f"    username: u\n    password: {SECRET}").secret_password() == SECRET


def test_no_secret() -> None:
    """Without keys there is no secret."""
    assert influx("").secret_token() is None
    assert influx("").secret_password() is None


def test_secret_is_the_text_that_is_written() -> None:
    """A secret that looks like a number is not changed."""
    assert influx("    token: 0123e4").secret_token() == "0123e4"


def test_secret_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`${NAME}` as the whole value is the variable; a part of a value is not replaced."""
    monkeypatch.setenv("ARCHIVE_TOKEN", SECRET)
    assert influx("    token: ${ARCHIVE_TOKEN}").secret_token() == SECRET
    assert influx("    token: x${ARCHIVE_TOKEN}").secret_token() == "x${ARCHIVE_TOKEN}"


@pytest.mark.parametrize(("value", "rule"), [(None, "the environment variable ARCHIVE_TOKEN is not set"), ("", "must not be empty")])
def test_missing_variable(value: str | None, rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is missing or empty is a fault of the line that names it."""
    monkeypatch.delenv("ARCHIVE_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("ARCHIVE_TOKEN", value)
    with pytest.raises(ConfigError) as caught:
        influx("    token: ${ARCHIVE_TOKEN}")
    assert str(caught.value) == f"site.yml:5: store.influxdb.token: {rule}"


def test_secret_file_is_read_at_use(tmp_path: Path) -> None:
    """A new content of the file holds at once, without line ends."""
    file = tmp_path / "token"
    store = influx(f"    token_file: {file}")
    file.write_text("first\n")
    assert store.secret_token() == "first"
    file.write_text("second\n")
    assert store.secret_token() == "second"


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (None, f"cannot be read: {os.strerror(errno.ENOENT)}"),
        (b" \n", "the file is empty"),
        (b"\xff\xfe", "cannot be read: is not UTF-8 text"),
    ],
)
def test_useless_secret_file(content: bytes | None, rule: str, tmp_path: Path) -> None:
    """A secret file that is missing, empty or no text is a ConfigError at use, which names file and key."""
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    store = influx(f"    username: u\n    password_file: {file}")
    with pytest.raises(ConfigError) as caught:
        store.secret_password()
    assert str(caught.value) == f"{file}: store.influxdb.password_file: {rule}"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (f"    token: {SECRET}\n    token_file: x", "token and token_file are both given; one is enough"),
        (f"    username: u\n    password: {SECRET}\n    password_file: x", "password and password_file are both given; one is enough"),
        (f"    password: {SECRET}", "username and a password (password or password_file) go together"),
        ("    username: u", "username and a password (password or password_file) go together"),
        (f"    token: t\n    username: u\n    password: {SECRET}", "a token and a username are both given; one way to log in is enough"),
    ],
)
def test_one_way_to_log_in(text: str, rule: str) -> None:
    """Keys that contradict each other are refused."""
    with pytest.raises(ConfigError) as caught:
        influx(text)
    assert str(caught.value) == f"site.yml:2: store.influxdb: {rule}"


@pytest.mark.parametrize(
    "text",
    [
        f"store: {SECRET}",
        f"store: {{influxdb: {SECRET}}}",
        f"store: {{influxdb: [{SECRET}]}}",
        BLOCK + f"    token: [{SECRET}]",
        BLOCK + f"    token: {{a: {SECRET}}}",
        BLOCK + f"    token: !secret {SECRET}",
        BLOCK + f"    token: !{SECRET} x",
        BLOCK + f"    token: *{SECRET}",
        BLOCK + f"    token: %{SECRET}",
        BLOCK + f"    token: '{SECRET}",
        BLOCK + f"    tokn: {SECRET}",
        BLOCK + f"    token: {SECRET}\n    token: {SECRET}2",
        BLOCK + f"    token: {SECRET}\n    gzip: perhaps",
        BLOCK + f"    gzip: {SECRET}",
        BLOCK + f"    retention: {SECRET}",
        BLOCK + f"    password: {SECRET}",
        BLOCK.replace("http://", f"http://user:{SECRET}@"),
        BLOCK.replace("http://", f"http://user:{SECRET}@[") + "    org: x",
    ],
)
def test_errors_do_not_hold_secrets(text: str) -> None:
    """No mistake around a secret brings it into the message or the traceback."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, SITE)
    assert SECRET not in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in repr(caught.value.__context__)


def test_objects_do_not_show_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither text nor JSON of a configuration shows a secret."""
    monkeypatch.setenv("ARCHIVE_TOKEN", SECRET)
    config = parse_config(BLOCK + "    token: ${ARCHIVE_TOKEN}", SITE)
    other = parse_config(BLOCK + f"    username: u\n    password: {SECRET}", SITE)
    for found in (config, other):
        assert SECRET not in f"{found} {found!r} {found.model_dump()} {found.model_dump_json()}"
