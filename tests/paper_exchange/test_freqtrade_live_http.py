"""The real FreqtradeBot with an unhedged short, live and dry, over HTTP on a driven clock."""

from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import time_machine
from freqtrade.enums import State
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade

from tests.host.live_harness import live_config, served
from tests.paper_exchange.conftest import NOW

PAIR = "BTC/USDT:USDT"
STEP_S = 600
DEPOSIT = Decimal(100_000)
STRATEGIES = Path(__file__).parent / "strategies"


class Bot:
    """A running bot and its exchange, whose clocks move together."""

    def __init__(self, url: str, folder: Path, traveller: Any, *, dry: bool) -> None:
        self.url = url
        self._traveller = traveller
        changes: dict[str, Any] = {"strategy": "PlainShort", "strategy_path": str(STRATEGIES)}
        config = live_config(url, folder, dry=dry, stake_amount=10_000, **changes)
        config.pop("hedge_leg")
        self.bot = FreqtradeBot(deepcopy(config))
        self.bot.state = State.RUNNING
        self.bot.startup()

    def run(self, hours: float) -> None:
        """Run freqtrade's loop every ten minutes for some simulated hours."""
        for _ in range(round(hours * 3600 / STEP_S)):
            self.bot.process()
            self.advance(STEP_S)

    def advance(self, seconds: int) -> None:
        state = httpx.post(f"{self.url}/_control/clock", json={"advance_ms": seconds * 1000}).json()
        self._traveller.move_to(state["now_ms"] / 1000, tick=False)

    def trade(self) -> Trade:
        [trade] = Trade.get_trades([]).unique().all()
        return trade

    def position(self) -> dict[str, Any]:
        [row] = self.bot.exchange._api.fapiprivatev2_get_positionrisk({"symbol": "BTCUSDT"})
        return row  # type: ignore[no-any-return]

    def wallet(self) -> Decimal:
        [row] = [row for row in self.bot.exchange._api.fapiprivatev3_get_balance() if row["asset"] == "USDT"]
        return Decimal(row["balance"])

    def incomes(self, kind: str) -> Decimal:
        rows = self.bot.exchange._api.fapiprivate_get_income({"incomeType": kind, "limit": 1000})
        return sum((Decimal(row["income"]) for row in rows), Decimal(0))


@pytest.fixture(params=["live", "dry"])
def bot(request: Any, sample_datadir: Path, tmp_path: Path) -> Iterator[Bot]:
    with (
        served(sample_datadir, f"{NOW:%Y-%m-%dT%H:%M}") as exchange,
        time_machine.travel(exchange.post("clock", {"running": False})["now_ms"] / 1000, tick=False) as clock,
    ):
        made = Bot(exchange.url, tmp_path, clock, dry=request.param == "dry")
        try:
            yield made
        finally:
            Trade.session.remove()
            made.bot.exchange.close()


def test_short_is_opened_funded_and_closed(bot: Bot) -> None:
    dry = bool(bot.bot.config["dry_run"])
    bot.run(5)  # 12:07 to 17:07: one settlement
    bot.bot.config["max_open_trades"] = 0
    trade = bot.trade()
    assert (trade.is_open, trade.is_short, trade.leverage) == (True, True, 3.0)
    assert trade.nr_of_successful_entries == 1
    assert trade.funding_fees != 0
    if not dry:
        assert_as_the_exchange_has_it(bot, trade)
    bot.run(5.5)
    trade = bot.trade()
    assert (trade.is_open, trade.exit_reason) == (False, "ten_hours")
    total = bot.bot.wallets.get_total("USDT")
    assert total - float(DEPOSIT) == pytest.approx(trade.close_profit_abs, abs=1e-6)
    if not dry:
        assert float(bot.position()["positionAmt"]) == 0
        kinds = ("REALIZED_PNL", "COMMISSION", "FUNDING_FEE")
        booked = sum((bot.incomes(kind) for kind in kinds), Decimal(0))
        assert bot.wallet() == DEPOSIT + booked
        assert trade.close_profit_abs == pytest.approx(float(booked), abs=1e-6)


def assert_as_the_exchange_has_it(bot: Bot, trade: Trade) -> None:
    """Hold an open trade against the exchange's position, incomes and liquidation price."""
    row = bot.position()
    assert float(row["positionAmt"]) == -trade.amount
    assert float(row["entryPrice"]) == pytest.approx(trade.open_rate)
    assert row["marginType"] == "isolated"
    assert trade.funding_fees == pytest.approx(float(bot.incomes("FUNDING_FEE")), rel=1e-6)
    shown_px = float(row["liquidationPrice"])
    margin = float(row["isolatedWallet"])
    formula_px = bot.bot.exchange.dry_run_liquidation_price(
        PAIR, trade.open_rate, True, trade.amount, margin, trade.leverage, margin, []
    )
    assert formula_px == pytest.approx(shown_px, rel=1e-9)
    buffer_px = 0.05 * (shown_px - trade.open_rate)  # freqtrade's own liquidation_buffer
    assert trade.liquidation_price == pytest.approx(shown_px - buffer_px, rel=1e-4)
