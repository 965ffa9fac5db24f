"""epicsarchiver-retrieval-client: events, and a search by time."""

import sys
from datetime import datetime

from answer import tell
from epicsarchiver import ArchiverAppliance

host, port, start, end, *names = sys.argv[1:]
client = ArchiverAppliance(host, int(port))
first, last = (datetime.fromisoformat(text) for text in (start, end))
found = {}
for name in names:
    _, events = client.get_events(name, first, last)
    found[name] = [(event.timestamp_ns, event.val, event.severity, event.status) for event in events]
searched = client.search("T.*", start=first, end=last, limit=1000)
assert set(names) <= set(searched), set(names) - set(searched)
tell(found)
