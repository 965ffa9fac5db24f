"""Lines of scalar numbers in the raw format: by C where it could be built, else by numpy in four times the time."""

from __future__ import annotations

try:
    from archioc.retrieval.appliance.compiled_lines import number_lines
except ImportError:  # installed where there was no C compiler
    from archioc.retrieval.appliance.numpy_lines import number_lines

__all__ = ["number_lines"]
