"""Answers that no InfluxDB gives, put between a double and whoever asks it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st

from tests.processes.influx_double import Answer, InfluxDouble, Request

OWN = {"X-Influxdb-Version": "1.8.10"}

PAGE = b"<html><head><title>Maintenance</title></head><body>until 15:00</body></html>"


def kind_of(request: Request) -> str:
    """What a request is for: its path, and the first words of a statement."""
    statement = request.query.get("q", [""])[0]
    return " ".join([request.method, request.path, *re.findall(r'"\w+"|\b[A-Z]{2,}\b', statement)[:6]])


@dataclass
class Stranger:
    """Stands before a double and answers some kinds of request in its place. seen: all kinds there were."""

    server: InfluxDouble
    says: Callable[[Request], Answer | None] | None = None
    seen: set[str] = field(default_factory=set)
    asked: int = 0

    def __post_init__(self) -> None:
        self._answer = self.server.answer
        self.server.answer = self.answer  # type: ignore[method-assign]

    def answer(self, request: Request) -> Answer:
        self.seen.add(kind_of(request))
        self.asked += 1
        return (self.says(request) if self.says else None) or self._answer(request)


_SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8)
_TREES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.sampled_from(["error", "code", "message", "buckets", "orgs"]), inner, max_size=3)
    ),
    max_leaves=6,
)
_NAMES = st.sampled_from(["time", "name", "duration", "default", "value", "pv", "reason", "count", "database", "severity", "n"])
_SERIES = st.fixed_dictionaries(
    {},
    optional={
        "columns": st.lists(_NAMES | _SCALARS, max_size=4) | _SCALARS,
        "values": st.lists(st.lists(_SCALARS, max_size=4) | _SCALARS, max_size=3) | _SCALARS,
        "tags": st.dictionaries(st.sampled_from(["code", "archiver", "pv"]), _SCALARS, max_size=2) | _SCALARS,
    },
)
_RESULT = st.fixed_dictionaries({}, optional={"series": st.lists(_SERIES, max_size=2) | _SCALARS, "error": _SCALARS})
_RESULTS = st.fixed_dictionaries({"results": st.lists(_RESULT, max_size=2)})
_API = st.fixed_dictionaries({}, optional={name: st.lists(_TREES, max_size=2) | _TREES for name in ("buckets", "orgs", "content")})

DOCUMENTS = _TREES | _RESULTS | _API
"""What can be told in JSON, much of it nearly an answer of an InfluxDB."""

STATUSES = st.sampled_from([200, 201, 202, 204, 206, 300, 302, 304, 307, 400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 503, 599])
