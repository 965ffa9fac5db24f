"""Several clients of the lists of channels."""

from __future__ import annotations

import sqlite3

import caproto as ca

from archioc.ioc.ca.limits.open_views import MAX_VIEWS_OF_CLIENT
from tests.conftest import CaClientFactory
from tests.integration.views.ring import COUNT
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess
from tests.processes.raw_ca import RawCa


def test_each_display_pages_for_itself(client: CaClient, ca_client: CaClientFactory, control: ControlProcess, prefix: str) -> None:
    """Two views have filters and pages of their own; two clients of one view share them; a client without rights may set a view."""
    other = ca_client([control.port])
    first, second = prefix + "View:DID1:", prefix + "View:DID2:"
    client.put(first + "Filter", "vac")
    other.put(second + "Page", 2)
    assert (client.get_text(second + "Filter"), client.get(first + "Page"), client.get(second + "Total")) == ("", 1, COUNT)
    assert (other.get_text(first + "Filter"), other.get(first + "Total")) == ("vac", COUNT // 2)
    with RawCa(control.port, source="127.0.0.2") as stranger:
        rights, page = stranger.open(first + "Page")
        assert rights.access_rights == ca.AccessRights.READ | ca.AccessRights.WRITE
        assert isinstance(stranger.put(page, [b"2"], ca.ChannelType.STRING), ca.WriteNotifyResponse)
        assert stranger.open(first + "Row00:Enable")[0].access_rights == ca.AccessRights.READ
    assert client.get(first + "Page") == 2
    database = sqlite3.connect(control.directories.registry)
    assert database.execute("SELECT count(*) FROM audit").fetchone() == (0,)
    database.close()
    assert client.get_text(prefix + "Result") == ""


def test_one_client_has_so_many_views_and_no_more(control: ControlProcess, prefix: str) -> None:
    """A client is refused the view after its last one, gets it when it has closed another, and others are not touched by that."""
    with RawCa(control.port) as greedy, RawCa(control.port) as other:
        channels = [greedy.open(f"{prefix}View:v{number}:Total")[1] for number in range(MAX_VIEWS_OF_CLIENT)]
        greedy.send(ca.CreateChanRequest(f"{prefix}View:more:Total", 5000, 13))
        greedy.wait_for(ca.CreateChFailResponse)
        greedy.open(f"{prefix}View:v0:Page")
        other.open(f"{prefix}View:more:Total")
        greedy.send(ca.ClearChannelRequest(channels[1].sid, channels[1].cid))
        greedy.wait_for(ca.ClearChannelResponse)
        greedy.open(f"{prefix}View:more:Total")
