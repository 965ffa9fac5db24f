"""Who may read the files of an archiver: its user, and where one is named, a group. Nobody else, and nobody else may write.

The directories keep others out; the umask does the same for each file in them, should a directory be opened by hand.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from archioc.core.errors import StateDirError


@dataclass(frozen=True, slots=True)
class FileAccess:
    """group: number of the group that may read, None for the user alone."""

    group: int | None = None

    @classmethod
    def of(cls, name: str | None) -> FileAccess:
        """For the setting `archiver.group`. Raises StateDirError when there is no such group."""
        if name is None:
            return cls()
        try:
            return cls(grp.getgrnam(name).gr_gid)
        except KeyError:
            raise StateDirError(f"archiver.group: there is no group {name!r} on this machine") from None

    def use(self) -> None:
        """Let what this process and its children make from now on have these rights."""
        os.umask(0o077 if self.group is None else 0o027)

    def make(self, directory: Path, *, follow: bool = False) -> None:
        """Make a directory, or see to it that one which exists is ours alone.

        follow: the path may be a link (a place that an administrator names); otherwise a link is refused.
        Raises StateDirError when it is a link, belongs to somebody else who could change it, or everybody may write to it; OSError.
        """
        with contextlib.suppress(FileExistsError):
            directory.mkdir(mode=0o700, parents=True)
        found = directory.stat() if follow else directory.lstat()
        _check(directory, found)
        if found.st_uid == os.geteuid():
            if self.group is not None and found.st_gid != self.group:
                os.chown(directory, -1, self.group)
            # the set-group-ID bit has what is made in it belong to its group
            directory.chmod(0o700 if self.group is None else 0o2750)


PRIVATE = FileAccess()


def _check(directory: Path, found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise StateDirError(f"{directory}: is a link, not a directory; remove it")
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(20, os.strerror(20), str(directory))
    ours, owner = found.st_uid == os.geteuid(), user_name(found.st_uid)
    if found.st_mode & stat.S_IWOTH and not ours:
        raise StateDirError(f"{directory}: belongs to user {owner}, and everybody may write to it; make one of your own, with mode 0700")
    if not ours and found.st_uid != 0:
        raise StateDirError(f"{directory}: belongs to user {owner}, not to {user_name(os.geteuid())}; remove it or name another one")


def user_name(number: int) -> str:
    """The name of a user, its number where it has none here."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
