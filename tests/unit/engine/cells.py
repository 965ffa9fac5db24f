"""A row of the settings block, written by name."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archioc.core.table.columns import SETTINGS


def one_setting(**columns: float) -> npt.NDArray[np.void]:
    """One cell, shape (1,); columns that are not given are 0, and the IOC's clock is taken."""
    cell = np.zeros(1, SETTINGS)
    cell["by_ioc"] = 1
    for name, value in columns.items():
        cell[name] = value
    return cell
