"""Programs of Debian packages that some tests need: installed by the first test that asks, if possible."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

_INSTALL_SEC = 240


class Unavailable(Exception):
    """A program cannot be run here; the text is the reason."""


def run_quietly(command: list[str], seconds: float) -> None:
    """Run a command; Unavailable with its words when it fails."""
    quiet = subprocess.DEVNULL  # a pipe would be inherited by a server and never close
    with tempfile.TemporaryFile() as errors:
        try:
            status = subprocess.run(
                command, stdin=quiet, stdout=quiet, stderr=errors, timeout=seconds, check=False, cwd="/"
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"{command[-1]}: {error}") from error
        errors.seek(0)
        if status.returncode:
            raise Unavailable(f"{' '.join(command[:6])}: {errors.read().decode(errors='replace')[-300:]}")


def installed(package: str, find: Callable[[], Path | None]) -> Path:
    """Return what `find` finds, after installing the Debian package if need be; else Unavailable."""
    with (Path(tempfile.gettempdir()) / "hedged-carry-apt-get.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two workers, one installation
        if (found := find()) is not None:
            return found
        if os.geteuid() or not shutil.which("apt-get"):
            raise Unavailable(f"no {package} here, and only root can apt-get install it")
        deadline = time.monotonic() + _INSTALL_SEC
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", package]):
            run_quietly(
                ["env", "DEBIAN_FRONTEND=noninteractive", *command], max(deadline - time.monotonic(), 1)
            )
    if (found := find()) is None:
        raise Unavailable(f"apt-get install {package} brought no program")
    return found
