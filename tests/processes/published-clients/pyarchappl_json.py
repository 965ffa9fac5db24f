"""pyarchappl with JSON."""

import sys

from answer import tell
from archappl.data.client import ArchiverDataClient

host, port, start, end, *names = sys.argv[1:]
client = ArchiverDataClient(url=f"http://{host}:{port}", format="json")
found = {}
for name in names:
    frame = client.get_data(name, from_time=start, to_time=end, tz="UTC")
    times = frame.index.as_unit("ns").asi8
    found[name] = list(zip(times, frame["val"], frame["severity"], frame["status"]))
tell(found)
