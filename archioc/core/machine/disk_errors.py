"""Which errors of the system pass by themselves, or when somebody makes room: they are waited for, not died of."""

from __future__ import annotations

import errno

_PASSING = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENOMEM, errno.ENFILE, errno.EMFILE, errno.EAGAIN, errno.ESTALE}
)


def may_pass(error: BaseException | None) -> bool:
    """Whether an error, or the one that it was made from, is worth another attempt."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _PASSING:
            return True
        error = error.__cause__ or error.__context__
    return False
