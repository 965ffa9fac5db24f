"""`Result` of a view: what became of the commands and puts of those who show it, and of nobody else's."""

from __future__ import annotations

import caproto as ca
import pytest

from tests.conftest import CaClientFactory
from tests.integration.views.ring import NAMES, rows_of
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess
from tests.processes.raw_ca import RawCa

VALUE = 1
"""DBE_VALUE of `caeventmask.h`."""

COMMANDS = {
    "Add": ("A:1", "added 1 channel"),
    "Set": ("A:1 rate=3", "changed 1 channel"),
    "Rename": ("A:1 A:2", "renamed 1 channel"),
    "Remove": ("A:2", "removed 1 channel"),
}


def text(client: CaClient, name: str) -> str:
    return client.get_text(name)


def test_each_view_has_the_result_of_its_own_commands(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """A command put to a view acts, is audited as the archiver's own, and shows in `Result` of this view and of all, in no other view."""
    mine, other = prefix + "View:mine:", prefix + "View:other:"
    assert text(client, other + "Result") == ""
    for name, (line, result) in COMMANDS.items():
        client.put(mine + name, line)
        assert (text(client, mine + "Result"), client.get(mine + "ResultCode")) == (result, 0)
        assert text(client, prefix + "Result") == result
        assert f"{prefix}{name}" in text(client, prefix + "LastChange")
        assert text(client, mine + name) == ""
    assert (text(client, other + "Result"), client.get(other + "ResultCode")) == ("", 0)
    assert "no such channel" in control.refuses(mine + "Remove", "NOBODY")
    assert (client.get(mine + "ResultCode"), client.get(other + "ResultCode")) == (4, 0)


def test_refusal_of_another_client_shows_on_no_screen(
    control: ControlProcess, client: CaClient, ca_client: CaClientFactory, prefix: str
) -> None:
    """A refused put outside any view shows in the views whose `Result` its client monitors, and not in those of another client."""
    other = ca_client([control.port])
    mine, theirs = prefix + "View:mine:Result", prefix + "View:theirs:Result"
    for one, name in ((client, mine), (other, theirs)):
        one.watch(name, VALUE)
        one.put(name.replace("Result", "Set"), f"{NAMES[0]} rate=2")
        one.wait_for_value(name, "changed 1 channel")
    other.put(f"{prefix}CH:{NAMES[0]}:Rate", -5.0)
    assert "must lie between" in text(other, theirs)
    assert "must lie between" in text(client, prefix + "Result")
    assert text(client, mine) == "changed 1 channel"


def test_missing_right_shows_to_the_client_itself(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """A client without rights sees its refusal in its own view; it cannot write on the display of another client."""
    view = prefix + "View:mine:"
    client.watch(view + "Result", VALUE)
    client.put(view + "Set", f"{NAMES[0]} rate=2")
    client.wait_for_value(view + "Result", "changed 1 channel")
    with RawCa(control.port, source="127.0.0.2") as stranger:
        add, own = stranger.open(view + "Add")[1], stranger.open(prefix + "View:own:Add")[1]
        for channel in (add, own):
            assert isinstance(stranger.put(channel, [b"A:1"], ca.ChannelType.STRING), ca.ErrorResponse)
        assert text(client, view + "Result") == "changed 1 channel"
        assert "may not write" in text(client, prefix + "View:own:Result")
    assert text(client, prefix + "Result") == "changed 1 channel"
    assert (client.get(prefix + "Denied"), client.get(prefix + "Refused")) == (2, 2)


@pytest.mark.parametrize("empty", ["", "  ", "\n\n"])
def test_empty_puts_do_nothing(control: ControlProcess, client: CaClient, prefix: str, empty: str) -> None:
    """An empty put to any command that takes a text completes, and changes neither a channel, nor the audit, nor a result."""
    client.put(prefix + "View:a:Set", f"{NAMES[0]} rate=2")
    before = text(client, prefix + "LastChange")
    for stem in (prefix, prefix + "View:a:"):
        for name in ("Add", "Remove", "Set", "Rename", "ImportFile"):
            client.put(stem + name, empty)
    client.put(f"{prefix}CH:{NAMES[0]}:Remove", empty)
    for name in ("AddList", "RemoveList"):
        client.put(prefix + name, [empty.strip("\n")])
    client.put(f"{prefix}View:a:Select", empty)
    assert text(client, prefix + "LastChange") == before
    assert text(client, prefix + "Result") == text(client, prefix + "View:a:Result") == "changed 1 channel"
    assert text(client, prefix + "View:a:Message") == ""
    assert client.get(prefix + "Refused") == 0
    assert control.row_of(rows_of(control)[NAMES[0]])["rate"] == 2
