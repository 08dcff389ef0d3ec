"""Shared fixtures: the recorded data, and a paper exchange on loopback."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.random_market import random_market, write_market

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def recorded() -> Path:
    """Return the folder of recorded markets; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("CARRY_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "binance_1h").is_dir():
        pytest.skip(f"no recorded data in {folder}: set CARRY_DATA")
    return folder


@pytest.fixture(scope="session")
def exchange_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a small random market by the real `paper-exchange` on a free port."""
    datadir = tmp_path_factory.mktemp("exchange-data")
    write_market(datadir, random_market(1))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ready = datadir / "ready"
    command = [sys.executable, "-m", "paper_exchange", "serve", "--port", str(port), "--data", str(datadir)]
    with subprocess.Popen([*command, "--ready-file", str(ready)], stdout=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 60
        while not ready.exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("paper-exchange did not start")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        server.terminate()
