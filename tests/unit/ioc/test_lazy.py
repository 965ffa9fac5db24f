from __future__ import annotations

import asyncio
import csv
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from caproto import ChannelType

from archioc.core.config.setting_precedence import DeclaredGroup
from archioc.core.dbr import Dbr
from archioc.core.table.table import ChannelTable
from archioc.ioc.ca.pv import PV, PvSpec
from archioc.ioc.commands.commands import Commands
from archioc.ioc.commands.declaring import apply_declared
from archioc.ioc.commands.put_executor import PutExecutor
from archioc.ioc.pvs import alarm_server
from archioc.ioc.pvs.channel_fields import CHANNEL_FIELDS
from archioc.ioc.pvs.channel_pvs import ChannelPvs
from archioc.ioc.pvs.command_pvs import COMMAND_SPECS
from archioc.ioc.pvs.group_fields import GROUP_FIELDS
from archioc.ioc.pvs.group_pvs import GroupPvs
from archioc.ioc.pvs.pv_names import PvDatabase
from archioc.ioc.pvs.status_fields import STATUS_FIELDS
from archioc.ioc.registry.table_rows import ChannelRows
from archioc.ioc.registry.writer import Registry
from archioc.ioc.views.fields import LIST_FIELDS, SLOT_FIELDS
from archioc.ioc.views.groups import GROUP_SLOT_FIELDS
from archioc.ioc.views.pvs import ViewPvs
from tests.archives.declarations import declaration, declare

CONTRACT = Path(__file__).parents[3] / "docs/reference/contract/pvs.csv"
NAMES = ("SR:DCCT", "SR:DCCT.HIHI", "SR:X:Rate", "SR:A-NAME-THAT-NO-STRING-OF-CHANNEL-ACCESS-HOLDS")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[PvDatabase]:
    run = tmp_path / "run"
    run.mkdir()
    table = ChannelTable(run)
    table.create(10)
    registry = Registry(tmp_path / "state.db")
    rows = ChannelRows(table, (), {}, registry.groups)
    groups = (DeclaredGroup("vacuum", condition="SR:MODE != 0"),)
    apply_declared(registry, rows, declaration(*(declare(name, rate=5.0) for name in NAMES), groups=groups), 0)
    rows.synchronise(registry.channels.values(), registry.revision)
    commands = Commands(PutExecutor(registry, rows), registry, rows, table, tmp_path / "site.yml", tmp_path / "import")
    sources = tuple(kind("P:", registry, table, commands) for kind in (ChannelPvs, GroupPvs, ViewPvs))
    yield PvDatabase([PV("P:State", STATUS_FIELDS["State"].spec)], sources)
    registry.close()
    table.close()


@pytest.mark.parametrize(
    "name",
    [
        "P:State",
        "P:State.VAL",
        "P:State.",
        "P:State.DESC",
        "P:State.DESC$",
        "P:CH:SR:DCCT:Rate",
        "P:CH:SR:DCCT:Rate.VAL",
        "P:CH:SR:DCCT.HIHI:Rate",
        "P:CH:SR:DCCT.HIHI:Rate.EGU",
        "P:CH:SR:X:Rate:Rate",
        "P:GRP:vacuum:Condition",
        "P:GRP:vacuum:Condition.DESC$",
        "P:View:a-b_3:Filter",
        "P:View:a:Row24:Value.EGU",
        "P:View:a:Selected:Name",
        "P:View:a:Group09:Condition",
        "P:View:a:GroupNext",
        "P:CH:#3-1:Rate",
    ],
)
def test_names_that_are_there(database: PvDatabase, name: str) -> None:
    """A search finds PVs, their fields, and channels whose own names hold dots or look like fields; opening gives them."""
    assert database.has(name)
    asyncio.run(database.open(name))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "P:",
        "P:Nothing",
        "P:State.NOPE",
        "P:CH:SR:DCCT",
        "P:CH:SR:DCCT:Nope",
        "P:CH:SR:NONE:Rate",
        "P:CH:SR:X:Rate",
        "P:GRP:vacuum",
        "P:GRP:other:Enable",
        "P:GRP:vacuum:Rate",
        "P:View:a",
        "P:View:a:Nope",
        "P:View::Filter",
        "P:View:a b:Filter",
        f"P:View:{'a' * 41}:Filter",
        "P:View:a:Row25:Name",
        "P:View:a:Group10:Name",
        "P:View:a:Group01:Rate",
        "P:CH:#3-2:Rate",
        "P:CH:#1-1:Rate",
        "P:CH:#999999999-1:Rate",
        "P:CH:#-1-1:Rate",
        "P:View:a:Row1:Name",
        "P:View:a:Row01:Nope",
        "P:View:a:Row01:Remove",
        "Q:State",
        "...",
    ],
)
def test_names_that_are_not_there(database: PvDatabase, name: str) -> None:
    """A search for anything else finds nothing, and opening it is a KeyError."""
    assert not database.has(name)
    with pytest.raises(KeyError):
        asyncio.run(database.open(name))


