"""Score what an observer has recorded against what then happened: funding really paid, the basis path.

For a look at time t and a horizon H, the pair is opened at t at the prices of the books at t, and closed at
the first look at or after t + H, at most `LATE` of H later. Funding is what the venue's history lists in
(t, t + H]; it counts only when it is proven that nothing is missing there. Pure, and linear in looks.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate

from hedge_leg.core.amounts import ZERO, money
from hedge_leg.core.opportunity import DAY_MS, Choice, Figures, Opportunity
from hedge_leg.core.outcome import PairTerms, PairTrade, outcome
from hedge_leg.core.shadow import Settlement

LATE = 24  # the closing look may come H / 24 after t + H
_TEN_THOUSAND = Decimal(10_000)
_BPS_STEP = Decimal("1e-8")


@dataclass(frozen=True, slots=True)
class Score:
    """What became of one look by one horizon. Money in quote; `_bps` of the look's notional.

    `funding_bps`: sum of the rates paid, x 1e4. `funding`: rate x mark x quantity. `basis_pnl`: by mids, what
    slippage took is in `cost` with fees, borrow and fixed costs. `worst_basis_bps` >= 0: the largest adverse
    move of perp - spot on the way. `expected_funding_bps`: the daily rate of the look, for H.
    """

    at_ms: int
    pair: str
    choice: Choice
    horizon_ms: int
    closed_ms: int
    settlements: int
    notional: Decimal
    expected_funding_bps: Decimal
    funding_bps: Decimal
    funding: Decimal
    basis_pnl: Decimal
    basis_bps: Decimal
    worst_basis_bps: Decimal
    cost: Decimal
    cost_bps: Decimal
    net: Decimal
    net_bps: Decimal


@dataclass(frozen=True, slots=True)
class _Paid:
    """A pair's settlements by time with running sums, so that any span is one difference."""

    at_ms: tuple[int, ...]
    rates: tuple[Decimal, ...]  # sum of the first i rates
    per_unit: tuple[Decimal, ...]  # sum of rate x mark, quote per base unit
    marked: tuple[int, ...]  # how many of the first i had a mark


def score(
    found: Sequence[Opportunity], settlements: Iterable[Settlement], horizon_ms: int
) -> list[Score | None]:
    """Return the score of each look of one pair, in order; None: blind, or not known (yet).

    `found` ascending in time; `settlements` of the same pair, any order.
    """
    looks = [(one, one.figures) for one in found if one.figures is not None]
    paid = _running(settlements)
    known_until = _known_until([figures for _, figures in looks])
    worst = _worst_ahead(looks, horizon_ms)
    scores: dict[int, Score | None] = {}
    end = 0
    for row, (one, figures) in enumerate(looks):
        until_ms = one.at_ms + horizon_ms
        while end < len(looks) and looks[end][0].at_ms < until_ms:
            end += 1
        scores[id(one)] = None
        if end < len(looks) and known_until > until_ms:
            closing, after = looks[end]
            if closing.at_ms - until_ms <= horizon_ms // LATE:
                scores[id(one)] = _scored(one, figures, after, closing.at_ms, horizon_ms, paid, worst[row])
    return [scores.get(id(one)) for one in found]


def _known_until(looks: Iterable[Figures]) -> int:
    """Return the time before which every settlement is known: the next one after the last that was listed.

    A venue's history is read from the last known settlement on, so what is listed has no holes.
    """
    return max((figures.next_ms for figures in looks), default=0)


def _running(settlements: Iterable[Settlement]) -> _Paid:
    rows = sorted({one.at_ms: one for one in settlements}.values(), key=lambda one: one.at_ms)
    return _Paid(
        tuple(one.at_ms for one in rows),
        tuple(accumulate((one.rate for one in rows), initial=ZERO)),
        tuple(accumulate((one.rate * (one.mark_px or ZERO) for one in rows), initial=ZERO)),
        tuple(accumulate((int(one.mark_px is not None) for one in rows), initial=0)),
    )


def _worst_ahead(looks: Sequence[tuple[Opportunity, Figures]], horizon_ms: int) -> list[Decimal]:
    """Return the largest perp - spot (mids) of the looks in [t, t + H] of each look. Linear time."""
    gaps = [figures.perp_mid - figures.spot_mid for _, figures in looks]
    largest: list[Decimal] = [ZERO] * len(looks)
    window: deque[int] = deque()  # rows ahead, gaps falling from the right to the left end
    for row in range(len(looks) - 1, -1, -1):
        while window and gaps[window[-1]] <= gaps[row]:
            window.pop()
        window.append(row)
        while looks[window[0]][0].at_ms > looks[row][0].at_ms + horizon_ms:
            window.popleft()
        largest[row] = gaps[window[0]]
    return largest


def _scored(
    one: Opportunity,
    before: Figures,
    after: Figures,
    closed_ms: int,
    horizon_ms: int,
    paid: _Paid,
    largest_gap: Decimal,
) -> Score | None:
    entry, closing = (before.perp_sell_px, before.spot_buy_px), (after.perp_buy_px, after.spot_sell_px)
    if entry[0] is None or entry[1] is None or closing[0] is None or closing[1] is None:
        return None  # a book did not hold the size: nobody knows at which price
    qty, notional = before.qty, before.qty * before.perp_mid
    first, last = (bisect_right(paid.at_ms, at_ms) for at_ms in (one.at_ms, one.at_ms + horizon_ms))
    rates = paid.rates[last] - paid.rates[first]
    whole = paid.marked[last] - paid.marked[first] == last - first
    funding = money(qty * (paid.per_unit[last] - paid.per_unit[first]) if whole else notional * rates)
    trade = PairTrade(qty, entry[0], entry[1], closing[0], closing[1])
    result = outcome(trade, _terms(before), funding=funding, held_ms=horizon_ms)
    gap, gap_after = before.perp_mid - before.spot_mid, after.perp_mid - after.spot_mid
    basis = money(qty * (gap - gap_after))
    days = Decimal(horizon_ms) / DAY_MS
    cost = basis - result.price_pnl + result.fees + result.borrow + result.fixed
    return Score(
        *(one.at_ms, one.pair, one.choice, horizon_ms, closed_ms, last - first),
        notional=money(notional),
        expected_funding_bps=_bps(before.daily_rate * days),
        funding_bps=_bps(rates),
        funding=funding,
        basis_pnl=basis,
        basis_bps=_bps(basis / notional),
        worst_basis_bps=_bps((largest_gap - gap) * qty / notional),
        cost=cost,
        cost_bps=_bps(cost / notional),
        net=result.net,
        net_bps=_bps(result.net / notional),
    )


def _terms(figures: Figures) -> PairTerms:
    """Return the terms that the look was judged by, not today's."""
    perp, spot = figures.perp_fee_bps, figures.spot_fee_bps
    return PairTerms(perp, spot, perp, perp, spot, spot, figures.borrow_daily_bps, figures.fixed)


def _bps(share: Decimal) -> Decimal:
    return (share * _TEN_THOUSAND).quantize(_BPS_STEP)
