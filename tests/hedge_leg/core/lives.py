"""Random facts of one carry, for property tests: fills of both legs, payments and costs."""

from decimal import Decimal

from hypothesis import strategies as st

from hedge_leg.core import events as ev
from hedge_leg.core.orders import Side, SpotFill
from tests.hedge_leg.core.facts import answered
from tests.hedge_leg.fakes import START_MS

MILLI = Decimal("0.001")
WHEN = st.integers(START_MS, START_MS + 100_000)
LOTS = st.integers(1, 5_000).map(lambda lots: lots * MILLI)
CENTS = st.integers(9_000, 11_000).map(lambda cents: Decimal(cents) / 100)
MONEY = st.integers(-10_000, 10_000).map(lambda cents: Decimal(cents) / 1000)


@st.composite
def spot_fills(draw: st.DrawFn, number: int) -> SpotFill:
    """Draw a purchase (sales come later, of what is held), its fee in quote, base or a third coin."""
    qty, px, asset = draw(LOTS), draw(CENTS), draw(st.sampled_from(["USDT", "BTC", "BNB"]))
    value = qty * px / 1000
    fee = {"USDT": value, "BTC": qty / 1000, "BNB": value / 600}[asset].quantize(Decimal("1e-8"))
    return SpotFill(f"t{number}", Side.BUY, qty, px, fee, asset, value, draw(WHEN))


@st.composite
def lives(draw: st.DrawFn) -> list[ev.Event]:
    """Draw the facts of a carry after its announcement: shorts, covers, purchases, sales, income."""
    facts: list[ev.Event] = []
    for number in range(draw(st.integers(1, 4))):
        qty, at_ms, px = draw(LOTS), draw(WHEN), draw(CENTS)
        for share, stamp in ((Decimal("0.5"), at_ms), (Decimal(1), at_ms + 10)):  # partly, then wholly
            filled = -(qty * share).quantize(MILLI)
            if filled:
                fee = -filled * px / 2000
                order = ev.PerpFilled(stamp, f"p{number}", filled, px, fee, at_ms, ev.PerpSource.HOST, 1)
                facts.append(order)
        if draw(st.booleans()):
            late_ms = START_MS + 200_000 + number
            fee = qty * px / 2000
            facts.append(
                ev.PerpFilled(late_ms, f"c{number}", qty, px, fee, late_ms, ev.PerpSource.VENUE, None)
            )
    bought = [draw(spot_fills(number)) for number in range(draw(st.integers(0, 5)))]
    for number, fill in enumerate(bought):
        facts.append(answered(number, fill))
        if draw(st.booleans()):
            sale_ms = START_MS + 200_000 + number
            part = (fill.qty / 2).quantize(MILLI)
            if part:
                sale = SpotFill(f"s{number}", Side.SELL, part, draw(CENTS), MILLI, "USDT", MILLI, sale_ms)
                facts.append(answered(100 + number, sale))
    for number in range(draw(st.integers(0, 3))):
        facts.append(ev.FundingPaid(START_MS, f"f{number}", draw(MONEY), draw(WHEN)))
        kind = draw(st.sampled_from(["fixed", "borrow"]))
        facts.append(ev.CostCharged(draw(WHEN), f"k{number}", kind, abs(draw(MONEY))))
    return facts
