"""Formats of files with channels; apart from their readers, so that the command line can name them at once."""

from __future__ import annotations

from enum import StrEnum


class ImportFormat(StrEnum):
    """Formats of lists of channels."""

    AUTO = "auto"
    YAML = "yaml"
    LIST = "list"
    CSV = "csv"
    APPLIANCE = "appliance"
    ENGINECONFIG = "engineconfig"
