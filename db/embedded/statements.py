"""SQL of the embedded store's queries. Of lines with the same channel and time the one inserted last counts."""

from __future__ import annotations

from archioc.db.store import CHUNK, CHUNK_BYTES

FIRST_BUCKET_NS = 60_000_000_000
"""How finely a day is looked at first to cut it into chunks."""

BUCKET_SPLIT = 60
"""Into how many parts of time a bucket is cut that alone is more than a chunk."""

_RANGE = "channel = $channel and time between $start and $end"

# What part of a chunk the lines of each bucket of time are: 1 is a full one.
_WEIGHT = f"""
select time // $bucket as bucket, count(*) / {CHUNK} + coalesce(sum({{bytes}}), 0) / {CHUNK_BYTES} as weight
from {{table}} where {_RANGE} group by bucket order by bucket
"""
WEIGHT_OF_SCALARS = _WEIGHT.format(table="sample", bytes="strlen(text)")
WEIGHT_OF_ARRAYS = _WEIGHT.format(table="array_sample", bytes="octet_length(data)")
WEIGHT_OF_ALARMS = _WEIGHT.format(table="alarm", bytes="0")

# Lines come as they were inserted (`preserve_insertion_order`), and mostly that is by time: sorting them costs DuckDB more than finding
# them. A column of texts costs as much, also where all are NULL.
_SCALARS = f"select time, value, severity, status, flags, src_time, {{text}} from sample where {_RANGE}"
NUMBERS = _SCALARS.format(text="text is not null as is_text")
SCALARS = _SCALARS.format(text="text")
ARRAYS = f"""
select time, severity, status, flags, src_time, dbr, data, n, min, max, mean, std
from array_sample where {_RANGE} order by time, rowid
"""
ALARMS = f"select time, severity, status from alarm where {_RANGE} order by time, rowid"

LAST_SAMPLE = """
select max(time) from (
    select max(time) as time from sample where channel = $channel and time <= $end
    union all select max(time) from array_sample where channel = $channel and time <= $end)
"""
LAST_ALARM = "select max(time) from alarm where channel = $channel and time <= $end"

BINS = f"""
select $origin + (time - $origin) // $width * $width as start,
    count(*) filter (number) as count, count(*) filter (not number and text is null) as non_finite,
    min(value) filter (number) as min, max(value) filter (number) as max,
    avg(value) filter (number) as mean, stddev_pop(value) filter (number) as std,
    arg_min(value, time) filter (number) as first, min(time) filter (number) as first_time,
    arg_max(value, time) filter (number) as last, max(time) filter (number) as last_time, max(severity) as severity
from (
    select time, value, severity, text, coalesce(isfinite(value), false) as number from sample where {_RANGE}
    qualify coalesce(lead(time) over (order by time, rowid) <> time, true))
group by start order by start
"""

EVENTS = """
select time, reason, max(end_ns) as end_ns, arg_max(count, rowid), arg_max(text, rowid) from event
where channel = $channel and time <= $end group by time, reason
having time >= $start or (list_contains($gaps, reason) and (max(end_ns) is null or max(end_ns) >= $start))
order by time, reason limit $most
"""
META = "select content from meta where channel = $channel and time <= $at order by time desc, rowid desc limit 1"

AUDIT = """
select time, "user", host, peer, pv, old, new, outcome from audit where time between $start and $end order by time, pv limit $most
"""
