"""ArchIOC: an EPICS archiver that is itself an IOC.

A program that reads the archive needs this package only: `archioc.Client` and what its methods give and raise.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archioc.client.client import Client
    from archioc.client.metadata import Metadata
    from archioc.core.dbr import Severity, Status
    from archioc.core.errors import ArchiocError, ServerUnavailable, StoreError, TimeFormatError, UnknownChannel, UsageError

__version__ = "0.1.0"
__all__ = [
    "ArchiocError",
    "Client",
    "Metadata",
    "ServerUnavailable",
    "Severity",
    "Status",
    "StoreError",
    "TimeFormatError",
    "UnknownChannel",
    "UsageError",
    "__version__",
]

_MODULES = {
    "Client": "archioc.client.client",
    "Metadata": "archioc.client.metadata",
    "Severity": "archioc.core.dbr",
    "Status": "archioc.core.dbr",
}


def __getattr__(name: str) -> object:
    """What is in `__all__`, loaded when it is first asked for: the command line needs none of it, and its help comes at once."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(_MODULES.get(name, "archioc.core.errors")), name)
    except ModuleNotFoundError as error:
        if error.name != "pandas":
            raise
        raise ImportError(f"archioc.{name} needs pandas: pip install 'archioc[frame]'", name="pandas") from error
