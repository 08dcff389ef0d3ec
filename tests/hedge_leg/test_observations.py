"""The observer's table in SQLite and in PostgreSQL."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.hedge_leg.observation_contract import ObservationContract
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


class TestPostgresObservations(OnPostgres, ObservationContract):
    """In a schema of its own."""
