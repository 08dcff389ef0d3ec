"""USD-M leverage brackets: how much leverage a notional may have, and the margin that must remain.

Source: Binance `GET /fapi/v1/leverageBracket` as freqtrade 2026.9 recorded it, USDT perpetuals; other quotes
use the coin's. Coins that are not in the table use ADA's. The maintenance margin of a position is
notional * rate - cum, with cum chosen so that it is continuous from bracket to bracket.
"""

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Bracket:
    """One bracket: notionals in [floor, cap) of the quote; `cum_margin` in quote."""

    floor_notional: Decimal
    cap_notional: Decimal
    maintenance_rate: Decimal
    most_leverage: int
    cum_margin: Decimal

    def maintenance_margin(self, notional: Decimal) -> Decimal:
        """Return the margin (quote) below which a position of this notional (>= 0) is liquidated."""
        return notional * self.maintenance_rate - self.cum_margin


# coin: cap of the notional : maintenance rate : largest leverage, ...
_TABLE = """
ADA   1e4:.005:75 5e4:.01:50 2e5:.015:40 1e6:.02:25 2e6:.025:20 1e7:.05:10 2e7:.1:5 2.5e7:.125:4 5e7:.25:2 1e8:.5:1
AVAX  25e3:.005:75 8e4:.01:50 16e4:.015:40 8e5:.02:25 16e5:.025:20 8e6:.05:10 16e6:.1:5 2e7:.125:4 4e7:.25:2 8e7:.5:1
BNB   1e4:.005:75 2e5:.006:50 4e5:.01:40 15e5:.02:25 3e6:.025:20 15e6:.05:10 3e7:.1:5 375e5:.125:4 75e6:.25:2 15e7:.5:1
BTC   3e5:.004:150 8e5:.005:100 3e6:.0065:75 12e6:.01:50 7e7:.02:25 1e8:.025:20 23e7:.05:10 48e7:.1:5 6e8:.125:4 8e8:.15:3 12e8:.25:2 18e8:.5:1
DOGE  8e4:.0065:75 15e4:.01:50 75e4:.0125:40 2e6:.02:25 4e6:.025:20 2e7:.05:10 4e7:.1:5 5e7:.125:4 1e8:.25:2 2e8:.5:1
ETH   3e5:.004:150 8e5:.005:100 3e6:.0065:75 12e6:.01:50 5e7:.02:25 65e6:.025:20 15e7:.05:10 32e7:.1:5 4e8:.125:4 53e7:.15:3 8e8:.25:2 12e8:.5:1
LINK  1e4:.005:75 2e5:.01:50 4e5:.015:40 8e5:.02:25 16e5:.025:20 8e6:.05:10 16e6:.1:5 2e7:.125:4 4e7:.25:2 8e7:.5:1
LTC   1e4:.005:75 5e4:.01:50 16e4:.015:40 8e5:.02:25 16e5:.025:20 8e6:.05:10 16e6:.1:5 2e7:.125:4 4e7:.25:2 8e7:.5:1
SOL   5e4:.005:100 4e5:.0065:75 1e6:.01:50 4e6:.02:25 8e6:.025:20 4e7:.05:10 8e7:.1:5 1e8:.125:4 2e8:.25:2 4e8:.5:1
XRP   4e4:.005:100 8e4:.006:75 15e4:.01:50 4e5:.0125:40 1e6:.02:25 2e6:.025:20 1e7:.05:10 2e7:.1:5 25e6:.125:4 5e7:.25:2 1e8:.5:1
"""  # noqa: E501
_FALLBACK_COIN = "ADA"


def brackets(base: str) -> tuple[Bracket, ...]:
    """Return a coin's brackets, smallest notional first."""
    return _BRACKETS.get(base) or _BRACKETS[_FALLBACK_COIN]


def bracket_of(base: str, notional: Decimal) -> Bracket:
    """Return the bracket that a notional (>= 0, quote) falls in; the last one above all caps."""
    found = (bracket for bracket in brackets(base) if notional < bracket.cap_notional)
    return next(found, brackets(base)[-1])


def most_leverage(base: str) -> int:
    """Return the largest leverage that any notional of the coin may have."""
    return brackets(base)[0].most_leverage


def most_notional(base: str, leverage: int) -> Decimal:
    """Return the largest notional (quote) that a leverage (1..`most_leverage`) is allowed for."""
    return max(bracket.cap_notional for bracket in brackets(base) if bracket.most_leverage >= leverage)


def _build(cells: list[str]) -> tuple[Bracket, ...]:
    rows = [cell.split(":") for cell in cells]
    caps = [Decimal(0), *(Decimal(cap) for cap, _, _ in rows)]
    rates = [Decimal(0), *(Decimal(rate) for _, rate, _ in rows)]
    built: list[Bracket] = []
    cum = Decimal(0)
    for (floor, cap), (before, rate), (_, _, leverage) in zip(
        pairwise(caps), pairwise(rates), rows, strict=True
    ):
        cum += floor * (rate - before)
        built.append(Bracket(floor, cap, rate, int(leverage), cum))
    return tuple(built)


_BRACKETS = {name: _build(cells) for name, *cells in map(str.split, _TABLE.strip().splitlines())}
