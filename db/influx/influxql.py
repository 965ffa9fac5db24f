"""InfluxQL: names, texts and times in statements."""

from __future__ import annotations

from archioc.core.spool.encoding.escaping import old_tag_value, tag_value

MIN_TIME, MAX_TIME = -9_223_372_036_854_775_806, 9_223_372_036_854_775_806
"""Times beyond these are not InfluxDB's."""


def quote_name(name: str) -> str:
    """A name of a database, retention policy, measurement or field in InfluxQL."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def quote_text(text: str) -> str:
    """A string literal in InfluxQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def within(start_ns: int, end_ns: int) -> str:
    """The condition start <= time <= end."""
    return f"time >= {time_of(start_ns)} AND time <= {time_of(end_ns)}"


def time_of(t_ns: int) -> int:
    """A time as InfluxDB takes it."""
    return min(max(t_ns, MIN_TIME), MAX_TIME)


def of_channel(channel: str) -> str:
    """The condition that picks a channel, also where an archive of before has it under another tag."""
    stored, old = tag_value(channel), old_tag_value(channel)
    return f"pv = {quote_text(stored)}" if stored == old else f"(pv = {quote_text(stored)} OR pv = {quote_text(old)})"


def select(fields: str, measurement: str, channel: str, condition: str) -> str:
    """A query for one channel; all but the channel must be constants and numbers."""
    return f'SELECT {fields} FROM "{measurement}" WHERE {of_channel(channel)} AND {condition}'  # noqa: S608 - it is quoted
