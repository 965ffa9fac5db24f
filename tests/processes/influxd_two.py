from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.processes.influxd import Influxd

ORG = "lab"
_TOKEN = "token-of-the-operator"


class InfluxdTwo(Influxd):
    """A real InfluxDB 2.x server with the organisation ORG, an operator's token, and buckets that are made as they are needed."""

    headers: Mapping[str, str] = {"Authorization": f"Token {_TOKEN}"}

    def __init__(self, program: Path, port: int, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.url = f"http://127.0.0.1:{port}"
        self.directory = directory
        places = ["--bolt-path", str(directory / "influxd.bolt"), "--engine-path", str(directory / "engine")]
        address = ["--http-bind-address", f"127.0.0.1:{port}"]
        self._command = [str(program), "run", *address, *places, "--reporting-disabled", "--log-level", "warn"]
        self.start()
        first = {"username": "operator", "password": "operators-password", "org": ORG, "bucket": "first", "token": _TOKEN}
        self.org_id: str = self.api("POST", "setup", first)["org"]["id"]

    def settings(self, bucket: str) -> dict[str, str]:
        """With the operator's token."""
        return super().settings(bucket) | {"org": ORG, "token": _TOKEN}

    def make_database(self, name: str) -> None:
        """A bucket that keeps samples for ever."""
        self.api("POST", "buckets", {"name": name, "orgID": self.org_id, "retentionRules": []})

    def drop_database(self, name: str) -> None:
        """Drop a bucket with all that is in it."""
        self.api("DELETE", f"buckets/{self.bucket(name)['id']}")

    def bucket(self, name: str, org: str = ORG) -> dict[str, Any]:
        """What the server tells of a bucket."""
        (found,) = self.api("GET", f"buckets?{urllib.parse.urlencode({'name': name, 'org': org})}")["buckets"]
        return dict(found)

    def make_token(self, *permissions: tuple[str, str, str | None]) -> str:
        """A token of ORG for (`read` or `write`, kind of resource, id of one, or None for all of ORG)."""
        granted = [
            {"action": action, "resource": {"type": kind, "orgID": self.org_id} | ({"id": one} if one else {})}
            for action, kind, one in permissions
        ]
        return str(self.api("POST", "authorizations", {"orgID": self.org_id, "permissions": granted})["token"])

    def api(self, method: str, path: str, body: object = None, *, under: str = "/api/v2/") -> Any:
        """A request of its API as the operator, and the answer. Raises urllib.error.HTTPError."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{under}{path}", data, self.headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            text = response.read()
        return json.loads(text) if text else None
