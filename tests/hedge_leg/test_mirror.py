"""The fold that mirrors perp fills into spot fills: worked examples, and properties over random trades."""

from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedge_leg.core.amounts import Bps
from hedge_leg.core.ledger import Account
from hedge_leg.core.mirror import HedgeTerms, MirroredTrade, PerpFill, mirror

HOUR = 3_600_000
FREE = HedgeTerms(
    lot=Decimal("0.01"),
    spot_fee=Bps(Decimal(0)),
    spot_slippage=Bps(Decimal(0)),
    perp_slippage=Bps(Decimal(0)),
    borrow_daily=Bps(Decimal(0)),
    fixed_per_trade=Decimal(0),
)
NO_FEE = Decimal(0)


@dataclass
class TableMarket:
    """A market that is a table: spot opens by instant, and settlements as (instant, rate x mark)."""

    spot: dict[int, str]
    settlements: dict[int, str] = field(default_factory=dict)

    def spot_px(self, at_ms: int, perp_px: Decimal, *, at_open: bool) -> Decimal:
        """Return the table's price; a fill that is not at the open gets the perp's own price."""
        return Decimal(self.spot[at_ms]) if at_open else perp_px

    def funding_per_unit(self, after_ms: int, until_ms: int) -> Decimal:
        """Return the settlements in (after, until]."""
        paid = (Decimal(px) for at, px in self.settlements.items() if after_ms < at <= until_ms)
        return sum(paid, Decimal(0))


def short(at_h: int, qty: str, px: str) -> PerpFill:
    """Return a fill that opens or adds to a short."""
    return PerpFill(at_h * HOUR, -Decimal(qty), Decimal(px), NO_FEE)


def cover(at_h: int, qty: str, px: str) -> PerpFill:
    """Return a fill that closes a short, or part of it."""
    return PerpFill(at_h * HOUR, Decimal(qty), Decimal(px), NO_FEE)


def test_convergence_is_earned_whatever_the_price_does() -> None:
    market = TableMarket({0: "100", 5 * HOUR: "150"})
    trade = mirror([short(0, "2", "101"), cover(5, "2", "150")], market, FREE)
    assert trade.ledger.net == Decimal(2)  # 1 per unit of basis, on 2 units
    assert trade.booked == Decimal(100)  # the spot leg's part; freqtrade adds the perp's -98


def test_funding_counts_from_after_the_opening_until_and_with_the_closing_instant() -> None:
    market = TableMarket({8 * HOUR: "100", 24 * HOUR: "100"}, {8 * HOUR: "1", 16 * HOUR: "2", 24 * HOUR: "4"})
    trade = mirror([short(8, "1", "100"), cover(24, "1", "100")], market, FREE)
    assert trade.ledger.funding == Decimal(6)


def test_a_resize_at_a_settlement_is_paid_once_on_what_was_held_before() -> None:
    market = TableMarket({0: "100", 8 * HOUR: "100", 9 * HOUR: "100"}, {8 * HOUR: "1"})
    trade = mirror([short(0, "3", "100"), cover(8, "2", "100"), cover(9, "1", "100")], market, FREE)
    assert trade.ledger.funding == Decimal(3)


def test_a_remainder_below_one_lot_is_carried_and_hedged_with_the_next_fill() -> None:
    market = TableMarket({h * HOUR: "100" for h in range(3)})
    fills = [short(0, "0.019", "100"), short(1, "0.019", "100"), cover(2, "0.038", "100")]
    first = mirror(fills[:1], market, FREE)
    second = mirror(fills[:2], market, FREE)
    last = mirror(fills, market, FREE)
    assert [t.ledger.spot_qty for t in (first, second, last)] == [
        Decimal("0.01"),
        Decimal("0.03"),
        Decimal(0),
    ]


def test_every_cost_is_charged_where_it_arises() -> None:
    terms = replace(
        FREE,
        spot_fee=Bps(Decimal(10)),
        spot_slippage=Bps(Decimal(100)),
        perp_slippage=Bps(Decimal(50)),
        borrow_daily=Bps(Decimal(20)),
        fixed_per_trade=Decimal(2),
    )
    market = TableMarket({0: "100", 24 * HOUR: "100"})
    fills = [
        PerpFill(0, Decimal(-1), Decimal(100), Decimal("0.0005")),
        PerpFill(24 * HOUR, Decimal(1), Decimal(100), Decimal("0.0004")),
    ]
    opened, closed = mirror(fills[:1], market, terms).ledger, mirror(fills, market, terms).ledger
    assert opened.balance(Account.FEES_SPOT) == Decimal("0.101")
    assert opened.balance(Account.FIXED) == Decimal(2)
    assert closed.balance(Account.FEES_SPOT) == Decimal("0.101") + Decimal("0.099")
    assert closed.balance(Account.FEES_PERP) == Decimal("0.09")
    assert closed.balance(Account.BORROW) == Decimal(101) * Decimal("0.002")
    assert closed.basis_pnl == -(1 + 1 + Decimal("0.5") + Decimal("0.5"))


def test_fills_of_one_instant_are_netted_before_anything_is_paid_for() -> None:
    terms = replace(FREE, perp_slippage=Bps(Decimal(100)), spot_slippage=Bps(Decimal(100)))
    market = TableMarket({0: "100"})
    trade = mirror([short(0, "3", "100"), cover(0, "2", "100")], market, terms)
    assert trade.ledger.spot_qty == Decimal(1)
    assert trade.ledger.balance(Account.SPOT_COST) == Decimal(101)
    assert trade.ledger.basis_pnl == Decimal(-1)  # perp slippage on the one unit that remains


