"""The journal's tables, their migrations, and how the rows vouch for each other.

Rows are never changed: triggers refuse it in the database too. A row's checksum covers its content and the
checksum of the carry's row before it; `seq` counts all rows from 1 without a gap. So an edited row breaks its
carry's chain, and a removed one leaves a gap, unless it was the very last of the journal.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from hedge_leg.core.codec import decode
from hedge_leg.core.events import Announced
from hedge_leg.errors import JournalError
from hedge_leg.ports import Recorded

COLUMNS = ("seq", "carry_id", "version", "kind", "payload", "at_ms", "checksum")
EVENTS = sa.table("journal_event", *(sa.column(name) for name in COLUMNS))
_MOST_TOLD = 200  # characters of a database's own words

_EVENT_TABLE = (
    "CREATE TABLE journal_event (seq BIGINT NOT NULL UNIQUE, carry_id TEXT NOT NULL, version BIGINT "
    "NOT NULL, kind TEXT NOT NULL, payload TEXT NOT NULL, at_ms BIGINT NOT NULL, checksum TEXT NOT NULL, "
    "PRIMARY KEY (carry_id, version))"
)
_REFUSE = "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
_OBSERVATION_TABLE = (
    "CREATE TABLE observation (seq {key}, at_ms BIGINT NOT NULL, pair TEXT NOT NULL, kind TEXT NOT NULL, "
    "payload TEXT NOT NULL)"
)
_OBSERVATION_INDEXES = (
    "CREATE INDEX observation_by_time ON observation (kind, pair, at_ms)",
    # a settlement is a fact: there is one at a time
    "CREATE UNIQUE INDEX observation_settled ON observation (pair, at_ms) WHERE kind = 'Settlement'",
)

# Version 1, 2, .. in this order: dialect -> statements. What has been released is never edited.
MIGRATIONS: tuple[Mapping[str, Sequence[str]], ...] = (
    {
        "sqlite": (
            _EVENT_TABLE,
            f"CREATE TRIGGER journal_event_no_update BEFORE UPDATE ON journal_event {_REFUSE}",
            f"CREATE TRIGGER journal_event_no_delete BEFORE DELETE ON journal_event {_REFUSE}",
            # INSERT OR REPLACE removes rows without asking the trigger above
            "CREATE TRIGGER journal_event_no_replace BEFORE INSERT ON journal_event WHEN EXISTS (SELECT 1 "
            "FROM journal_event WHERE seq = NEW.seq OR (carry_id = NEW.carry_id AND version = NEW.version)) "
            f"{_REFUSE}",
        ),
        "postgresql": (
            _EVENT_TABLE,
            "CREATE FUNCTION journal_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$",
            "CREATE TRIGGER journal_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_event "
            "FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only()",
        ),
    },
    {
        "sqlite": (
            _OBSERVATION_TABLE.format(key="INTEGER PRIMARY KEY AUTOINCREMENT"),
            *_OBSERVATION_INDEXES,
            f"CREATE TRIGGER observation_no_update BEFORE UPDATE ON observation {_REFUSE}",
            f"CREATE TRIGGER observation_no_delete BEFORE DELETE ON observation {_REFUSE}",
            "CREATE TRIGGER observation_no_replace BEFORE INSERT ON observation WHEN EXISTS (SELECT 1 FROM "
            "observation WHERE seq = NEW.seq OR (kind = 'Settlement' AND NEW.kind = 'Settlement' AND "
            f"pair = NEW.pair AND at_ms = NEW.at_ms)) {_REFUSE}",
        ),
        "postgresql": (
            _OBSERVATION_TABLE.format(key="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
            *_OBSERVATION_INDEXES,
            "CREATE TRIGGER observation_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON observation "
            "FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only()",
        ),
    },
)


class Damaged(JournalError):
    """The database's content is not what was written. It is left as it is."""


@dataclass(frozen=True, slots=True)
class JournalFinding:
    """One thing that is wrong in a journal. Empty `carry_id`: with the journal as a whole."""

    carry_id: str
    version: int
    text: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"carry {self.carry_id} version {self.version}: {self.text}" if self.carry_id else self.text


