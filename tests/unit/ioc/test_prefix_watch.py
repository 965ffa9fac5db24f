from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.config.config import Config
from archioc.core.config.file import load_config
from archioc.ioc.ca.prefix_watch import is_own_address, search_targets, servers_in


def config(directory: Path, text: str) -> Config:
    file = directory / "config.yml"
    file.write_text(text)
    return load_config(file)


@pytest.mark.parametrize(
    ("text", "environment", "wanted"),
    [
        ("ioc: {interfaces: [127.0.0.1], port: 6000}", {}, []),
        ("ioc: {interfaces: [127.0.0.1]}\nca: {addr_list: ['127.0.0.1:7000', 10.0.0.255]}", {}, [("127.0.0.1", 7000)]),
        (
            "ioc: {port: 6000, beacon_addr_list: [10.0.0.255, '10.0.1.255:9']}\nca: {auto_addr_list: false}",
            {},
            [("10.0.0.255", 6000), ("10.0.1.255", 6000)],
        ),
        ("ca: {addr_list: [10.0.0.255], auto_addr_list: false, server_port: 7000}", {}, [("10.0.0.255", 7000)]),
        ("ioc: {port: 6000}", {}, [("255.255.255.255", 6000), ("255.255.255.255", 5064)]),
        (
            "ioc: {port: 5064}",
            {"EPICS_CA_ADDR_LIST": "10.0.0.7 10.0.0.8:1", "EPICS_CA_AUTO_ADDR_LIST": "NO"},
            [("10.0.0.7", 5064), ("10.0.0.8", 1)],
        ),
    ],
)
def test_where_it_is_searched(tmp_path: Path, text: str, environment: dict[str, str], wanted: list[tuple[str, int]]) -> None:
    """The search goes to where clients and channels are; that of an archiver on loopback does not leave the machine."""
    assert search_targets(config(tmp_path, text), environment) == wanted


def answer(port: int, server: int, search_id: int, size: int = 8) -> bytes:
    return struct.pack(">HHHHII", 6, size, port, 0, server, search_id) + bytes(size)


def test_answers_to_a_search() -> None:
    """A server is known by the sender's address, or by the one that the answer names; answers to others do not count."""
    version = struct.pack(">HHHHII", 0, 0, 0, 13, 0, 0)
    data = version + answer(5064, 0xFFFFFFFF, 1) + answer(5070, 0x0A000007, 1, 0) + answer(5071, 0xFFFFFFFF, 2)
    assert servers_in(data, "10.0.0.3") == [("10.0.0.3", 5064), ("10.0.0.7", 5070)]
    assert servers_in(data[:20], "10.0.0.3") == []


@given(st.binary(max_size=200))
def test_any_datagram_is_read(data: bytes) -> None:
    """Whatever comes is no error."""
    assert all(0 <= port < 65536 for _, port in servers_in(data, "10.0.0.3"))


def test_own_addresses() -> None:
    """An address is ours when we serve on it."""
    assert is_own_address("127.0.0.1", ["127.0.0.1"])
    assert not is_own_address("127.0.0.2", ["127.0.0.1"])
    assert is_own_address("127.0.0.1", ["0.0.0.0"])
    assert not is_own_address("192.0.2.1", ["0.0.0.0"])
