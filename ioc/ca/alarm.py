"""Status and severity of a PV."""

from __future__ import annotations

from archioc.core.dbr import Severity, Status

Alarm = tuple[Status, Severity]

NO_ALARM: Alarm = (Status.NO_ALARM, Severity.NO_ALARM)
TIMEOUT: Alarm = (Status.TIMEOUT, Severity.INVALID)
"""The process behind a PV does not answer."""
