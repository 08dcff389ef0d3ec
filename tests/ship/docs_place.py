"""A place to run the documentation's commands: a copy of this clone, the sample market, an exchange.

What differs from a user's: ports are free ones, the exchange that `base.json` names is the paper exchange
(dates shifted to the present), and folders of recorded data hold the sample market.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carry.findings import SAMPLE_MARKER
from hedge_leg.config import layered
from tests.ship.compose import PROGRAMS, ROOT

TRACES = shutil.ignore_patterns(
    ".venv",
    ".git",
    ".*_cache",
    "__pycache__",
    "data",
    "backtest_results",
    "logs",
    "report",
    ".run",
    "*.sqlite*",
)
BINANCE = "user_data/data/binance"  # where the pages keep recorded data
PAPER_KEYS = {
    f"FREQTRADE__{section}__{name.upper()}": f"paper-exchange-{name}"
    for section in ("EXCHANGE", "HEDGE_LEG")
    for name in ("key", "secret")
}
_LIMIT_S = 1_200
_NONE: Mapping[str, str] = {}


def free_port() -> int:
    """Return a free port of the loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class DocsPlace:
    """`folder`/clone stands for a user's clone, `folder`/shared for recorded data beside it."""

    folder: Path
    exchange_port: int  # of the exchange that runs all the time, as if it were Binance
    paper_port: int  # of `paper.json` and tools/with-paper-exchange
    api_port: int

    @property
    def clone(self) -> Path:
        """Return where the commands are run."""
        return self.folder / "clone"

    def lay_out(self) -> None:
        """Copy the clone, write the sample market, point configurations at the exchanges."""
        shutil.copytree(ROOT, self.clone, ignore=TRACES)
        for name in ("requirements.lock", "pyproject.toml"):
            os.utime(self.clone / name, (0, 0))  # older than the environment: nothing is installed
        (self.clone / ".venv").symlink_to(PROGRAMS.parent, target_is_directory=True)
        config = self.clone / "user_data" / "config"
        paper = (config / "paper.json").read_text()
        base = config / "base.json"
        real = json.loads(paper.replace("8411", str(self.exchange_port)))
        base.write_text(json.dumps(layered(json.loads(base.read_text()), real)))
        tools = self.clone / "tools"
        for path in (config / "paper.json", tools / "with-paper-exchange", tools / "demo_world.py"):
            path.write_text(path.read_text().replace("8411", str(self.paper_port)))
        self.run("carry sample-data")
        recorded = self.clone / BINANCE
        shutil.copytree(self.clone / "user_data" / "data" / "sample", recorded)
        (recorded / SAMPLE_MARKER).unlink()
        shared = self.folder / "shared" / "data"
        shared.mkdir(parents=True)
        for name in ("binance_1h", "binance_5m"):
            (shared / name).symlink_to(recorded, target_is_directory=True)

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of a command: the paper exchange's keys, and `variables`."""
        return {
            "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT / "plugins"),
            **PAPER_KEYS,
            **variables,
        }

    def run(self, command: str, variables: Mapping[str, str] = _NONE, allowed: tuple[int, ...] = (0,)) -> str:
        """Run a command to its end; AssertionError with its words for another exit status."""
        done = subprocess.run(
            ["bash", "-uo", "pipefail", "-c", command],
            cwd=self.clone,
            env=self.environment(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_S,
        )
        said = f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        assert done.returncode in allowed, said
        return done.stdout

    @contextmanager
    def serving(
        self, command: str, content: str, name: str, variables: Mapping[str, str] = _NONE
    ) -> Iterator[None]:
        """Run a command that does not end by itself: wait until its log says `content`, then interrupt it."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self.clone,
                env=self.environment(variables),
                stdout=out,
                stderr=out,
            )
        try:
            deadline = time.monotonic() + _LIMIT_S / 2
            while not re.search(content, log.read_text(errors="replace")):
                words = f"{command}\n{log.read_text(errors='replace')[-3000:]}"
                assert process.poll() is None, words
                assert time.monotonic() < deadline, words
                time.sleep(0.2)
            yield
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()

    @contextmanager
    def exchange(self) -> Iterator[None]:
        """Serve the sample market as if today were a day of it."""
        command = f"paper-exchange serve --sample --port {self.exchange_port} --at 2024-06-03T00:00 --as-now"
        ready = self.folder / "ready"
        with self.serving(f"{command} --ready-file {ready}", "", "exchange"):
            while not ready.exists():
                time.sleep(0.2)
            yield

    def api(self) -> dict[str, str]:
        """Return what a bot's REST API needs, on a free port."""
        return {
            "FREQTRADE__API_SERVER__LISTEN_PORT": str(self.api_port),
            "FREQTRADE__API_SERVER__PASSWORD": "pw-of-a-test",
            "FREQTRADE__API_SERVER__JWT_SECRET_KEY": "j" * 40,
        }

    def a_living_carry(self) -> str:
        """Open a pair by a live bot on the paper exchange, stop it, and return the carry's id.

        On 5m candles: on hourly ones nothing is opened in the hour after a settlement (ADR 4).
        """
        command = (
            "freqtrade trade -c user_data/config/base.json -c user_data/config/live.json "
            "--strategy AlwaysOnCarry --userdir user_data"
        )
        with self.serving(command, r"->ACTIVE", "living", self.api() | {"FREQTRADE__TIMEFRAME": "5m"}):
            pass
        self.run("hedge-leg status --json living.json")
        found: dict[str, list[dict[str, Any]]] = json.loads((self.clone / "living.json").read_text())
        return str(found["carries"][0]["carry"])
