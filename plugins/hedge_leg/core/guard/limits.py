"""The limits of the risk guard: numbers and what is seen in, judgements out. Nothing is read or done here.

`None` in what is seen means that it could not be read: the judgement is then unknown, and what is unknown
never counts as zero or as fine. Distances, moves and shares are fractions, 0 switches a limit off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite

from hedge_leg.core.amounts import ZERO
from hedge_leg.core.guard.breakers import ALL, Action, Judgement, Limit

_HOUR_MS = 3_600_000
# Shares of the entry's own distance to liquidation: a pair with little room is not shrunk at once.
_SHRINK_SHARE, _LEAVE_SHARE = 0.6, 0.4
_LEAST_COST_SHARE = Decimal("0.0001")  # rebalancing that cost less than 1 bp of the notional says nothing


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """The guard's numbers. `actions`: what each limit does that may be chosen."""

    shrink_distance: float = 0.15
    leave_distance: float = 0.08
    shrink_to: Decimal = Decimal("0.5")
    price_jump: float = 0.15
    price_jump_window_ms: int = _HOUR_MS
    basis: float = 0.03
    slippage: Decimal = Decimal("0.005")
    venue_failures: int = 10
    account_stale_ms: int = 300_000
    market_stale_candles: float = 2.0
    funding_flip_h: float = 168.0
    rebalancing_share: Decimal = Decimal("0.3")
    daily_loss: Decimal = Decimal("0.02")
    max_carries: int = 20
    max_carries_per_coin: int = 1
    max_coin_notional: Decimal = ZERO
    max_venue_notional: Decimal = ZERO
    transfer_drift: float = 0.25
    cool_down_ms: int = _HOUR_MS
    actions: Mapping[Limit, Action] = field(default_factory=dict)

    def action(self, limit: Limit) -> Action:
        """Return what a limit does when it is broken."""
        return self.actions.get(limit, _FIXED.get(limit, Action.BLOCK))


_FIXED = {
    Limit.MARGIN_SHRINK: Action.SHRINK,
    Limit.MARGIN_LEAVE: Action.LEAVE,
    Limit.FUNDING_FLIP: Action.LEAVE,
    Limit.REBALANCING: Action.ALARM,
    Limit.TRANSFER: Action.ALARM,
}


@dataclass(frozen=True, slots=True)
class PairSight:
    """What is seen of one pair. `distance` to liquidation now and at the entry; without a position 1.0.

    `moves`: largest relative move of either leg's price in the window; `basis` = perp / spot - 1;
    `candle_age`: time since the last closed candle ended, in candles. `negative_funding_h`, `pnl_bps`: NaN
    where unknown; `exit_cost_bps` of leaving with both legs.
    """

    pair: str
    distance: float | None
    entry_distance: float | None
    move: float | None
    basis: float | None
    candle_age: float | None
    negative_funding_h: float = 0.0
    pnl_bps: float = float("nan")
    exit_cost_bps: float = 0.0


@dataclass(frozen=True, slots=True)
class VenueSight:
    """What is seen of one venue. `read_age_ms`: since an account read succeeded; None: none is due."""

    scope: str
    failures: int
    read_age_ms: int | None
    last_error: str = ""


def known(value: float | None) -> float | None:
    """Return the number, or None where it is none."""
    return value if value is not None and isfinite(value) else None


def judge_pair(limits: GuardLimits, seen: PairSight) -> list[Judgement]:
    """Judge margin, price, basis, candles and funding of a pair."""
    return [*_margin(limits, seen), *_market(limits, seen), *_funding(limits, seen)]


def _margin(limits: GuardLimits, seen: PairSight) -> list[Judgement]:
    found = []
    distance, at_entry = known(seen.distance), known(seen.entry_distance)
    for limit, configured, share in (
        (Limit.MARGIN_SHRINK, limits.shrink_distance, _SHRINK_SHARE),
        (Limit.MARGIN_LEAVE, limits.leave_distance, _LEAVE_SHARE),
    ):
        if configured <= 0:
            continue
        if distance is None or at_entry is None:
            found.append(_judged(limits, limit, seen.pair, None, "the distance to liquidation is not known"))
            continue
        threshold = min(configured, share * at_entry)
        text = f"liquidation is {distance:.2%} away, less than {threshold:.2%}"
        found.append(_judged(limits, limit, seen.pair, distance < threshold, text))
    return found


def _market(limits: GuardLimits, seen: PairSight) -> list[Judgement]:
    found = []
    for limit, bound, value, text in (
        (Limit.PRICE_JUMP, limits.price_jump, known(seen.move), "the price has moved {:.2%} of {:.2%}"),
        (Limit.BASIS, limits.basis, known(seen.basis), "perp and spot are {:.2%} apart of {:.2%}"),
    ):
        if bound > 0:
            size = None if value is None else abs(value)
            told = "prices are not known" if size is None else text.format(size, bound) + " allowed"
            found.append(_judged(limits, limit, seen.pair, None if size is None else size > bound, told))
    if limits.market_stale_candles > 0 and seen.candle_age is not None:
        text = f"the last candle ended {seen.candle_age:.1f} candles ago"
        stale = seen.candle_age > limits.market_stale_candles
        found.append(_judged(limits, Limit.STALE_DATA, seen.pair, stale, text))
    return found


