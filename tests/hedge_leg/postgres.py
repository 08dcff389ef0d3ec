"""A real PostgreSQL server for tests: started once per worker, by the first test that asks for it."""

import contextlib
import itertools
import os
import pwd
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.debian import Unavailable, installed, run_quietly

_START_SEC = 60
_COUNTER = itertools.count(1)


@dataclass
class PostgresServer:
    """A server on a loopback port, its data in a folder of its own."""

    folder: Path
    programs: Path
    port: int
    prefix: list[str] = field(default_factory=list)

    def url(self, schema: str = "") -> str:
        """Return the URL of a schema of the database."""
        options = f"?options=-csearch_path%3D{schema}" if schema else ""
        return f"postgresql+psycopg://journal:top-secret@127.0.0.1:{self.port}/postgres{options}"

    def fresh_url(self) -> str:
        """Return the URL of a schema that nobody has used."""
        schema = f"journal_{next(_COUNTER)}"
        self.execute(f"CREATE SCHEMA {schema}")
        return self.url(schema)

    def execute(self, statement: str, url: str = "") -> list[tuple[object, ...]]:
        """Run a statement by hand and return its rows."""
        engine = sa.create_engine(url or self.url(), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            answer = connection.exec_driver_sql(statement)
            return [tuple(row) for row in answer] if answer.returns_rows else []

    def control(self, *arguments: str) -> None:
        """Run pg_ctl on the server."""
        command = [
            *self.prefix,
            str(self.programs / "pg_ctl"),
            "-D",
            str(self.folder / "data"),
            "-w",
            *arguments,
        ]
        run_quietly(command, _START_SEC)

    def start(self, *settings: str) -> None:
        """Start the server on its port, with settings as `name=value`."""
        more = " ".join(f"-c {setting}" for setting in settings)
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} {more}"
        self.control("-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Stop the server at once, as a crash would."""
        self.control("-m", "immediate", "stop")


def _programs() -> Path | None:
    known = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda at: float(at.parts[-3]))
    if known:
        return known[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _started(folder: Path) -> PostgresServer:
    programs = installed("postgresql", _programs)
    prefix: list[str] = []
    if os.geteuid() == 0:  # initdb refuses root
        try:
            user = pwd.getpwnam("postgres")
        except KeyError:
            user = pwd.getpwnam("nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)
        prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    password = folder / "password"
    password.write_text("top-secret")
    password.chmod(0o644)
    options = [
        "-U",
        "journal",
        f"--pwfile={password}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
    ]
    run_quietly(
        [*prefix, str(programs / "initdb"), "-D", str(folder / "data"), "--no-sync", *options], _START_SEC
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = PostgresServer(folder, programs, port, prefix)
    server.start()
    return server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Start a server for this worker; skip, with the reason, where there can be none."""
    # not below pytest's own folders: those are closed to other users
    folder = Path(tempfile.mkdtemp(prefix="hedge-leg-postgres-"))
    try:
        try:
            server = _started(folder)
        except Unavailable as reason:
            pytest.skip(f"no PostgreSQL here: {reason}")
        try:
            yield server
        finally:
            with contextlib.suppress(Unavailable):
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class OnPostgres:
    """What a contract test needs to run on the server, in a schema of its own."""

    @pytest.fixture
    def url(self, request: pytest.FixtureRequest) -> str:
        self.server: PostgresServer = request.getfixturevalue("postgres")
        url: str = self.server.fresh_url()
        return url

    def by_hand(self, url: str, statements: Sequence[str]) -> None:
        for statement in statements:
            self.server.execute(statement, url)
