from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = npt.NDArray[np.uint8]

def lines(
    time: npt.NDArray[np.int64], begin: int, values: npt.NDArray[np.generic], width: int, tag: bytes, severity: Bytes, status: Bytes, /
) -> bytes: ...
