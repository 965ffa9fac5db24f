"""Numbers that are put to an array of characters: the codes of a text.

EPICS Base converts what is put to a DBF_CHAR array element by element, whatever numeric type it has (`dbConvert.c`, `putLongUchar` and the
like). Phoebus writes texts in this way, as an array of DBR_LONG with a UTF-16 unit in each element.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LOWEST_CODE, HIGHEST_CODE = -128, 0x10FFFF
"""Bytes of clients with signed characters begin at -128; the last character of Unicode."""


def text_of_codes(codes: npt.NDArray[np.float64]) -> str:
    """The text of these codes, up to the first 0. Raises ValueError with the rule that a code breaks.

    No code above 255: the bytes of UTF-8, or Latin-1 where they are not UTF-8. Otherwise UTF-16 units or characters.
    """
    zeros = np.flatnonzero(codes == 0)
    codes = codes[: zeros[0]] if len(zeros) else codes
    # NaN compares as false, so it is found here too.
    wrong = np.flatnonzero(~((codes >= LOWEST_CODE) & (codes <= HIGHEST_CODE) & (codes == np.floor(codes))))
    if len(wrong):
        first = int(wrong[0])
        rule = f"must be the code of a character, a whole number from {LOWEST_CODE} to {HIGHEST_CODE}"
        raise ValueError(f"element {first + 1} is {codes[first]:.15g}: {rule}")
    whole = np.where(codes < 0, codes + 256, codes).astype(np.uint32)
    if not len(whole) or whole.max() <= 0xFF:
        return _text_of_bytes(whole.astype(np.uint8).tobytes())
    return _text_of_units(whole)


def _text_of_bytes(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _text_of_units(units: npt.NDArray[np.uint32]) -> str:
    text = units.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise ValueError("a surrogate stands alone: a character beyond U+FFFF is written as one code, or as two surrogates") from None