def _funding(limits: GuardLimits, seen: PairSight) -> list[Judgement]:
    """Leave what has paid for too long, but not where leaving locks a loss in (`carry.rules.decide_exit`)."""
    if limits.funding_flip_h <= 0:
        return []
    hours, pnl = known(seen.negative_funding_h), known(seen.pnl_bps)
    flipped = None if hours is None else hours >= limits.funding_flip_h
    if flipped:
        flipped = None if pnl is None else pnl >= seen.exit_cost_bps
    text = "funding is not known" if hours is None else f"funding has been negative for {hours:.0f} h"
    return [_judged(limits, Limit.FUNDING_FLIP, seen.pair, flipped, text)]


def judge_venue(limits: GuardLimits, seen: VenueSight) -> list[Judgement]:
    """Judge a venue's failures and the age of what is known of the account."""
    found = []
    if limits.venue_failures > 0:
        text = f"{seen.failures} calls in a row failed, the last one: {seen.last_error}"
        breached = seen.failures >= limits.venue_failures
        found.append(_judged(limits, Limit.VENUE_FAILURES, seen.scope, breached, text))
    if limits.account_stale_ms > 0 and seen.read_age_ms is not None:
        text = f"the account was last read {seen.read_age_ms / 1000:.0f} s ago"
        stale = seen.read_age_ms > limits.account_stale_ms
        found.append(_judged(limits, Limit.STALE_DATA, seen.scope, stale, text))
    return found


def judge_slippage(limits: GuardLimits, pair: str, paid: Sequence[Decimal]) -> Judgement | None:
    """Judge the slippage of own orders against the best price before each; None without orders."""
    if not paid or limits.slippage <= 0:
        return None
    worst = max(paid)
    text = f"an order of ours slipped {worst * 10_000:.1f} bps of {limits.slippage * 10_000:.1f} allowed"
    return _judged(limits, Limit.SLIPPAGE, pair, worst > limits.slippage, text)


def judge_rebalancing(
    limits: GuardLimits, pair: str, cost: Decimal, earned: Decimal, notional: Decimal
) -> Judgement | None:
    """Judge what rebalancing has cost in 24 h against what the pair has earned beside it; None when off."""
    if limits.rebalancing_share <= 0:
        return None
    matters = cost > notional * _LEAST_COST_SHARE
    breached = matters and cost >= limits.rebalancing_share * max(earned, ZERO)
    text = f"rebalancing has cost {cost:.2f} in 24 h, the pair has earned {earned:.2f} beside it"
    return _judged(limits, Limit.REBALANCING, pair, breached, text)


def judge_day(limits: GuardLimits, change: Decimal | None, allowed: Decimal | None) -> Judgement | None:
    """Judge what both legs of all pairs have gained since the day began; None when off."""
    if limits.daily_loss <= 0:
        return None
    if change is None or allowed is None:
        return _judged(limits, Limit.DAILY_LOSS, ALL, None, "what the pairs are worth is not known")
    text = f"{-change:.2f} were lost today, {allowed:.2f} are allowed"
    return _judged(limits, Limit.DAILY_LOSS, ALL, -change >= allowed, text)


def _judged(limits: GuardLimits, limit: Limit, scope: str, breached: bool | None, text: str) -> Judgement:
    return Judgement(limit, scope, breached, limits.action(limit), text)


def entry_refusal(
    limits: GuardLimits, coin: str, notional: Decimal, held: Sequence[tuple[str, Decimal]]
) -> str:
    """Return which maximum a new carry of `notional` (quote) would exceed, "" for none.

    `held`: (coin, notional) of each living carry.
    """
    of_coin = [amount for name, amount in held if name == coin]
    if 0 < limits.max_carries <= len(held):
        return f"{len(held)} carries are open, {limits.max_carries} are allowed"
    if 0 < limits.max_carries_per_coin <= len(of_coin):
        return f"{len(of_coin)} carries of {coin} are open, {limits.max_carries_per_coin} are allowed"
    for bound, amounts, where in (
        (limits.max_coin_notional, of_coin, f"of {coin}"),
        (limits.max_venue_notional, [amount for _, amount in held], "on the venue"),
    ):
        total = sum(amounts, notional)
        if 0 < bound < total:
            return f"{total:.2f} {where} would be open, {bound:.2f} are allowed"
    return ""


@dataclass(frozen=True, slots=True)
class Wallets:
    """What either account is worth in quote, and what of it can be taken away."""

    perp_equity: Decimal
    perp_free: Decimal
    spot_equity: Decimal
    spot_free: Decimal


def judge_transfer(limits: GuardLimits, wallets: Wallets, leverage: Decimal) -> Judgement | None:
    """Judge how far the accounts have drifted from spot : perp = leverage : 1; the text is the advice.

    A pair of notional N needs N of spot and N / leverage of margin. Nothing is ever moved by us.
    """
    total = wallets.perp_equity + wallets.spot_equity
    if limits.transfer_drift <= 0 or total <= 0:
        return None
    surplus = wallets.perp_equity - total / (1 + leverage)  # positive: the perp account has too much
    source, free = ("perp", wallets.perp_free) if surplus > 0 else ("spot", wallets.spot_free)
    target = "spot" if source == "perp" else "perp"
    movable = min(abs(surplus), max(free, ZERO))
    text = (
        f"the accounts have drifted: spot {wallets.spot_equity:.2f}, perp {wallets.perp_equity:.2f}; "
        f"move {movable:.2f} from {source} to {target}"
    )
    if movable < abs(surplus):
        text += f" ({abs(surplus):.2f} would even them, the rest is in use)"
    drifted = float(abs(surplus) / total) > limits.transfer_drift
    return _judged(limits, Limit.TRANSFER, ALL, drifted, text)
