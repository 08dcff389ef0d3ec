"""What every `SpotVenue` must do: one class of tests, run by each adapter's test file.

The market is the paper exchange's BTC/USDT at a standing clock; the account starts with 100,000 USDT.
"""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

import pytest

from hedge_leg.core.orders import OrderIntent, Purpose, Side, total_qty
from hedge_leg.errors import ConfigError, VenueRefused
from hedge_leg.ports import SpotVenue
from paper_exchange.clock import MarketClock

SYMBOL = "BTC/USDT"
CASH = Decimal(100_000)
FEE_RATE = Decimal("0.001")
LOT = Decimal("0.00001")
STEP = Decimal("1e-8")


@dataclass(frozen=True, slots=True)
class ExchangeClock:
    """The exchange's own clock as a `ports.Clock`; sleeping moves it."""

    clock: MarketClock

    def now_ms(self) -> int:
        """Return the exchange's time."""
        return self.clock.now_ms()

    def sleep(self, seconds: float) -> None:
        """Move the exchange's time."""
        self.clock.advance_ms(round(seconds * 1000))


@dataclass(frozen=True, slots=True)
class Stage:
    """A venue whose account holds 100,000 USDT and nothing else, and its exchange's clock."""

    venue: SpotVenue
    clock: ExchangeClock

    def order(
        self, number: int, side: Side, qty: str | Decimal, limit_px: Decimal, symbol: str = SYMBOL
    ) -> OrderIntent:
        """Return an intent of the test's own."""
        qty = Decimal(qty)
        return OrderIntent(f"hl-test-{number}", symbol, side, qty, limit_px, 0, Purpose.OPEN)

    def best(self, side: Side) -> tuple[Decimal, Decimal]:
        """Return price and quantity that an order of `side` meets first."""
        book = self.venue.book(SYMBOL)
        return book.asks[0] if side is Side.BUY else book.bids[0]

    def total(self, asset: str) -> Decimal:
        """Return what the account holds of an asset."""
        return self.venue.balances().get(asset, (Decimal(0), Decimal(0)))[1]


