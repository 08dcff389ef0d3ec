"""The command line by the front door: exit status, one line per mistake, ready file, a clean stop."""

import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from paper_exchange.server import bind_loopback
from tests.paper_exchange.conftest import END, NOW, START, at_ms

COMMAND = [sys.executable, "-m", "paper_exchange", "serve"]


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=60, check=False)


class Served:
    """A served exchange in its own process; `url` once it accepts connections."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.ready = folder / "ready"
        command = [*COMMAND, "--port", "0", "--ready-file", str(self.ready), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        deadline = time.monotonic() + 60
        while not self.ready.exists() or not self.ready.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(self.process.communicate()[0])
            time.sleep(0.05)
        self.url = self.ready.read_text().strip()

    def stop(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal and return exit status and output."""
        self.process.send_signal(number)
        output = self.process.communicate(timeout=20)[0]
        return self.process.returncode, output


@pytest.mark.parametrize(
    ("options", "status", "line"),
    [
        (("--data", "x", "--sample"), 2, "not both"),
        (("--data", "x", "--seed", "3"), 2, "give it without --data"),
        (("--sample", "--host", "0.0.0.0"), 2, "is not the loopback"),
        (("--sample", "--host", "example.org"), 2, "is not an address"),
        (("--sample", "--at", "yesterday"), 2, "is not a time"),
        (("--sample", "--as-now"), 2, "--as-now needs --at"),
        (("--sample", "--timeframe", "7m"), 2, "is not known"),
        (("--sample", "--key-permissions", "read,margin"), 2, "--key-permissions margin is not known"),
        (("--data", "/nonexistent"), 3, "is not a folder"),
    ],
)
def test_mistakes_are_one_line_and_never_a_traceback(
    options: tuple[str, ...], status: int, line: str
) -> None:
    done = run("--port", "0", *options)
    assert done.returncode == status
    assert line in done.stderr
    assert done.stderr.startswith("paper-exchange: ")
    assert done.stderr.count("\n") == 1


def test_damaged_data_exits_with_3_and_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "BTC_USDT-1h.feather").write_bytes(b"junk")
    done = run("--port", "0", "--data", str(tmp_path))
    assert done.returncode == 3
    assert "BTC_USDT-1h.feather" in done.stderr
    assert done.stderr.count("\n") == 1


def test_port_in_use_is_one_line(sample_datadir: Path) -> None:
    with bind_loopback("127.0.0.1", 0) as taken:
        taken.listen(1)
        port = taken.getsockname()[1]
        done = run("--data", str(sample_datadir), "--port", str(port))
    assert done.returncode == 2
    assert f"127.0.0.1:{port}" in done.stderr
    assert done.stderr.count("\n") == 1


def test_time_outside_the_data_is_refused_with_the_range(sample_datadir: Path) -> None:
    done = run("--port", "0", "--data", str(sample_datadir), "--at", "1999-01-01")
    assert done.returncode == 2
    assert "2024-01-01T00:00 to 2024-02-15T00:00" in done.stderr


def test_help_shows_options_and_examples() -> None:
    done = run("--help")
    assert done.returncode == 0
    for text in (
        "--data",
        "--sample",
        "--seed",
        "--port",
        "--ready-file",
        "--faults",
        "--enforce-limits",
        "Examples:",
        "paper-exchange serve",
    ):
        assert text in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_served_clock_starts_at_the_end_of_old_data_and_the_stop_is_clean(
    sample_datadir: Path, tmp_path: Path, number: signal.Signals
) -> None:
    served = Served(tmp_path, "--data", str(sample_datadir))
    clock = httpx.get(f"{served.url}/_control/clock").json()
    status, output = served.stop(number)
    assert clock["running"] is True
    assert at_ms(END) <= clock["now_ms"] < at_ms(END) + 60_000
    assert status == 0
    assert "sample market, not real" in output
    assert "Traceback" not in output
    assert not served.ready.exists()


def test_frozen_clock_starts_where_it_is_told(sample_datadir: Path, tmp_path: Path) -> None:
    served = Served(tmp_path, "--data", str(sample_datadir), "--at", f"{NOW:%Y-%m-%dT%H:%M:%S}", "--frozen")
    clock = httpx.get(f"{served.url}/_control/clock").json()
    assert served.stop(signal.SIGTERM)[0] == 0
    assert clock == {"now_ms": at_ms(NOW), "running": False}


def test_replay_as_now_serves_old_candles_at_today_s_dates(sample_datadir: Path, tmp_path: Path) -> None:
    served = Served(
        tmp_path, "--data", str(sample_datadir), "--at", f"{START + timedelta(days=20):%Y-%m-%d}", "--as-now"
    )
    now_ms = round(datetime.now(UTC).timestamp() * 1000)
    server_ms = httpx.get(f"{served.url}/fapi/v1/time").json()["serverTime"]
    asked = {"symbol": "BTCUSDT", "interval": "1h", "limit": "2"}
    last = httpx.get(f"{served.url}/fapi/v1/klines", params=asked).json()[-1]
    served.stop(signal.SIGTERM)
    assert abs(server_ms - now_ms) < 10_000
    assert 0 <= server_ms - last[0] < 3_600_000


def test_sample_market_is_served_without_any_data(tmp_path: Path) -> None:
    served = Served(tmp_path, "--sample", "--seed", "3")
    info = httpx.get(f"{served.url}/fapi/v1/exchangeInfo").json()
    price = httpx.get(f"{served.url}/api/v3/ticker/price", params={"symbol": "ETHUSDT"}).json()["price"]
    status, output = served.stop(signal.SIGTERM)
    assert {"BTCUSDT", "ETHUSDT", "SOLUSDT"} <= {symbol["symbol"] for symbol in info["symbols"]}
    assert float(price) > 0
    assert status == 0
    assert "not real (seed 3)" in output
