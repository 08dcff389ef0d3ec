"""Finished tasks on disk: what an interrupted run has done is not done again.

One JSON file per task, written beside and moved into place, so that a file is whole or absent. It carries a
fingerprint of everything that decides the answer; a file of another fingerprint is ignored and replaced.
Answers are always handed on as read back from their text, so a resumed run continues from the same bytes.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from carry.errors import UsageError
from carry.walkforward.folds import Record, Task


def digest_of(paths: Iterable[Path]) -> str:
    """Return a digest of the contents of files, in the order given, names included."""
    digest = hashlib.blake2b(digest_size=16)
    for path in paths:
        digest.update(path.name.encode() + b"\0")
        digest.update(path.read_bytes())
    return digest.hexdigest()


class Store:
    """The folder of a run. `origin` is a digest of market, configuration and code."""

    def __init__(self, folder: Path, origin: str) -> None:
        """Make the folder; UsageError where that is not possible."""
        self._folder = folder / "tasks"
        self._origin = origin
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{folder} cannot be made ({error.strerror}): give another folder with --out"
            ) from error

    def load(self, task: Task) -> Record | None:
        """Return the answer of a finished task, or None."""
        path = self._path(task)
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return None
        if not isinstance(content, dict) or content.get("fingerprint") != self._fingerprint(task):
            return None
        answer: Record = content["answer"]
        return answer

    def keep(self, task: Task, answer: Record) -> Record:
        """Write the answer of a task and return it as read back."""
        path = self._path(task)
        text = json.dumps({"fingerprint": self._fingerprint(task), "answer": answer}, sort_keys=True)
        beside = path.with_suffix(".tmp")
        try:
            with beside.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            raise UsageError(
                f"{path} cannot be written ({error.strerror}): give another folder with --out"
            ) from error
        back: dict[str, Any] = json.loads(text)
        return dict(back["answer"])

    def _path(self, task: Task) -> Path:
        return self._folder / f"{task.name}.json"

    def _fingerprint(self, task: Task) -> str:
        text = json.dumps([self._origin, task.described()], sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