class SpotVenueContract:
    """Subclass with a fixture `stage`."""

    def test_rules_state_the_filters(self, stage: Stage) -> None:
        rules = stage.venue.rules(SYMBOL)
        assert (rules.base, rules.quote, rules.active) == ("BTC", "USDT", True)
        assert (rules.lot, rules.tick, rules.min_qty) == (LOT, Decimal("0.01"), LOT)
        assert (rules.min_notional, rules.max_qty) == (Decimal(10), Decimal("276.63907073"))
        assert (rules.fee_rate, rules.fee_in_base) == (FEE_RATE, True)

    def test_unknown_market_is_a_configuration_error(self, stage: Stage) -> None:
        for symbol in ("NOPE/USDT", "BTC/USDT:USDT"):
            with pytest.raises(ConfigError):
                stage.venue.rules(symbol)

    def test_book_is_exact_and_not_crossed(self, stage: Stage) -> None:
        book = stage.venue.book(SYMBOL)
        assert book.at_ms == stage.clock.now_ms()
        assert book.bids[0][0] < book.asks[0][0]
        assert list(book.asks) == sorted(book.asks)
        for px, qty in (*book.bids, *book.asks):
            assert px % Decimal("0.01") == 0
            assert qty % LOT == 0

    def test_buy_pays_the_asks_and_the_fee_in_base(self, stage: Stage) -> None:
        px, _ = stage.best(Side.BUY)
        report = stage.venue.place(stage.order(1, Side.BUY, "0.12345", px))
        assert (report.filled_qty, report.final, report.client_id) == (Decimal("0.12345"), True, "hl-test-1")
        [fill] = report.fills
        assert (fill.side, fill.qty, fill.px) == (Side.BUY, Decimal("0.12345"), px)
        assert (fill.fee, fill.fee_asset) == (Decimal("0.00012345"), "BTC")
        assert fill.fee_value == Decimal("0.00012345") * px
        assert fill.filled_ms == stage.clock.now_ms()
        assert stage.total("BTC") == Decimal("0.12345") - Decimal("0.00012345")
        assert stage.total("USDT") == CASH - Decimal("0.12345") * px

    def test_sell_pays_the_fee_in_quote(self, stage: Stage) -> None:
        ask, _ = stage.best(Side.BUY)
        stage.venue.place(stage.order(1, Side.BUY, "0.2", ask))
        bid, _ = stage.best(Side.SELL)
        held = stage.total("USDT")
        report = stage.venue.place(stage.order(2, Side.SELL, "0.1", bid))
        fee = (Decimal("0.1") * bid * FEE_RATE).quantize(STEP, ROUND_FLOOR)
        [fill] = report.fills
        assert (fill.fee, fill.fee_asset, fill.fee_value) == (fee, "USDT", fee)
        assert stage.total("USDT") == held + Decimal("0.1") * bid - fee
        assert stage.total("BTC") == Decimal("0.2") - Decimal("0.0002") - Decimal("0.1")

    def test_order_over_several_levels_has_a_fill_each(self, stage: Stage) -> None:
        (first_px, first_qty), (second_px, _) = stage.venue.book(SYMBOL).asks[:2]
        qty = first_qty + 3 * LOT
        report = stage.venue.place(stage.order(1, Side.BUY, qty, second_px))
        assert [(fill.px, fill.qty) for fill in report.fills] == [
            (first_px, first_qty),
            (second_px, 3 * LOT),
        ]
        assert total_qty(report.fills) == report.filled_qty == qty
        assert len({fill.trade_id for fill in report.fills}) == 2

    def test_ioc_takes_what_its_limit_allows_and_ends(self, stage: Stage) -> None:
        px, size = stage.best(Side.BUY)
        report = stage.venue.place(stage.order(1, Side.BUY, size + 7 * LOT, px))
        assert (report.filled_qty, report.final) == (size, True)
        assert stage.venue.open_client_ids(SYMBOL) == frozenset()
        assert stage.venue.balances()["USDT"] == (CASH - size * px, CASH - size * px)

    def test_limit_that_is_not_reached_fills_nothing(self, stage: Stage) -> None:
        px, _ = stage.best(Side.BUY)
        report = stage.venue.place(stage.order(1, Side.BUY, "0.1", px - 1))
        assert (report.filled_qty, report.final, report.fills) == (Decimal(0), True, ())
        assert stage.total("USDT") == CASH
        assert stage.total("BTC") == 0

    @pytest.mark.parametrize(
        ("qty", "discount"),
        [
            ("0.00001", 0),  # minimum notional
            ("0.000015", 0),  # not in lots
            ("300", 0),  # largest order
            ("0", 0),
            ("0.1", Decimal("0.001")),  # not in ticks
            ("9", 0),  # balance
        ],
    )
    def test_order_that_breaks_a_filter_or_the_balance_is_refused(
        self, stage: Stage, qty: str, discount: Decimal
    ) -> None:
        px, _ = stage.best(Side.BUY)
        intent = stage.order(1, Side.BUY, qty, px - discount)
        with pytest.raises(VenueRefused) as caught:
            stage.venue.place(intent)
        assert caught.value.code
        assert stage.venue.find(intent) is None
        assert stage.venue.trades_since(SYMBOL, stage.clock.now_ms() - 1000) == ()
        assert stage.total("USDT") == CASH

    def test_selling_what_is_not_there_is_refused(self, stage: Stage) -> None:
        px, _ = stage.best(Side.SELL)
        with pytest.raises(VenueRefused):
            stage.venue.place(stage.order(1, Side.SELL, "0.1", px))

    def test_found_order_is_the_placed_one(self, stage: Stage) -> None:
        px, _ = stage.best(Side.BUY)
        bought, missed = stage.order(1, Side.BUY, "0.3", px), stage.order(2, Side.BUY, "0.3", px - 5)
        placed, empty = stage.venue.place(bought), stage.venue.place(missed)
        assert stage.venue.find(bought) == placed
        assert stage.venue.find(missed) == empty
        stage.clock.sleep(1)
        assert stage.venue.find(bought) == placed

    def test_unknown_order_is_not_found_and_cancelling_it_is_no_error(self, stage: Stage) -> None:
        intent = stage.order(99, Side.BUY, "0.1", Decimal(1000))
        assert stage.venue.find(intent) is None
        stage.venue.cancel(intent)
        assert stage.venue.find(intent) is None

    def test_trades_are_told_with_their_order_from_a_moment_on(self, stage: Stage) -> None:
        reports = []
        for number in (1, 2, 3):
            px, _ = stage.best(Side.BUY)
            reports.append(stage.venue.place(stage.order(number, Side.BUY, "0.01", px)))
            stage.clock.sleep(10)
        now_ms = stage.clock.now_ms()
        found = stage.venue.trades_since(SYMBOL, now_ms - 40_000)
        assert [trade.order_id for trade in found] == [report.venue_id for report in reports]
        assert [trade.trade_id for trade in found] == [report.fills[0].trade_id for report in reports]
        assert [(trade.qty, trade.px) for trade in found] == [
            (report.fills[0].qty, report.fills[0].px) for report in reports
        ]
        later = stage.venue.trades_since(SYMBOL, now_ms - 20_000)
        assert later == found[1:]
        assert stage.venue.trades_since("SOL/USDT", now_ms - 40_000) == ()

    def test_balances_add_up_over_many_orders(self, stage: Stage) -> None:
        usdt, btc = CASH, Decimal(0)
        for number in range(1, 9):
            side = Side.BUY if number % 3 else Side.SELL
            px, _ = stage.best(side)
            qty = Decimal("0.00123") * (number if side is Side.BUY else 1)
            worse = px + 20 if side is Side.BUY else px - 20
            report = stage.venue.place(stage.order(number, side, qty, worse))
            assert report.filled_qty == qty
            sign = 1 if side is Side.BUY else -1
            for fill in report.fills:
                usdt -= sign * fill.qty * fill.px + (fill.fee if fill.fee_asset == "USDT" else 0)
                btc += fill.base_change("BTC")
            stage.clock.sleep(1)
        assert (stage.total("USDT"), stage.total("BTC")) == (usdt, btc)
