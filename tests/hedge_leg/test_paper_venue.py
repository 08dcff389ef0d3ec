"""The dry-run's spot venue, priced by the public endpoints of the paper exchange."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from hedge_leg.adapters.ccxt_venue import CcxtSpotVenue
from hedge_leg.adapters.paper_venue import PaperSpotVenue
from hedge_leg.core.orders import OrderIntent, Purpose, Side
from hedge_leg.errors import ConfigError, VenueRefused, VenueUnavailable
from hedge_leg.ports import Book, MarketRules
from tests.hedge_leg.fakes import FakeClock
from tests.hedge_leg.venue_contract import CASH, ExchangeClock, SpotVenueContract, Stage
from tests.hedge_leg.venues import client_on
from tests.paper_exchange.conftest import RunningExchange


class TestPaperSpotVenue(SpotVenueContract):
    """The contract."""

    @pytest.fixture
    def stage(self, fresh: RunningExchange) -> Stage:
        clock = ExchangeClock(fresh.clock)
        market = CcxtSpotVenue(client_on(fresh, keys=None), clock)
        return Stage(PaperSpotVenue(market, clock, {"USDT": CASH}), clock)


SYMBOL = "BTC/USDT"
RULES = MarketRules(
    symbol=SYMBOL,
    base="BTC",
    quote="USDT",
    lot=Decimal("0.001"),
    tick=Decimal("0.1"),
    min_qty=Decimal("0.001"),
    max_qty=Decimal(100),
    min_notional=Decimal(5),
    fee_rate=Decimal("0.001"),
    fee_in_base=True,
)
BOOK = Book(
    bids=((Decimal(99), Decimal(1)), (Decimal(98), Decimal(1))),
    asks=((Decimal(101), Decimal("1.0005")), (Decimal(102), Decimal(1))),
    at_ms=0,
)


@dataclass
class FixedMarket:
    """A market that stands still, or does not answer."""

    rules_: MarketRules = RULES
    book_: Book = BOOK
    silent: bool = False

    def rules(self, symbol: str) -> MarketRules:
        if self.silent:
            raise VenueUnavailable("down")
        assert symbol == SYMBOL
        return self.rules_

    def book(self, symbol: str) -> Book:
        assert symbol == SYMBOL
        return self.book_

    def candles(self, symbol: str, timeframe: str, since_ms: int) -> Sequence[Sequence[float]]:
        return [[float(since_ms), 1.0, 2.0, 0.5, 1.5, 10.0]]


def order(number: int, side: Side, qty: str, px: str) -> OrderIntent:
    return OrderIntent(f"hl-p-{number}", SYMBOL, side, Decimal(qty), Decimal(px), 0, Purpose.OPEN)


def test_fills_use_whole_lots_of_each_level_and_stop_at_the_limit() -> None:
    venue = PaperSpotVenue(FixedMarket(), FakeClock(), {"USDT": Decimal(1000)})
    report = venue.place(order(1, Side.BUY, "1.5", "102"))
    assert [(fill.px, fill.qty) for fill in report.fills] == [
        (Decimal(101), Decimal(1)),
        (Decimal(102), Decimal("0.5")),
    ]
    assert venue.place(order(2, Side.BUY, "2", "101")).filled_qty == Decimal(1)
    assert venue.place(order(3, Side.BUY, "2", "100")).filled_qty == 0


def test_fee_in_quote_is_paid_on_top_and_counted_in_what_is_needed() -> None:
    venue = PaperSpotVenue(
        FixedMarket(), FakeClock(), {"USDT": Decimal("101.10")}, fee_rate=Decimal("0.001"), fee_in_base=False
    )
    assert not venue.rules(SYMBOL).fee_in_base
    with pytest.raises(VenueRefused, match="balance of USDT"):
        venue.place(order(1, Side.BUY, "1", "101"))
    report = venue.place(order(2, Side.BUY, "0.9", "101"))
    [fill] = report.fills
    assert (fill.fee, fill.fee_asset, fill.fee_value) == (Decimal("0.0909"), "USDT", Decimal("0.0909"))
    held = Decimal("101.10") - Decimal("0.9") * 101 - Decimal("0.0909")
    assert venue.balances() == {"USDT": (held, held), "BTC": (Decimal("0.9"), Decimal("0.9"))}


def test_latency_passes_before_the_book_is_read() -> None:
    clock = FakeClock()
    before_ms = clock.now_ms()
    venue = PaperSpotVenue(FixedMarket(), clock, {"USDT": Decimal(1000)}, latency_ms=150)
    report = venue.place(order(1, Side.BUY, "1", "101"))
    assert report.fills[0].filled_ms == clock.now_ms() == before_ms + 150


def test_account_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    market, clock = FixedMarket(), FakeClock()
    first = PaperSpotVenue(market, clock, {"USDT": Decimal(1000)}, path=path)
    report = first.place(order(1, Side.BUY, "1.5", "102"))
    again = PaperSpotVenue(market, clock, {"USDT": Decimal(7)}, path=path)
    assert again.balances() == first.balances()
    assert again.find(order(1, Side.BUY, "1.5", "102")) == report
    assert again.trades_since(SYMBOL, 0) == first.trades_since(SYMBOL, 0)
    second = again.place(order(2, Side.SELL, "1", "99"))
    assert second.venue_id != report.venue_id
    assert [found.name for found in tmp_path.iterdir()] == ["account.json"]


def test_order_that_cannot_be_made_durable_does_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "account.json"
    venue = PaperSpotVenue(FixedMarket(), FakeClock(), {"USDT": Decimal(1000)}, path=path)
    kept = venue.place(order(1, Side.BUY, "1", "101"))
    before = venue.balances()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("hedge_leg.adapters.paper_venue.os.fsync", full)
        with pytest.raises(VenueRefused) as caught:
            venue.place(order(2, Side.BUY, "1", "101"))
    assert caught.value.code == "local:disk"
    again = PaperSpotVenue(FixedMarket(), FakeClock(), {}, path=path)
    for found in (venue, again):
        assert found.balances() == before
        assert found.find(order(2, Side.BUY, "1", "101")) is None
        assert found.find(order(1, Side.BUY, "1", "101")) == kept


def test_market_that_does_not_answer_or_is_closed_takes_no_order() -> None:
    for market, code in (
        (FixedMarket(silent=True), "local:market-data"),
        (FixedMarket(rules_=replace(RULES, active=False)), "filter"),
    ):
        venue = PaperSpotVenue(market, FakeClock(), {"USDT": Decimal(1000)})
        with pytest.raises(VenueRefused) as caught:
            venue.place(order(1, Side.BUY, "1", "101"))
        assert caught.value.code == code
        assert venue.balances() == {"USDT": (Decimal(1000), Decimal(1000))}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"orders": [], "next_id": 1}', '{"balances": 3, "orders": []}']
)
def test_account_file_that_cannot_be_read_is_a_configuration_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "account.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="move it away"):
        PaperSpotVenue(FixedMarket(), FakeClock(), {}, path=path)


def test_only_the_newest_thousand_orders_are_kept() -> None:
    venue = PaperSpotVenue(FixedMarket(), FakeClock(), {"USDT": Decimal(1000)})
    for number in range(1005):
        venue.place(order(number, Side.BUY, "0.1", "100"))
    assert venue.find(order(4, Side.BUY, "0.1", "100")) is None
    assert venue.find(order(5, Side.BUY, "0.1", "100")) is not None
