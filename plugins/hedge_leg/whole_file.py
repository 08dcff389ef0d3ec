"""Files that commands write for a user: whole or not at all, and never over one that is there unasked."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from hedge_leg.errors import ConfigError


def refuse_existing(option: str, path: Path | None, *, overwrite: bool) -> None:
    """Raise ConfigError where a file is in the way or its folder is missing; None: nothing is written."""
    if path is not None and path.exists() and not overwrite:
        raise ConfigError(f"{option} {path} exists: give --overwrite or a new name, nothing was overwritten")
    if path is not None and not path.parent.is_dir():
        raise ConfigError(f"{option} {path} cannot be written: there is no folder {path.parent}")


@contextmanager
def whole_file(option: str, path: Path, *, overwrite: bool) -> Iterator[TextIO]:
    """Open a text file to write; what was there stays until its successor is complete, or ConfigError."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        refuse_existing(option, path, overwrite=overwrite)  # it may have come meanwhile
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"{option} {path} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