def test_pv_lives_as_long_as_somebody_holds_it(database: PvDatabase) -> None:
    """All clients share one PV of a name; when none holds it, it is gone; a removed channel's is not given out again."""

    async def look() -> None:
        first, _ = await database.open("P:CH:SR:DCCT:Rate")
        second, _ = await database.open("P:CH:SR:DCCT:Rate")
        assert first is second
        database.forget(lambda pv: pv.channel == "SR:DCCT")
        third, _ = await database.open("P:CH:SR:DCCT:Rate")
        assert third is not first

    asyncio.run(look())
    gc.collect()
    assert not database._live


def test_fields_of_a_pv(database: PvDatabase) -> None:
    """Fields tell description, unit, precision and name, and a long one comes whole as characters."""

    async def read(name: str, data_type: ChannelType) -> bytes:
        pv, long_string = await database.open(name)
        _, payload = await pv.encoded(data_type, 0, long_string=long_string)
        return payload.rstrip(b"\0")

    assert asyncio.run(read("P:CH:SR:DCCT:Rate.EGU", ChannelType.STRING)) == b"Hz"
    assert asyncio.run(read("P:CH:SR:DCCT:Rate.PREC", ChannelType.LONG)) == b"\0\0\0\3"
    assert asyncio.run(read("P:CH:SR:DCCT:Rate.NAME$", ChannelType.CHAR)) == b"P:CH:SR:DCCT:Rate"
    whole = CHANNEL_FIELDS["Pending"].spec.description.encode()
    assert asyncio.run(read("P:CH:SR:DCCT:Pending.DESC$", ChannelType.CHAR)) == whole
    assert asyncio.run(read("P:CH:SR:DCCT:Pending.DESC", ChannelType.STRING)) == whole[:39]


def test_short_value_fills_the_count_asked_for() -> None:
    """A client that asks for a fixed number of elements gets that many, the rest zero; 0 means as many as there are."""

    async def sizes() -> tuple[tuple[int, bytes], tuple[int, bytes]]:
        pv = PV("T", PvSpec(Dbr.CHAR, "text", count=100))
        await pv.show("abc")
        return await pv.encoded(ChannelType.CHAR, 0, long_string=False), await pv.encoded(ChannelType.CHAR, 16, long_string=False)

    free, fixed = asyncio.run(sizes())
    assert free == (3, b"abc".ljust(8, b"\0"))
    assert fixed == (16, b"abc".ljust(16, b"\0"))


def _contract_of(name: str, spec: PvSpec) -> dict[str, str]:
    return {
        "name": name,
        "dbr_type": spec.dbr.name,
        "count": str(spec.count),
        "enum_strings": ";".join(spec.labels),
        "unit": spec.unit,
        "precision": str(spec.precision) if spec.dbr is Dbr.DOUBLE else "",
        "access": spec.access,
        "description": spec.description,
    }


def test_pvs_are_those_of_the_contract() -> None:
    """Every PV of the contract is served as it says there, and none is served that it does not name."""
    with CONTRACT.open(newline="") as file:
        contract = {row["name"]: row for row in csv.DictReader(file)}
    served = {name: field.spec for name, field in STATUS_FIELDS.items()} | COMMAND_SPECS
    served |= {f"CH:<name>:{name}": field.spec for name, field in CHANNEL_FIELDS.items()}
    served |= {f"GRP:<group>:{name}": field.spec for name, field in GROUP_FIELDS.items()}
    served |= {f"View:<view>:{name}": listed.spec for name, listed in LIST_FIELDS.items()}
    served |= {f"View:<view>:<slot>:{name}": field.spec for name, field in SLOT_FIELDS.items()}
    served |= {f"View:<view>:<groupslot>:{name}": field.spec for name, field in GROUP_SLOT_FIELDS.items()}
    served[alarm_server.NAME] = alarm_server.SPEC
    assert {name: _contract_of(name, spec) for name, spec in served.items()} == contract


def test_enum_labels_fit_channel_access() -> None:
    """No enum has more than 16 states or a label longer than 25 characters."""
    specs = [field.spec for field in STATUS_FIELDS.values()]
    specs += [*(field.spec for field in CHANNEL_FIELDS.values()), *(field.spec for field in GROUP_FIELDS.values()), *COMMAND_SPECS.values()]
    specs += [*(listed.spec for listed in LIST_FIELDS.values()), *(field.spec for field in SLOT_FIELDS.values())]
    assert all(len(spec.labels) <= 16 and all(len(label) <= 25 for label in spec.labels) for spec in specs)
