"""What an observer would do now: a pure function of one look, the terms, the rules and its pretended pair.

The output holds every number that the decision rests on (docs/observer.md; REFERENCES section 3). Nothing
here knows what happens later.

    daily funding     = the smaller of last and predicted rate, each x 24 h / its interval
    round-trip cost   = fees of four fills + slippage of four fills at the books' prices + fixed
    net per day       = notional x (daily funding - borrow) - round-trip cost / holding days
    break-even days   = round-trip cost / (notional x (daily funding - borrow)); over a century is never
"""

from decimal import Decimal

from hedge_leg.core.amounts import ZERO
from hedge_leg.core.market import Book, average_px
from hedge_leg.core.opportunity import (
    HOUR_MS,
    Choice,
    Figures,
    FundingSeen,
    ObserverRules,
    Opportunity,
    Shadow,
    Sighting,
)
from hedge_leg.core.outcome import PairTerms, PairTrade, outcome

_TEN_THOUSAND = Decimal(10_000)
_RATIO = Decimal("1e-8")
_NEVER: Decimal | None = None
_CENTURY_DAYS = 36_525


def judge(seen: Sighting, terms: PairTerms, rules: ObserverRules, shadow: Shadow) -> Opportunity:
    """Decide what would be done now, from what is seen now and what is pretended to be held."""
    figures = measure(seen, terms, rules)
    flipped = _flipped_since(seen, rules, shadow)
    if shadow.opened_ms is None:
        refusal = _refusal(seen, figures, rules)
        choice, reason = (Choice.WAIT, refusal) if refusal else (Choice.OPEN, _promise(figures))
    else:
        choice, reason = _kept(seen, figures, rules, flipped)
    return Opportunity(
        *(seen.at_ms, seen.pair, choice, reason, figures, flipped),
        signal=seen.signal,
        regime=seen.regime,
        regime_why=seen.regime_why,
    )


def measure(seen: Sighting, terms: PairTerms, rules: ObserverRules) -> Figures:
    """Return every figure of a look. The books have two sides, `qty` is positive or zero."""
    perp, spot, funding, qty = seen.perp, seen.spot, seen.funding, seen.qty
    sides = (perp.bids, spot.asks, perp.asks, spot.bids)
    perp_sell, spot_buy, perp_buy, spot_sell = (average_px(side, qty) if qty else None for side in sides)
    notional = qty * perp.mid_px
    daily_rate = _expected_daily(funding)
    cost = None
    if perp_sell and spot_buy and perp_buy and spot_sell:
        # closed at once at the same books: what is lost then is the cost of a round trip
        trade = PairTrade(qty, perp_sell, spot_buy, perp_buy, spot_sell)
        cost = -outcome(trade, terms, funding=ZERO, held_ms=0).net
    income = notional * (daily_rate - terms.borrow_daily_bps / _TEN_THOUSAND)
    maker_cost = notional * terms.maker_round_trip_bps / _TEN_THOUSAND + terms.fixed
    return Figures(
        qty=qty,
        notional=_ratio(notional),
        perp_bid=perp.bids[0][0],
        perp_ask=perp.asks[0][0],
        spot_bid=spot.bids[0][0],
        spot_ask=spot.asks[0][0],
        perp_bid_depth=depth(perp.bids, rules.max_slippage),
        perp_ask_depth=depth(perp.asks, rules.max_slippage),
        spot_bid_depth=depth(spot.bids, rules.max_slippage),
        spot_ask_depth=depth(spot.asks, rules.max_slippage),
        perp_sell_px=perp_sell,
        spot_buy_px=spot_buy,
        perp_buy_px=perp_buy,
        spot_sell_px=spot_sell,
        basis_bps=_ratio((perp.mid_px / spot.mid_px - 1) * _TEN_THOUSAND),
        last_rate=funding.last_rate,
        last_ms=funding.last_ms,
        predicted_rate=funding.predicted_rate,
        next_ms=funding.next_ms,
        interval_h=_ratio(Decimal(funding.interval_ms) / HOUR_MS),
        daily_rate=_ratio(daily_rate),
        streak=funding.streak,
        perp_fee_bps=terms.perp_fee_bps,
        spot_fee_bps=terms.spot_fee_bps,
        taker_fees_bps=terms.taker_round_trip_bps,
        maker_fees_bps=terms.maker_round_trip_bps,
        entry_slippage_bps=_slippage_bps(perp, spot, perp_sell, spot_buy),
        exit_slippage_bps=_slippage_bps(perp, spot, perp_buy, spot_sell),
        borrow_daily_bps=terms.borrow_daily_bps,
        fixed=terms.fixed,
        round_trip_cost=None if cost is None else _ratio(cost),
        net_daily=None if cost is None else _ratio(income - cost / rules.holding_days),
        break_even_days=_NEVER if cost is None else _days(cost, income),
        maker_break_even_days=_days(maker_cost, income),
    )


