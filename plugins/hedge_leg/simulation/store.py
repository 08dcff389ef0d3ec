"""The journal of the simulation: in memory, with the crashes and failures of a real one around it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from hedge_leg.core.events import Event
from hedge_leg.errors import JournalError, VersionConflict
from hedge_leg.ports import Recorded
from hedge_leg.simulation.choices import Choices, Options

JOURNAL_FAULTS: Options = (("disk full", 3), ("locked", 3), ("written, yet an error", 1))
_RARER = 0.1  # a journal fails that much less often than a venue


def _ignore(_carry_id: str, _after_version: int, _events: Sequence[Event]) -> None:
    """See nothing."""


@dataclass(slots=True)
class SimJournal:
    """Survives every crash. `watch` sees each batch just before it becomes durable."""

    choices: Choices
    watch: Callable[[str, int, Sequence[Event]], None] = _ignore
    rows: dict[str, list[Event]] = field(default_factory=dict)

    def append(self, carry_id: str, after_version: int, events: Sequence[Event]) -> None:
        """Make the events durable, all or none; see `ports.Journal`."""
        self.choices.crash("journal.before")
        fault = self.choices.fault("journal", JOURNAL_FAULTS, self.choices.rates.fault * _RARER)
        if fault in ("disk full", "locked"):
            raise JournalError(f"the simulated disk is {fault}")
        known = self.rows.get(carry_id, [])
        if len(known) != after_version:
            raise VersionConflict(f"carry {carry_id} is at version {len(known)}, not {after_version}")
        self.watch(carry_id, after_version, events)
        self.rows.setdefault(carry_id, []).extend(events)
        self.choices.crash("journal.after")
        if fault:
            raise JournalError("the simulated disk wrote and then failed")

    def read(self, carry_id: str) -> Sequence[Recorded]:
        """Return a carry's events by version."""
        return [Recorded(carry_id, at, one) for at, one in enumerate(self.rows.get(carry_id, []), 1)]

    def stream(self) -> Iterable[Recorded]:
        """Yield everything, carries in the order they began."""
        for carry_id in list(self.rows):
            yield from self.read(carry_id)

    def close(self) -> None:
        """Hold nothing."""
