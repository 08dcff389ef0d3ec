"""A short sample market, and the exchange serving it over real HTTP from a thread."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import uvicorn

from paper_exchange.account import Account
from paper_exchange.clock import MarketClock
from paper_exchange.sample import write_sample_market
from paper_exchange.server import bind_loopback, create_app
from paper_exchange.store import CandleStore

START = datetime(2024, 1, 1, tzinfo=UTC)
END = datetime(2024, 2, 15, tzinfo=UTC)
NOW = datetime(2024, 2, 10, 12, 7, 30, tzinfo=UTC)


def at_ms(moment: datetime) -> int:
    """Return a moment in Unix milliseconds."""
    return round(moment.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class RunningExchange:
    """An exchange that listens; its clock stands still at `NOW` until a test drives it."""

    url: str
    datadir: Path
    clock: MarketClock

    def get(self, path: str, **params: object) -> httpx.Response:
        """GET a path with query parameters."""
        return httpx.get(self.url + path, params={name: str(value) for name, value in params.items()})


@pytest.fixture(scope="session")
def sample_datadir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 45 days of BTC and SOL; the files hold five days after `NOW`."""
    datadir = tmp_path_factory.mktemp("sample-45d")
    write_sample_market(datadir, start=START, end=END, coins=("BTC", "SOL"))
    return datadir


@pytest.fixture(scope="session")
def sample_store(sample_datadir: Path) -> CandleStore:
    """Load the sample market once; it is read-only."""
    return CandleStore.load(sample_datadir)


@contextmanager
def serving(
    datadir: Path, store: CandleStore, account: Account | None = None, *, enforce_limits: bool = False
) -> Iterator[RunningExchange]:
    """Serve a market on a free port, the clock standing still at `NOW`."""
    clock = MarketClock(at_ms(NOW), running=False)
    listener = bind_loopback("127.0.0.1", 0)
    app = create_app(store, clock, account, enforce_limits=enforce_limits)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        if time.monotonic() > deadline:
            raise RuntimeError("the exchange did not start")
        time.sleep(0.01)
    yield RunningExchange(f"http://127.0.0.1:{listener.getsockname()[1]}", datadir, clock)
    server.should_exit = True
    thread.join(timeout=10)
    listener.close()


@pytest.fixture(scope="session")
def served(sample_datadir: Path, sample_store: CandleStore) -> Iterator[RunningExchange]:
    """Serve the sample market on a free port."""
    with serving(sample_datadir, sample_store) as running:
        yield running


@pytest.fixture
def fresh(sample_datadir: Path, sample_store: CandleStore) -> Iterator[RunningExchange]:
    """Serve the sample market to an account of the test's own: 100,000 USDT in either wallet."""
    with serving(sample_datadir, sample_store) as running:
        yield running


@pytest.fixture
def exchange(served: RunningExchange) -> RunningExchange:
    """Return the exchange with its clock back at `NOW`."""
    served.clock.run(False)
    served.clock.set_ms(at_ms(NOW))
    return served