def told(error: SQLAlchemyError) -> str:
    """Return the database's own words on one line, without statement and parameters."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return " ".join(str(cause).split())[:_MOST_TOLD]


def known_version() -> int:
    """Return the newest schema version that this program knows."""
    return len(MIGRATIONS)


def schema_version(connection: Connection, where: str) -> int:
    """Return the journal's schema version, 0 when there is none. JournalError for a newer one."""
    if not sa.inspect(connection).has_table("journal_schema"):
        return 0
    version = connection.exec_driver_sql("SELECT max(version) FROM journal_schema").scalar()
    if type(version) is not int or version < 1:
        raise Damaged(f"journal {where} does not tell its version: restore a backup; nothing was changed")
    if version > known_version():
        raise JournalError(
            f"journal {where} has version {version}, this hedge_leg knows {known_version()}: "
            "update hedge_leg; nothing was changed"
        )
    return version


def migrate(connection: Connection, version: int) -> None:
    """Bring the tables from `version` (0: none) to the newest, in the transaction that is open."""
    if version == 0:
        connection.exec_driver_sql(
            "CREATE TABLE journal_schema (version INTEGER NOT NULL PRIMARY KEY, "
            "applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)"
        )
    for number, statements in enumerate(MIGRATIONS[version:], version + 1):
        for statement in statements[connection.dialect.name]:
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql(f"INSERT INTO journal_schema (version) VALUES ({number})")


def checksum(before: str, row: Any) -> str:
    """Return the hex SHA-256 of a row that follows the carry's row with checksum `before` ("": none).

    None of the parts can hold a line feed: carry ids are printable, kinds are class names, JSON escapes it.
    """
    text = (
        f"{before}\n{row.seq}\n{row.carry_id}\n{row.version}\n{row.kind}\n{row.at_ms}\n{row.payload}".encode()
    )
    return hashlib.sha256(text).hexdigest()


def recorded(row: Any) -> Recorded:
    """Return the row's event; JournalError when it cannot be understood."""
    try:
        values = orjson.loads(row.payload)
    except orjson.JSONDecodeError as error:
        raise JournalError(f"{row.kind} is not JSON: {error}") from error
    return Recorded(row.carry_id, row.version, decode(row.kind, values))


def all_rows(connection: Connection, batch: int = 2_000) -> Iterator[Any]:
    """Yield every row in the order it was written, a batch in memory at a time."""
    query = sa.select(EVENTS).where(EVENTS.c.seq > sa.bindparam("after")).order_by(EVENTS.c.seq).limit(batch)
    after = -(2**63)
    while rows := connection.execute(query, {"after": after}).all():
        yield from rows
        after = rows[-1].seq


def findings(rows: Iterable[Any], *, decoding: bool = True) -> Iterator[JournalFinding]:
    """Yield what is wrong with rows given in the order of `seq`; without `decoding`: chain and gaps only."""
    heads: dict[str, tuple[int, str]] = {}
    last_seq = 0
    for row in rows:
        carry_id, version = row.carry_id, row.version
        before, head = heads.get(carry_id, (0, ""))
        if row.seq != last_seq + 1:
            text = f"rows {last_seq + 1} to {row.seq - 1} of the journal are missing"
            yield JournalFinding("", 0, text)
        if version != before + 1:
            yield JournalFinding(carry_id, version, f"follows version {before}: there is a gap")
        if row.checksum != checksum(head, row):
            yield JournalFinding(carry_id, version, "the checksum does not fit: it was changed afterwards")
        if decoding:
            yield from _content(row)
        heads[carry_id] = (version, row.checksum)
        last_seq = row.seq


def _content(row: Any) -> Iterator[JournalFinding]:
    try:
        event = recorded(row).event
    except JournalError as error:
        yield JournalFinding(row.carry_id, row.version, str(error))
        return
    if (row.version == 1) != isinstance(event, Announced):
        yield JournalFinding(
            row.carry_id, row.version, f"{row.kind} stands there: Announced is first, and once"
        )
    if event.at_ms != row.at_ms:
        yield JournalFinding(row.carry_id, row.version, f"at_ms is {row.at_ms}, its event says {event.at_ms}")
