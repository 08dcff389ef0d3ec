"""A journal in memory: for tests and rehearsals; it is gone when the process is."""

from collections.abc import Iterable, Sequence

from hedge_leg.core.codec import encode
from hedge_leg.core.events import Event
from hedge_leg.errors import JournalError, VersionConflict
from hedge_leg.ports import Recorded


class MemoryJournal:
    """Satisfies `ports.Journal`."""

    def __init__(self) -> None:
        """Start empty."""
        self._rows: dict[str, list[Recorded]] = {}

    def append(self, carry_id: str, after_version: int, events: Sequence[Event]) -> None:
        """Keep the events as versions after_version + 1 ..; VersionConflict changes nothing.

        JournalError for what a database could not hold either, so that tests in memory find it.
        """
        for event in events:
            encode(event)
        if not carry_id or not carry_id.isprintable():
            raise JournalError(f"{carry_id!r} is not a carry id: give printable characters")
        rows = self._rows.get(carry_id, [])
        if len(rows) != after_version:
            raise VersionConflict(f"carry {carry_id} is at version {len(rows)}, not {after_version}")
        if events:
            first = after_version + 1
            added = [Recorded(carry_id, first + at, event) for at, event in enumerate(events)]
            self._rows[carry_id] = rows + added

    def read(self, carry_id: str) -> Sequence[Recorded]:
        """Return a carry's events by version."""
        return tuple(self._rows.get(carry_id, ()))

    def stream(self) -> Iterable[Recorded]:
        """Yield everything, carries in the order they began."""
        for rows in list(self._rows.values()):
            yield from rows

    def close(self) -> None:
        """Hold nothing."""
