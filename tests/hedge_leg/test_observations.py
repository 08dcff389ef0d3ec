"""The observer's table in SQLite and in PostgreSQL."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from hedge_leg.adapters import sql_observations
from hedge_leg.adapters.sql_journal import open_journal
from hedge_leg.adapters.sql_observations import SqlObservations
from hedge_leg.core.opportunity import Opportunity, blind
from tests.hedge_leg.core.observed import AT_MS
from tests.hedge_leg.fakes import PAIR
from tests.hedge_leg.observation_contract import LOOKS, OTHER, ObservationContract
from tests.hedge_leg.postgres import OnPostgres, postgres

__all__ = ["postgres"]


class TestSqliteObservations(ObservationContract):
    """In a file."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'observed.sqlite'}"

    def by_hand(self, url: str, statements: Sequence[str]) -> None:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def test_replace_is_refused_as_a_change(self, url: str) -> None:
        self.test_a_record_of_a_later_version_is_one_line(url)
        columns = "seq, at_ms, pair, kind, payload"
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            self.by_hand(url, [f"INSERT OR REPLACE INTO observation SELECT {columns} FROM observation"])

    @pytest.mark.parametrize("pair", [PAIR, ""])
    def test_a_long_table_is_read_along_its_index_without_sorting_what_is_left_for_each_batch(
        self, url: str, pair: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal = open_journal(url)
        log = SqlObservations(journal)
        log.append([*LOOKS, blind(AT_MS, OTHER, "time-out")])
        asked: list[sa.Select[tuple[object, ...]]] = []
        fetch = journal.fetch

        def listened(query: sa.Select[tuple[object, ...]], values: dict[str, object]) -> Sequence[object]:
            asked.append(query)
            return fetch(query, values)

        monkeypatch.setattr(journal, "fetch", listened)
        monkeypatch.setattr(sql_observations, "_BATCH", 7)
        found = list(log.read(Opportunity, pair=pair, since_ms=AT_MS, until_ms=LOOKS[-1].at_ms))
        assert [one for one in found if one.pair == PAIR] == LOOKS
        assert len(found) == len(LOOKS) + (not pair)
        journal.close()
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            for query in asked:
                text = query.compile(engine, compile_kwargs={"literal_binds": True})
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all()
                assert "TEMP B-TREE" not in str(plan)
                assert "observation_by_time (kind=?" in str(plan)


class TestPostgresObservations(OnPostgres, ObservationContract):
    """In a schema of its own."""
