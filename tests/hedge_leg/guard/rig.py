"""A guard over fake venues, and a log in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np

from hedge_leg.bootstrap import guard_for, listen
from hedge_leg.config import read_config
from hedge_leg.core.guard.breakers import GuardRow
from hedge_leg.errors import JournalError, VenueUnavailable
from hedge_leg.gate import EntryPlan
from hedge_leg.guard.guard import Guard
from tests.hedge_leg.desk import ONE, Desk
from tests.hedge_leg.fakes import PAIR, SYMBOL

PLAN = EntryPlan(PAIR, SYMBOL, ONE, Decimal("100.5"), Decimal(2))
HOUR_MS, HALF = 3_600_000, Decimal("0.5")


@dataclass
class Log:
    """Rows in a list; `failing`: why nothing can be read or written."""

    rows: list[GuardRow] = field(default_factory=list)
    failing: str = ""

    def append(self, *rows: GuardRow) -> None:
        """Write all rows or none."""
        if self.failing:
            raise JournalError(self.failing)
        self.rows += rows

    def since(self, seq: int) -> Sequence[tuple[int, GuardRow]]:
        """Return the rows after a number."""
        if self.failing:
            raise JournalError(self.failing)
        return [(number, row) for number, row in enumerate(self.rows, 1) if number > seq]


@dataclass
class Rig:
    """A desk whose bot has a guard; prices, liquidation price and candles are the test's."""

    limits: dict[str, Any] = field(default_factory=dict)
    desk: Desk = field(default_factory=Desk)
    log: Log = field(default_factory=Log)
    spot_px: Decimal | None = Decimal(100)
    liquidation: float | None = 150.0
    wallet: Decimal | None = Decimal(50_000)
    adjusting: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start."""
        self.restart()

    def restart(self) -> None:
        """Start the guard on the same table."""
        settings = read_config({"guard": {"transfer_drift": 0} | self.limits})
        made = guard_for(
            *(settings, self.desk.engine, self.log, listen(self.desk.engine)),
            spot_px=lambda symbol: self.spot_px,
            rows_of=lambda pair: self.rows(),
            account=self.account,
            quote="USDT",
            one_pot=False,
            adjusts=self.adjusting.append,
        )
        assert made is not None
        self.guard: Guard = made
        self.guard.tick()

    def account(self) -> tuple[Decimal, Decimal]:
        """Return freqtrade's wallet."""
        if self.wallet is None:
            raise VenueUnavailable("no answer")
        return self.wallet, self.wallet

    def rows(self) -> Any:
        """Return one fresh candle."""
        now_ms = self.desk.clock.now_ms()
        px = np.array([100.5])
        return SimpleNamespace(
            at_ms=np.array([now_ms - HOUR_MS - 1]),
            step_ms=HOUR_MS,
            perp_close=px,
            spot_close=px,
            negative_funding_h=np.array([0.0]),
            last_closed=lambda now: 0,
        )

    def look(self, px: float = 100.5, *, alone: bool = False) -> str | None:
        """Let freqtrade ask for exits, and the guard judge its loop; spot moves along unless `alone`."""
        if self.spot_px is not None:
            self.spot_px = Decimal(100) if alone else Decimal(str(px)) - HALF
        trade = SimpleNamespace(pair=PAIR, liquidation_price=self.liquidation, open_rate=100.5)
        now_ms = self.desk.clock.now_ms()
        found = self.guard.exit_reason(trade, self.rows(), px, now_ms, lambda rows, now: float("nan"))
        self.guard.tick()
        return found

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.desk.clock.sleep(seconds)

    def rings(self, text: str) -> int:
        """Return how many alarms contain a text."""
        return sum(text in bell for bell in self.desk.bells)
