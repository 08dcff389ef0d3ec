"""What an observer has seen, in a table of its own beside the journal's events.

Append-only as they are, under the same lease; without checksums, as nothing is traded on it. Events, their
chain and `verify-journal` do not know this table.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, cast

import orjson
import sqlalchemy as sa

from hedge_leg.adapters.sql_journal import SqlJournal
from hedge_leg.core.codec import record_codec
from hedge_leg.core.opportunity import Opportunity, Shadow
from hedge_leg.core.shadow import Settlement
from hedge_leg.errors import JournalError
from hedge_leg.ports import EntryAsked, Observed

_T = TypeVar("_T", Opportunity, Shadow, Settlement, EntryAsked)
_TABLE = sa.table("observation", *(sa.column(name) for name in ("seq", "at_ms", "pair", "kind", "payload")))
_CODECS = {cls.__name__: record_codec(cls) for cls in (Opportunity, Shadow, Settlement, EntryAsked)}
_BATCH = 5_000


class SqlObservations:
    """Satisfies `ports.ObservationLog`, over a journal that is open."""

    def __init__(self, journal: SqlJournal) -> None:
        """Write where the journal writes; close the journal, not this."""
        self._journal = journal

    def append(self, records: Sequence[Observed]) -> None:
        """Make the records durable, all or none. JournalError otherwise."""
        rows = [
            {
                "at_ms": one.at_ms,
                "pair": one.pair,
                "kind": type(one).__name__,
                "payload": orjson.dumps(_CODECS[type(one).__name__][0](one)).decode(),
            }
            for one in records
        ]
        if rows:
            self._journal.insert(_TABLE, rows)

    def read(
        self, kind: type[_T], *, pair: str = "", since_ms: int | None = None, until_ms: int | None = None
    ) -> Iterator[_T]:
        """Yield the records of a kind in [since, until], pair by pair, ascending in time, batch by batch."""
        for name in [pair] if pair else self.pairs(kind):
            wanted = self._query(kind, name, since_ms, until_ms).order_by(_TABLE.c.at_ms, _TABLE.c.seq)
            rows = self._journal.fetch(wanted.limit(_BATCH), {})
            while rows:
                for row in rows:
                    yield _record(kind, row)
                # both conditions say the same; databases find the place in the index by the first
                rest = wanted.where(_TABLE.c.at_ms >= rows[-1].at_ms).where(
                    sa.or_(_TABLE.c.at_ms > rows[-1].at_ms, _TABLE.c.seq > rows[-1].seq)
                )
                rows = self._journal.fetch(rest.limit(_BATCH), {})

    def pairs(self, kind: type) -> list[str]:
        """Return the pairs that have records of a kind, by their names; one step in the index for each."""
        found: list[str] = []
        query = sa.select(sa.func.min(_TABLE.c.pair)).where(_TABLE.c.kind == kind.__name__)
        row = self._journal.fetch(query, {})[0]
        while row[0] is not None:
            found.append(str(row[0]))
            row = self._journal.fetch(query.where(_TABLE.c.pair > row[0]), {})[0]
        return found

    def spans(self, kind: type, pair: str = "") -> dict[str, tuple[int, int]]:
        """Return the times of the first and the last record of a kind by pair, by the pairs' names."""
        found: dict[str, tuple[int, int]] = {}
        for name in self.pairs(kind):
            if pair in ("", name):
                query = self._query(kind, name, None, None).with_only_columns(_TABLE.c.at_ms).limit(1)
                first, last = (
                    self._journal.fetch(query.order_by(place), {})[0][0]
                    for place in (_TABLE.c.at_ms, _TABLE.c.at_ms.desc())
                )
                found[name] = (int(first), int(last))
        return found

    def newest(self, kind: type[_T], pair: str, count: int = 1) -> list[_T]:
        """Return the newest records of a pair by their time, oldest first."""
        query = self._query(kind, pair, None, None).order_by(_TABLE.c.at_ms.desc(), _TABLE.c.seq.desc())
        rows = self._journal.fetch(query.limit(count), {})
        return [_record(kind, row) for row in reversed(rows)]

    def _query(self, kind: type, pair: str, since_ms: int | None, until_ms: int | None) -> sa.Select[Any]:
        query = sa.select(_TABLE.c.seq, _TABLE.c.at_ms, _TABLE.c.payload).where(
            _TABLE.c.kind == kind.__name__, _TABLE.c.pair == pair
        )
        if since_ms is not None:
            query = query.where(_TABLE.c.at_ms >= since_ms)
        if until_ms is not None:
            query = query.where(_TABLE.c.at_ms <= until_ms)
        return query


def _record(kind: type[_T], row: Any) -> _T:
    try:
        values = orjson.loads(row.payload)
    except orjson.JSONDecodeError as error:
        raise JournalError(f"observation {row.seq} is not JSON: {error}") from error
    try:
        return cast("_T", _CODECS[kind.__name__][1](values))
    except JournalError as error:
        raise JournalError(f"observation {row.seq}: {error}") from error