def depth(levels: tuple[tuple[Decimal, Decimal], ...], slippage: Decimal) -> Decimal:
    """Return the quote value that the levels hold within `slippage` (a fraction) of the best price."""
    best = levels[0][0]
    return _ratio(sum((px * qty for px, qty in levels if abs(px - best) <= best * slippage), ZERO))


def _expected_daily(funding: FundingSeen) -> Decimal:
    """Return the rate a day that is counted on: the smaller of the last and the predicted one."""
    predicted = funding.predicted_daily
    return funding.last_daily if predicted is None else min(funding.last_daily, predicted)


def _flipped_since(seen: Sighting, rules: ObserverRules, shadow: Shadow) -> int | None:
    """Return since when funding is below the leaving rate, by the prediction where there is one."""
    predicted = seen.funding.predicted_daily
    if (seen.funding.last_daily if predicted is None else predicted) >= rules.leave_daily_rate:
        return None
    return seen.at_ms if shadow.flipped_since_ms is None else shadow.flipped_since_ms


def _refusal(seen: Sighting, figures: Figures, rules: ObserverRules) -> str:
    """Return the first reason against opening now; "" when there is none."""
    if seen.blocked:
        return seen.blocked
    if seen.funding.due:
        return "the settlement that is due is not listed yet"
    return _thin(seen, figures, rules) or _unpaid(figures, rules)


def _thin(seen: Sighting, figures: Figures, rules: ObserverRules) -> str:
    """Return which book would not fill the planned size; "" when both do."""
    for name, levels, px in (
        ("perp", seen.perp.bids, figures.perp_sell_px),
        ("spot", seen.spot.asks, figures.spot_buy_px),
    ):
        if px is None:
            return f"the {name} book does not hold {seen.qty}"
        slip = abs(px / levels[0][0] - 1)
        if slip > rules.max_slippage:
            return f"the {name} book would slip {_shown(slip)} bps, allowed are {_shown(rules.max_slippage)}"
    return ""


def _unpaid(figures: Figures, rules: ObserverRules) -> str:
    """Return why funding does not pay for the pair; "" when it does."""
    if figures.daily_rate < rules.min_daily_rate:
        return f"funding {_shown(figures.daily_rate)} bps a day is below {_shown(rules.min_daily_rate)}"
    if figures.streak < rules.min_streak:
        return f"{figures.streak} positive settlements in a row, {rules.min_streak} are wanted"
    days = figures.break_even_days
    if days is None or days >= rules.holding_days:
        told = "never" if days is None else f"after {days:.1f} days"
        return f"the round trip is paid back {told}, it would be held {rules.holding_days:f}"
    return ""


def _kept(
    seen: Sighting, figures: Figures, rules: ObserverRules, flipped_ms: int | None
) -> tuple[Choice, str]:
    """Return whether a pretended pair would be left, and why (not)."""
    if flipped_ms is None:
        return Choice.HOLD, f"funding {_shown(figures.daily_rate)} bps a day"
    hours = Decimal(seen.at_ms - flipped_ms) / HOUR_MS
    told = f"funding below {_shown(rules.leave_daily_rate)} bps a day for {hours:.1f} h"
    if seen.at_ms - flipped_ms < rules.flip_tolerance_ms:
        return Choice.HOLD, f"{told}, tolerated"
    if seen.funding.due:
        return Choice.HOLD, f"{told}; the settlement that is due is not listed yet"
    if figures.perp_buy_px is None or figures.spot_sell_px is None:
        return Choice.HOLD, f"{told}, but a book does not hold {seen.qty}"
    return Choice.LEAVE, told


def _promise(figures: Figures) -> str:
    return (
        f"funding {_shown(figures.daily_rate)} bps a day, {figures.streak} positive in a row, "
        f"paid back after {figures.break_even_days:.1f} days"
    )


def _slippage_bps(perp: Book, spot: Book, perp_px: Decimal | None, spot_px: Decimal | None) -> Decimal | None:
    if perp_px is None or spot_px is None:
        return None
    slips = abs(perp_px / perp.mid_px - 1) + abs(spot_px / spot.mid_px - 1)
    return _ratio(slips * _TEN_THOUSAND)


def _days(cost: Decimal, income: Decimal) -> Decimal | None:
    return _ratio(cost / income) if income > 0 and cost < income * _CENTURY_DAYS else _NEVER


def _ratio(value: Decimal) -> Decimal:
    return value.quantize(_RATIO)


def _shown(rate: Decimal) -> str:
    return f"{rate * _TEN_THOUSAND:.2f}"
