"""The real FreqtradeBot, live or dry, against the real paper exchange over HTTP, on a clock that tests drive.

The exchange runs in its own process with a frozen clock; `time-machine` holds this process's time, and
`Rig.advance` moves both. freqtrade's loop is called directly: no test ever waits.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import time_machine
from freqtrade.enums import CandleType, MarginMode, RunMode, State, TradingMode
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.persistence.usedb_context import enable_database_use

from hedge_leg.core.carry import Carry
from hedge_leg.engine import Engine
from hedge_leg.live import LiveLeg
from paper_exchange.signing import REHEARSAL
from tests.paper_exchange.clients import ccxt_config

STRATEGIES = Path(__file__).parent / "strategies"
SHIPPED = Path(__file__).parents[2] / "user_data" / "strategies"
PAIR = "BTC/USDT:USDT"


@dataclass(slots=True)
class Exchange:
    """A served paper exchange."""

    url: str
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Post to a control endpoint, which must accept it."""
        answer = self.client.post(f"{self.url}/_control/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def plan(self, *rules: dict[str, Any]) -> None:
        """Replace the fault plan."""
        self.post("faults", {"rules": list(rules), "replace": True})

    def audit(self, *events: str) -> list[dict[str, Any]]:
        """Return the audit log, of some kinds of events or of all."""
        rows = self.client.get(f"{self.url}/_control/audit").json()["events"]
        return [row for row in rows if not events or row["event"] in events]


@dataclass(slots=True)
class DrivenClock:
    """The engine's clock: the process's time; sleeping moves the world."""

    rig: "Rig"

    def now_ms(self) -> int:
        """Return the time-machine's time."""
        return time.time_ns() // 1_000_000

    def sleep(self, seconds: float) -> None:
        """Move the world on."""
        self.rig.advance(seconds)


@dataclass(slots=True)
class Rig:
    """An exchange, a folder for the bot's databases, and the time of both."""

    exchange: Exchange
    folder: Path
    traveller: Any
    config: dict[str, Any]
    bot: FreqtradeBot | None = None
    messages: list[str] = field(default_factory=list)
    apart: Exchange | None = None  # where the spot leg trades, when not on `exchange`

    @property
    def spot_exchange(self) -> Exchange:
        """Return the exchange of the spot leg."""
        return self.apart or self.exchange

    def advance(self, seconds: float) -> None:
        """Move the exchanges' clocks and this process's time."""
        if self.apart is not None:
            self.apart.post("clock", {"advance_ms": round(seconds * 1000)})
        state = self.exchange.post("clock", {"advance_ms": round(seconds * 1000)})
        self.traveller.move_to(state["now_ms"] / 1000, tick=False)

    def start(self) -> FreqtradeBot:
        """Start the bot as the worker does; what its predecessor left is on disk."""
        enable_database_use()  # a backtest in this process may have switched it off
        self.bot = FreqtradeBot(deepcopy(self.config))
        self.leg.engine.clock = DrivenClock(self)
        notify = self.leg.engine.notify

        def listen(text: str) -> None:
            self.messages.append(text)
            notify(text)

        self.leg.engine.notify = listen
        self.bot.state = State.RUNNING
        self.bot.startup()
        return self.bot

    def kill(self) -> None:
        """Let the bot go without any farewell, as SIGKILL does; its files stay."""
        if self.bot is not None:
            self.leg.close()
            Trade.session.remove()
            self.bot.exchange.close()
            self.bot = None

    def loop(self, times: int = 1, seconds: float = 5.0) -> None:
        """Run freqtrade's loop, the clock moving between loops."""
        assert self.bot is not None
        for _ in range(times):
            self.bot.process()
            self.advance(seconds)

    @property
    def leg(self) -> LiveLeg:
        """Return the spot leg."""
        assert self.bot is not None
        leg = self.bot.strategy.leg
        assert isinstance(leg, LiveLeg)
        return leg

    @property
    def engine(self) -> Engine:
        """Return the engine."""
        return self.leg.engine

    def carry(self) -> Carry:
        """Return the newest carry."""
        return list(self.engine.carries.values())[-1]

    def trade(self) -> Trade:
        """Return freqtrade's newest trade."""
        return max(Trade.get_trades([]).unique().all(), key=lambda trade: trade.id)

    def spot(self, asset: str) -> Decimal:
        """Return the exchange's truth of a spot balance."""
        return self.engine.spot.balances().get(asset, (Decimal(0), Decimal(0)))[1]


def live_config(url: str, folder: Path, *, dry: bool = False, **changes: Any) -> dict[str, Any]:
    """Return a complete configuration of a trading bot; `changes` replace top-level keys."""
    keys = {} if dry else {"key": REHEARSAL.key, "secret": REHEARSAL.secret}
    pricing = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
    config: dict[str, Any] = {
        "runmode": RunMode.DRY_RUN if dry else RunMode.LIVE,
        "trading_mode": TradingMode.FUTURES,
        "margin_mode": MarginMode.ISOLATED,
        "candle_type_def": CandleType.FUTURES,
        "stake_currency": "USDT",
        "stake_amount": "unlimited",
        "max_open_trades": 1,
        "tradable_balance_ratio": 0.99,
        "amend_last_stake_amount": False,
        "last_stake_amount_min_ratio": 0.5,
        "dry_run": dry,
        "dry_run_wallet": 100_000,
        "timeframe": "1h",
        "dataformat_ohlcv": "feather",
        "dataformat_trades": "feather",
        "entry_pricing": dict(pricing),
        "exit_pricing": dict(pricing),
        "unfilledtimeout": {"entry": 10, "exit": 10, "exit_timeout_count": 0, "unit": "minutes"},
        "pairlists": [{"method": "StaticPairList"}],
        "exchange": {
            "name": "binance",
            "pair_whitelist": [PAIR],
            "pair_blacklist": [],
            "ccxt_config": ccxt_config(url) | {"enableRateLimit": False},
            **keys,
        },
        "bot_name": "rehearsal",
        "db_url": f"sqlite:///{folder / 'trades.sqlite'}",
        "datadir": folder,
        "user_data_dir": folder,
        "strategy": "AlwaysOnCarry",
        "strategy_path": str(SHIPPED),
        "original_config": {},
        "internals": {},
        "cancel_open_orders_on_exit": False,
        "hedge_leg": {"execution": {"cool_down_sec": 600}} | ({} if dry else keys),
    }
    return config | changes


@contextmanager
def served(datadir: Path, at: str, *options: str) -> Iterator[Exchange]:
    """Serve a data folder from a time on, the clock frozen."""
    ready = datadir.parent / f"ready-{time.monotonic_ns()}"
    command = [sys.executable, "-m", "paper_exchange", "serve", "--port", "0", "--data", str(datadir)]
    options = ("--at", at, "--frozen", "--ready-file", str(ready), *options)
    with subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 60
        while not ready.exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("paper-exchange did not start")
            time.sleep(0.05)
        try:
            yield Exchange(ready.read_text().strip())
        finally:
            server.terminate()


@contextmanager
def rig(exchange: Exchange, folder: Path, *, dry: bool = False, **changes: Any) -> Iterator[Rig]:
    """Set a rig up at the exchange's time; the bot is not started yet."""
    now_ms = exchange.post("clock", {"running": False})["now_ms"]
    with time_machine.travel(now_ms / 1000, tick=False) as traveller:
        made = Rig(exchange, folder, traveller, live_config(exchange.url, folder, dry=dry, **changes))
        try:
            yield made
        finally:
            made.kill()
