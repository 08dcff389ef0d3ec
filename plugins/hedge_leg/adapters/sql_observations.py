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
        """Yield the records of a kind in [since, until] in the order they were written, batch by batch."""
        last = 0
        wanted = self._query(kind, pair, since_ms, until_ms).order_by(_TABLE.c.seq).limit(_BATCH)
        while rows := self._journal.fetch(wanted.where(_TABLE.c.seq > last), {}):
            for row in rows:
                yield _record(kind, row)
            last = rows[-1].seq

    def spans(self, kind: type, pair: str = "") -> dict[str, tuple[int, int]]:
        """Return the times of the first and the last record of a kind by pair, by the pairs' names."""
        ends = (sa.func.min(_TABLE.c.at_ms), sa.func.max(_TABLE.c.at_ms))
        query = sa.select(_TABLE.c.pair, *ends).where(_TABLE.c.kind == kind.__name__)
        if pair:
            query = query.where(_TABLE.c.pair == pair)
        rows = self._journal.fetch(query.group_by(_TABLE.c.pair), {})
        return {row[0]: (int(row[1]), int(row[2])) for row in sorted(rows, key=lambda row: str(row[0]))}

    def newest(self, kind: type[_T], pair: str, count: int = 1) -> list[_T]:
        """Return the newest records of a pair by their time, oldest first."""
        query = self._query(kind, pair, None, None).order_by(_TABLE.c.at_ms.desc(), _TABLE.c.seq.desc())
        rows = self._journal.fetch(query.limit(count), {})
        return [_record(kind, row) for row in reversed(rows)]

    def _query(self, kind: type, pair: str, since_ms: int | None, until_ms: int | None) -> Any:
        query = sa.select(_TABLE.c.seq, _TABLE.c.payload).where(_TABLE.c.kind == kind.__name__)
        if pair:
            query = query.where(_TABLE.c.pair == pair)
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
