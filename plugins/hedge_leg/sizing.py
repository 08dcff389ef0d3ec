"""How much capital a pair gets, and what margin that makes: one rule for backtest, dry-run and live.

A pair of notional N at leverage L ties up N (spot) + N / L (margin) + its entry costs + the cash buffer.
Where spot lies on an account of its own, neither account may be asked for more than it has.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from carry.costs import BPS
from hedge_leg.config import HedgeLegConfig
from hedge_leg.leg import Leg


@dataclass(frozen=True, slots=True)
class Capital:
    """What there is, in quote: `total` over both legs, `tied_up` of it in open pairs.

    `margin_free`, `spot_free`: what each account has free; None where one pot serves both legs. `pot_free`:
    what a real pot has free, which freqtrade's own wallet does not know to pay for spot; None elsewhere.
    """

    total: float
    tied_up: float
    margin_free: float | None = None
    spot_free: float | None = None
    pot_free: float | None = None

    @property
    def free(self) -> float:
        """Return what no open pair uses, >= 0."""
        return max(self.total - self.tied_up, 0.0)


def reserve_share(settings: HedgeLegConfig) -> float:
    """Return the share of the notional kept for the entry's costs and as a buffer."""
    return settings.costs.side_bps * BPS + settings.cash_buffer


def entry_stake(
    settings: HedgeLegConfig,
    capital: Capital,
    leverage: float,
    *,
    stake_amount: float | str,
    slots: float,
    amend: bool,
) -> float:
    """Return the perp margin of a new pair, 0 for none.

    A fixed `stake_amount` is the capital of one pair, and without that much free there is no entry unless
    `amend`; "unlimited" splits all capital over `slots`.
    """
    if stake_amount == "unlimited":
        share = capital.total / slots if 0 < slots < float("inf") else capital.free
    else:
        share = float(stake_amount)
        if capital.free < share and not amend:
            return 0.0
    return most_stake(settings, capital, leverage, share)


def most_stake(settings: HedgeLegConfig, capital: Capital, leverage: float, share: float) -> float:
    """Return the largest perp margin that `share` of the capital and both accounts carry."""
    stake = settings.stake_for(min(share, capital.free), leverage)
    kept = 1.0 + reserve_share(settings)
    if capital.margin_free is not None:
        stake = min(stake, capital.margin_free / kept)
    if capital.spot_free is not None:
        stake = min(stake, capital.spot_free / leverage / kept)
    if capital.pot_free is not None:
        stake = min(stake, settings.stake_for(capital.pot_free, leverage))
    return max(stake, 0.0)


def capital(
    settings: HedgeLegConfig, leg: Leg, wallets: Any, open_trades: Iterable[Any], ratio: float
) -> Capital:
    """Return what both legs have by freqtrade's wallets and the spot account; VenueUnavailable if unread.

    What open pairs tie up (perp margin, spot at cost, entry costs and buffer) is never spent twice. `ratio`:
    freqtrade's tradable_balance_ratio, which its own wallet has applied already.
    """
    kept = 1.0 + reserve_share(settings)
    tied_up = float(sum(trade.stake_amount + trade.amount * trade.open_rate * kept for trade in open_trades))
    total = float(wallets.get_total_stake_amount())
    spot = leg.spot_capital()
    if spot is None:
        return Capital(total, tied_up)
    margin_free = float(wallets.get_available_stake_amount())
    engine = getattr(leg, "engine", None)
    if engine is not None and engine.shared_pot:  # freqtrade's total is the pot's, without the coins
        return Capital(total + spot[1] * ratio, tied_up, pot_free=min(margin_free, spot[0]))
    return Capital(total + sum(spot) * ratio, tied_up, margin_free, spot_free=spot[0])