def test_a_liquidation_sells_spot_at_the_price_of_the_moment_not_of_the_open() -> None:
    market = TableMarket({0: "100", 5 * HOUR: "100"})
    fill = replace(cover(5, "1", "146"), at_open=False)
    trade = mirror([short(0, "1", "100"), fill], market, FREE)
    assert trade.ledger.net == Decimal(0)


def test_marked_net_is_what_closing_now_would_leave_before_exit_costs() -> None:
    market = TableMarket({0: "100", 3 * HOUR: "107"}, {2 * HOUR: "0.5"})
    opened = mirror([short(0, "2", "101")], market, FREE)
    closed = mirror([short(0, "2", "101"), cover(3, "2", "106")], market, FREE)
    assert opened.marked_net(Decimal(106), Decimal(107), Decimal("0.5")) == closed.ledger.net


qty = st.decimals(Decimal("0.001"), Decimal(5), places=3)
px = st.decimals(Decimal(50), Decimal(200), places=2)


@st.composite
def trades(draw: st.DrawFn) -> list[PerpFill]:
    """Draw a trade: shorts and covers at whole hours, several in one hour, flat at the end."""
    held, fills = Decimal(0), []
    hour = 0
    for _ in range(draw(st.integers(1, 7))):
        hour += draw(st.integers(0, 9))
        amount = draw(qty)
        fee = draw(st.sampled_from([Decimal(0), Decimal("0.0005")]))
        opens = held == 0 or draw(st.booleans())
        amount = amount if opens else min(amount, held)
        held += amount if opens else -amount
        fills.append(PerpFill(hour * HOUR, -amount if opens else amount, draw(px), fee))
    if held > 0:
        fills.append(PerpFill((hour + draw(st.integers(1, 9))) * HOUR, held, draw(px), Decimal("0.0005")))
    return fills


@st.composite
def markets(draw: st.DrawFn) -> TableMarket:
    """Draw a price for every hour and a settlement every eight."""
    prices = draw(st.lists(px, min_size=80, max_size=80))
    rates = draw(st.lists(st.decimals(Decimal(-1), Decimal(1), places=4), min_size=10, max_size=10))
    spot = {h * HOUR: str(price) for h, price in enumerate(prices)}
    return TableMarket(spot, {8 * HOUR * i: str(rate) for i, rate in enumerate(rates)})


terms = st.builds(
    HedgeTerms,
    lot=st.sampled_from([Decimal("0.001"), Decimal("0.07"), Decimal(1)]),
    spot_fee=st.sampled_from([Bps(Decimal(0)), Bps(Decimal("7.5"))]),
    spot_slippage=st.sampled_from([Bps(Decimal(0)), Bps(Decimal("1.3"))]),
    perp_slippage=st.sampled_from([Bps(Decimal(0)), Bps(Decimal("2.1"))]),
    borrow_daily=st.sampled_from([Bps(Decimal(0)), Bps(Decimal(1))]),
    fixed_per_trade=st.sampled_from([Decimal(0), Decimal(2)]),
)


def perp_part(fills: list[PerpFill]) -> Decimal:
    """Return what freqtrade books by itself for a closed trade: raw price P&L minus perp fees."""
    flows = (-fill.qty * fill.px - abs(fill.qty) * fill.px * fill.fee_rate for fill in fills)
    return sum(flows, Decimal(0))


def everything(trade: MirroredTrade) -> tuple[object, ...]:
    """Return all that a fold decides, to compare two folds."""
    ledger = trade.ledger
    return (trade.booked, ledger.net, ledger.spot_qty, *(ledger.balance(account) for account in Account))


@given(trades(), markets(), terms)
def test_postings_sum_to_zero_per_asset_and_the_pair_ends_flat(
    fills: list[PerpFill], market: TableMarket, terms: HedgeTerms
) -> None:
    ledger = mirror(fills, market, terms).ledger
    for asset in ("base", "quote"):
        postings = [p.amount for e in ledger.entries for p in e.postings if p.asset == asset]
        assert sum(postings, Decimal(0)) == 0
    assert ledger.perp_qty == ledger.spot_qty == ledger.balance(Account.SPOT_COST) == 0


@given(trades(), markets(), terms)
def test_change_of_cash_is_price_pnl_plus_funding_minus_costs(
    fills: list[PerpFill], market: TableMarket, terms: HedgeTerms
) -> None:
    trade = mirror(fills, market, terms)
    assert trade.ledger.balance(Account.CASH) == trade.ledger.net
    assert abs(trade.booked + perp_part(fills) - trade.ledger.net) < Decimal("1e-9")


@given(trades(), markets(), terms, st.randoms(use_true_random=False))
def test_the_order_of_fills_does_not_matter(
    fills: list[PerpFill], market: TableMarket, terms: HedgeTerms, random: object
) -> None:
    shuffled = list(fills)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert everything(mirror(shuffled, market, terms)) == everything(mirror(fills, market, terms))


@given(trades(), markets(), terms)
def test_spot_is_always_within_one_lot_of_the_perp(
    fills: list[PerpFill], market: TableMarket, terms: HedgeTerms
) -> None:
    for until in {fill.at_ms for fill in fills}:
        ledger = mirror([f for f in fills if f.at_ms <= until], market, terms).ledger
        assert 0 <= -ledger.perp_qty - ledger.spot_qty < terms.lot


@pytest.mark.parametrize("hours", [1, 24, 24 * 365])
def test_an_unpriced_market_raises_instead_of_making_a_number_up(hours: int) -> None:
    with pytest.raises(KeyError):
        mirror([short(0, "1", "100"), cover(hours, "1", "100")], TableMarket({0: "100"}), FREE)
