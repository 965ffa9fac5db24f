"""Secrets stay secret, also where the server repeats them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.config.store import InfluxStore
from archioc.core.errors import StoreError
from archioc.db.influx.store import InfluxDatabase
from archioc.db.influx.words import ServerWords
from tests.integration.influx_answers.line_files import Double, one_sample
from tests.integration.influx_answers.strangers import OWN, Stranger
from tests.processes.influx_double import Answer, Request

TOKEN = "s3cr3t/tok+en==&<'x>"
PASSWORD = 'pass w"ord\\%ü'


def repeated(secret: str) -> Iterator[str]:
    """Forms in which a server may repeat it."""
    yield from (secret, f"Token {secret}", f"({secret})", quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret))
    yield f"http://archioc:{quote(secret)}@influx.lab:8086/"
    for about in (secret, f"archioc:{secret}", f"a{secret}", f"ab{secret}z", f"Token {secret}"):
        yield base64.b64encode(about.encode()).decode()
        yield base64.urlsafe_b64encode(about.encode()).decode().rstrip("=")
    yield secret.encode().hex()


def settings_with(url: str, secret: str, *, token: bool) -> InfluxStore:
    given = {"token": secret} if token else {"username": "archioc", "password": secret}
    return InfluxStore.model_validate({"url": url, "bucket": "epics", "org": "lab", **given})


@pytest.mark.parametrize(("secret", "token"), [(TOKEN, True), (PASSWORD, False), ("t", True), ("t0p", False)])
def test_words_of_a_server_are_shown_without_secrets(secret: str, token: bool) -> None:
    """No form of a secret is left in the words of a server, the rest of the words is."""
    words = ServerWords(settings_with("http://h", secret, token=token))
    for form in repeated(secret) if len(secret) > 3 else (secret, f"Token {secret}", f'"{secret}"'):
        shown = words.shown(f"unauthorized: {form} is bad")
        assert secret not in shown.removeprefix("unauthorized").removesuffix("is bad").replace("Token", "")
        assert shown.startswith("unauthorized: ")
        assert shown.endswith("is bad")
        if len(secret) > 3:
            assert base64.b64encode(secret.encode()).decode()[4:-4] not in shown
            assert secret.encode().hex() not in shown


@given(st.text(min_size=8, max_size=40).filter(str.isprintable), st.text(max_size=300), st.text(max_size=300), st.integers(0, 3))
def test_any_secret_in_any_words(secret: str, before: str, behind: str, often: int) -> None:
    """Words are bounded, on one line, printable and without the secret, wherever it stands."""
    words = ServerWords(settings_with("http://h", secret, token=True))
    shown = words.shown(before + secret.join([" "] * (often + 1)) + behind)
    assert len(shown) <= 500
    assert shown.isprintable()
    assert secret not in shown


def test_long_words_end_without_half_a_secret() -> None:
    """Where long words are cut no beginning or end of a secret is left."""
    secret = "".join(f"{at:04d}" for at in range(200))
    shown = ServerWords(settings_with("http://h", secret, token=True)).shown(secret * 1000)
    assert not any(secret[at : at + 12] in shown for at in range(len(secret) - 12))


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 413, 422, 500])
@pytest.mark.parametrize("own", [True, False])
def test_a_server_that_repeats_what_it_is_sent(
    double: Double, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, status: int, own: bool
) -> None:
    """Neither errors, nor warnings, nor refusals, nor the log have the secret that a server or a proxy repeats in each answer."""
    monkeypatch.setenv("http_proxy", "http://joe:pr0xypass@127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = double("1.8.10")
    store = InfluxDatabase(settings_with(server.url, TOKEN, token=True))

    def repeat(request: Request) -> Answer:
        words = f"{request.headers['Authorization']} {base64.b64encode(TOKEN.encode()).decode()} \x1b[31m joe:pr0xypass"
        return Answer(status, json.dumps({"error": words, "results": [{"error": words}]}).encode(), OWN if own else {})

    told = []
    stranger = Stranger(server, lambda request: None if request.path == "/ping" else repeat(request))
    for _ in range(2):
        for ask in (store.prepare, lambda: list(store.samples("A", 0, 1)), lambda: store.events("A", 0, 1)):
            try:
                ask()
            except StoreError as error:
                told.append(str(error))
        try:
            outcome = store.write(one_sample())
            told += [outcome.remark, *(one.message for one in outcome.refusals), *(event.text for event in outcome.events)]
        except StoreError as error:
            told.append(str(error))
        told.append(store.warning)
        stranger.says = repeat
    store.close()
    everything = "\n".join(told) + capsys.readouterr().out
    assert "***" in everything
    for secret in (TOKEN, base64.b64encode(TOKEN.encode()).decode(), "pr0xypass", "\x1b"):
        assert secret not in everything


def test_a_token_that_no_request_can_carry(tmp_path: Path) -> None:
    """A token file that holds something else is told without its content."""
    file = tmp_path / "token"
    file.write_text("-----BEGIN KEY-----\nsecretkey\n-----END KEY-----\n")
    store = InfluxDatabase(InfluxStore.model_validate({"url": "http://127.0.0.1:1", "bucket": "epics", "token_file": str(file)}))
    with pytest.raises(StoreError, match="letters that a request cannot carry") as caught:
        store.prepare()
    assert "secretkey" not in str(caught.value)
    store.close()
