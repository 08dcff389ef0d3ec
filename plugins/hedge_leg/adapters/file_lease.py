"""An exclusive lease held by the operating system: it ends with the process, however that dies."""

import os
import socket
from pathlib import Path

from hedge_leg.errors import ConfigError, LeaseHeld

try:
    import fcntl
except ImportError:  # a platform without flock
    fcntl = None  # type: ignore[assignment]

_MOST_HOLDER = 200  # characters of the lock file that are shown


class FileLease:
    """`flock` on a file beside the journal; the file's text tells who holds it, the lock itself decides.

    The file is never removed: two processes could then lock two files of the same name.
    """

    def __init__(self, journal: Path) -> None:
        """Take the lease of a journal; LeaseHeld names the holder, ConfigError if there can be none."""
        if fcntl is None:
            raise ConfigError(
                f"journal {journal}: SQLite needs flock, use a PostgreSQL hedge_leg.journal_url"
            )
        self.path = journal.with_name(journal.name + ".lock")
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise ConfigError(f"journal lock {self.path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self.held():
                raise LeaseHeld(f"journal lock {self.path} was removed while it was taken: start again")
        except BlockingIOError:
            holder = os.pread(self._file, _MOST_HOLDER, 0).decode(errors="replace").strip()
            self.release()
            who = holder or "another process"
            raise LeaseHeld(f"journal {journal} is driven by {who}: stop that one first") from None
        except OSError as error:
            self.release()
            raise ConfigError(f"journal lock {self.path} cannot be locked: {error.strerror}") from error
        except LeaseHeld:
            self.release()
            raise
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)

    def held(self) -> bool:
        """Return whether the locked file still is the one that others would lock."""
        try:
            there = self.path.stat()
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self._file))

    def release(self) -> None:
        """Give the lease back; again is harmless."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
