"""The field `TXT` on a running control process: rows of a view that read `no limit`, and puts of words."""

from __future__ import annotations

import time

from archioc.ioc.views.puts import STEADY_S
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess


def test_rate_in_words(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """A rate of 0 reads `no limit` and takes a number with its unit or the words, in a row too; an empty row reads empty."""
    rate, row = f"{prefix}CH:SR:DCCT:Rate", f"{prefix}View:a:Row00:"
    client.wait_for_value(row + "Name", "SR:DCCT")
    time.sleep(STEADY_S)
    assert client.get_text(rate + ".TXT") == client.get_text(row + "Rate.TXT") == "no limit"
    client.put(row + "Rate.TXT", "10 Hz")
    assert (client.get(rate), client.get_text(rate + ".TXT")) == (10, "10.000 Hz")
    assert f"{rate} 0.0 -> 10.0" in client.get_text(prefix + "LastChange")
    client.put(rate + ".TXT", "no limit")
    assert client.get(rate) == 0
    assert "abc" in control.refuses(rate + ".TXT", "abc")
    assert client.get_text(f"{prefix}View:a:Row24:Rate.TXT") == ""
    assert client.get(f"{prefix}View:a:Row24:Rate") == 0


def test_old_and_new_are_spelt_alike(client: CaClient, prefix: str) -> None:
    """The audit has the old and the new value of a setting in the same words, whatever the client has put."""
    for name, value, words in (
        ("Enable", 0, "1 -> 0"),
        ("Enable", "On", "0 -> 1"),
        ("Mode", 0, "monitor -> monitor"),
        ("Mask", "Value", "log -> value"),
    ):
        client.put(f"{prefix}CH:SR:DCCT:{name}", value)
        assert words in client.get_text(prefix + "LastChange"), name


def test_limit_that_hides_another(client: CaClient, prefix: str) -> None:
    """A put that makes an alarm one that can never show is carried out, and `Result` says so."""
    client.put(prefix + "DisconnectedPct.HIGH", 60)
    assert client.get_text(prefix + "Result").endswith("DisconnectedPct.HIGH=60; MINOR above 60 never shows, because MAJOR begins at 50")
    client.put(prefix + "DisconnectedPct.HIGH", 20)
    assert client.get_text(prefix + "Result").endswith("DisconnectedPct.HIGH=20")
