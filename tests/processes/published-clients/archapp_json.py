"""archapp: samples as an xarray, and a snapshot."""

import sys
from datetime import datetime

import numpy as np
from answer import tell
from archapp.data import ArchiveData

host, port, start, end, *names = sys.argv[1:]
client = ArchiveData(hostname=host, data_port=int(port))
first, last = (datetime.fromisoformat(text.replace("Z", "")) for text in (start, end))
found = {}
for name in names:
    data = client.get(name, first, last)
    times = data.coords["time"].values.astype("datetime64[ns]").astype(np.int64)
    found[name] = list(zip(times, data.sel(field="vals").values, data.sel(field="sevr").values, data.sel(field="stat").values))
snapshot = client.get_snapshot(names, last)
assert set(snapshot) == set(names), set(names) - set(snapshot)
tell(found)
