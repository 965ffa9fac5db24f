"""What a client has read, as one line of JSON."""

import json
import sys


def _plain(value):
    if isinstance(value, bytes):
        return list(value)
    if isinstance(value, str):
        return value
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)) or hasattr(value, "extend"):
        return [one if isinstance(one, str) else one.decode("latin-1") if isinstance(one, bytes) else float(one) for one in value]
    return value if isinstance(value, str) else float(value)


def tell(found):
    """found: by channel, lists of time (ns), value, severity, status."""
    told = {
        name: [[int(time), _plain(value), int(severity), int(status)] for time, value, severity, status in samples]
        for name, samples in found.items()
    }
    json.dump(told, sys.stdout)
