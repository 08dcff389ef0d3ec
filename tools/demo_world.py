"""The processes of the demonstration: a paper exchange, a freqtrade that trades on it, and their traces."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
from freqtrade_client import FtRestClient

from hedge_leg.adapters.sql_journal import open_journal
from hedge_leg.core.carry import Carry
from hedge_leg.errors import HedgeError
from hedge_leg.statement import read_carries
from paper_exchange.signing import REHEARSAL

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
PAIR = "BTC/USDT:USDT"
_T = TypeVar("_T")


class DemoFailed(Exception):
    """Something did not happen, or a check failed; the text is the one line that is shown."""


def wait_for(what: str, look: Callable[[], _T | None], seconds: float, every: float = 0.1) -> _T:
    """Return what `look` finds, once it finds something; DemoFailed when it does not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(every)
    raise DemoFailed(f"{what} did not happen within {seconds:.0f} s")


def free_port() -> int:
    """Return a free port of the loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class PaperExchange:
    """`paper-exchange serve` in a process of its own, the clock running from `at` on."""

    folder: Path
    at: str
    url: str = ""
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Serve the sample market on a free port."""
        ready = self.folder / "ready"
        command: list[str | Path] = [
            BIN / "paper-exchange",
            "serve",
            "--sample",
            "--port",
            "0",
            "--at",
            self.at,
        ]
        traces: list[str | Path] = ["--audit", self.folder / "audit.jsonl", "--ready-file", ready]
        with (self.folder / "exchange.log").open("wb") as log:
            self._process = subprocess.Popen([*command, *traces], stdout=log, stderr=log)
        self.url = wait_for("the exchange", lambda: ready.read_text().strip() if ready.exists() else None, 60)

    def now_ms(self) -> int:
        """Return the exchange's time."""
        return int(httpx.get(f"{self.url}/_control/clock", timeout=10).json()["now_ms"])

    def set_clock(self, now_ms: int) -> None:
        """Move the exchange's time; only while no bot runs."""
        self._control("clock", {"now_ms": now_ms})

    def plan(self, *rules: dict[str, Any]) -> None:
        """Replace the fault plan."""
        self._control("faults", {"rules": list(rules), "replace": True})

    def held(self) -> bool | None:
        """Return True once the first rule of the plan has met its request."""
        rules = httpx.get(f"{self.url}/_control/faults", timeout=10).json()["rules"]
        return True if rules and rules[0]["matched"] else None

    def audit(self, event: str, venue: str = "", after_seq: int = 0) -> list[dict[str, Any]]:
        """Return what happened: events of a kind, of one venue or of both."""
        rows = httpx.get(f"{self.url}/_control/audit?after={after_seq}", timeout=10).json()["events"]
        return [row for row in rows if row["event"] == event and venue in ("", row.get("venue"))]

    def last_seq(self) -> int:
        """Return the number of the last event."""
        rows = httpx.get(f"{self.url}/_control/audit", timeout=10).json()["events"]
        return int(rows[-1]["seq"]) if rows else 0

    def stop(self) -> None:
        """End the exchange."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    def _control(self, path: str, body: dict[str, Any]) -> None:
        answer = httpx.post(f"{self.url}/_control/{path}", json=body, timeout=10)
        if answer.status_code != 200:
            raise DemoFailed(f"the exchange refused {path}: {answer.text}")


@dataclass(slots=True)
class Bot:
    """`freqtrade trade` with the shipped configuration, keys and password in its environment only."""

    exchange: PaperExchange
    folder: Path
    port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: f"pw-{secrets.token_hex(12)}")
    _process: subprocess.Popen[bytes] | None = None

    @property
    def user_data(self) -> Path:
        """Return where freqtrade keeps its files, and the spot leg its journal."""
        return self.folder / "user_data"

    @property
    def journal_url(self) -> str:
        """Return where the journal is."""
        return f"sqlite:///{self.user_data / 'hedge_leg.sqlite'}"

    @property
    def configs(self) -> list[Path]:
        """Return the layers: as shipped, with the exchange's port in the last one."""
        shipped = ROOT / "user_data" / "config"
        overlay = self.folder / "paper.json"
        text = (shipped / "paper.json").read_text().replace("http://127.0.0.1:8411", self.exchange.url)
        overlay.write_text(text)
        return [shipped / "base.json", shipped / "live.json", overlay]

    def start(self) -> None:
        """Start it on the exchange's time."""
        for name in ("strategies", "data", "logs"):
            (self.user_data / name).mkdir(parents=True, exist_ok=True)
        layers: list[str | Path] = [part for path in self.configs for part in ("-c", path)]
        own: list[str | Path] = [
            "--userdir",
            self.user_data,
            "--db-url",
            f"sqlite:///{self.folder / 'trades.sqlite'}",
        ]
        strategy: list[str | Path] = [
            "--strategy",
            "DemoCarry",
            "--strategy-path",
            ROOT / "tools" / "demo_strategy",
        ]
        launcher: list[str | Path] = [sys.executable, ROOT / "tools" / "freqtrade_at.py", self.exchange.url]
        with (self.folder / "freqtrade.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*launcher, "trade", *layers, *own, *strategy],
                stdout=log,
                stderr=log,
                env=self.environment(),
                cwd=ROOT,
            )

    def environment(self) -> dict[str, str]:
        """Return the environment: secrets, and what is different from the shipped configuration."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FREQTRADE__")}
        return kept | {
            "FREQTRADE__EXCHANGE__KEY": REHEARSAL.key,
            "FREQTRADE__EXCHANGE__SECRET": REHEARSAL.secret,
            "FREQTRADE__EXCHANGE__PAIR_WHITELIST": json.dumps([PAIR]),
            "FREQTRADE__API_SERVER__LISTEN_PORT": str(self.port),
            "FREQTRADE__API_SERVER__PASSWORD": self.password,
            "FREQTRADE__API_SERVER__JWT_SECRET_KEY": f"jwt-{secrets.token_hex(24)}",
            "FREQTRADE__INTERNALS__PROCESS_THROTTLE_SECS": "1",
            "FREQTRADE__MAX_OPEN_TRADES": "1",
            # a restart takes longer than the default 10 s; beyond them the pair is rolled back, not hedged
            "FREQTRADE__HEDGE_LEG__EXECUTION__OPEN_TIMEOUT_SEC": "60",
        }

    @property
    def rest(self) -> FtRestClient:
        """Return freqtrade's own REST client."""
        return FtRestClient(f"http://127.0.0.1:{self.port}", "operator", self.password)

    def alive(self) -> None:
        """Raise DemoFailed with the log's last error when the process has ended."""
        if self._process is not None and self._process.poll() is not None:
            lines = (self.folder / "freqtrade.log").read_text(errors="replace").splitlines()
            errors = [line for line in lines if "ERROR" in line] or lines[-1:]
            raise DemoFailed(f"freqtrade ended with {self._process.returncode}: {' '.join(errors[-1:])}")

    def carries(self) -> list[Carry]:
        """Return what the journal holds now; empty while there is none."""
        self.alive()
        try:
            journal = open_journal(self.journal_url, exclusive=False)
        except HedgeError:
            return []
        try:
            return read_carries(journal)
        except HedgeError:
            return []
        finally:
            journal.close()

    def kill(self) -> None:
        """End it without any farewell: SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as an operator does."""
        self._end(signal.SIGINT)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            try:
                self._process.wait(40)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
        self._process = None
