"""Trading rules of the symbols: Binance's real filters for ten coins, a documented fallback for all others.

Sources (public, unauthenticated): spot `GET /api/v3/exchangeInfo` as served on 2022-12-03 and USD-M
`GET /fapi/v1/exchangeInfo` as served on 2025-10-30, symbols quoted in USDT. The table is keyed by base coin
and used for other quotes (USDC) too. Binance changes filters now and then; recorded prices of other years may
have more or fewer decimals than this tick.

Fallback, for a coin of the data folder that is not in the table: tick 0.00001, lot 0.01 (spot) or 1 (perp),
no practical maximum, minimum notional 10 (spot) or 5 (perp) of the quote: fine enough for prices of 0.1 to
1000.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

# maxNotional of the NOTIONAL filter, the same for every USDT symbol; it does not bind market orders.
SPOT_MOST_NOTIONAL = Decimal(9_000_000)


class Venue(StrEnum):
    """The two markets of the exchange."""

    SPOT = "spot"
    PERP = "perp"


@dataclass(frozen=True, slots=True)
class Filters:
    """The limits an order must keep. Prices and notionals in quote units, quantities in base units."""

    tick: Decimal
    min_px: Decimal
    max_px: Decimal
    lot: Decimal
    min_qty: Decimal
    max_qty: Decimal
    market_max_qty: Decimal
    min_notional: Decimal
    px_up: Decimal  # an order's price may be at most this multiple of the reference price,
    px_down: Decimal  # and at least this multiple
    px_decimals: int
    qty_decimals: int
    liquidation_fee_rate: Decimal
    funding_cap_rate: Decimal


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable symbol: `name` as Binance writes it ("BTCUSDT")."""

    venue: Venue
    base: str
    quote: str
    filters: Filters

    @property
    def name(self) -> str:
        """Return Binance's symbol: the same for spot and perp."""
        return f"{self.base}{self.quote}"


# base: tick, least and largest price, lot (= least quantity), largest quantity, largest market quantity.
_SPOT = """
ADA   0.0001   0.0001   1000     0.1      900000   6537111.90263888
AVAX  0.01     0.01     10000    0.01     90000    94546.03907638
BNB   0.1      0.1      100000   0.001    900000   24499.63149444
BTC   0.01     0.01     1000000  0.00001  9000     276.63907073
DOGE  0.00001  0.00001  1000     1        9000000  41209615.28611111
ETH   0.01     0.01     1000000  0.0001   9000     5845.17127916
LINK  0.001    0.001    10000    0.01     90000    348154.84307638
LTC   0.01     0.01     100000   0.001    90000    55454.80213819
SOL   0.01     0.01     10000    0.01     90000    253402.31272222
XRP   0.0001   0.0001   10000    1        9222449  9222449
"""
# The same, then: least notional, price band around the mark, decimals of price and quantity, liquidation fee,
# funding cap per 8 h (the cap is not in exchangeInfo: BTC and ETH from the extremes of recorded funding
# 2020-2024, the others Binance's usual 2 %).
_PERP = """
ADA   0.0001   0.0174   20000    1      6000000   1300000   5    0.05  5  0  0.0125  0.02
AVAX  0.001    0.35     2403     1      100000    30000     5    0.10  4  0  0.0150  0.02
BNB   0.01     6.6      100000   0.01   100000    2000      5    0.05  3  2  0.0125  0.02
BTC   0.1      556.8    4529764  0.001  1000      120       100  0.05  2  3  0.0125  0.003
DOGE  0.00001  0.00244  30       1      50000000  30000000  5    0.10  6  0  0.0150  0.02
ETH   0.01     39.86    306177   0.001  10000     2000      20   0.05  2  3  0.0125  0.00375
LINK  0.001    0.464    100000   0.01   200000    50000     20   0.10  3  2  0.0125  0.02
LTC   0.01     3.61     100000   0.001  20000     5000      20   0.05  2  3  0.0125  0.02
SOL   0.01     0.42     6857     0.01   1000000   6000      5    0.05  4  2  0.0150  0.02
XRP   0.0001   0.0143   100000   0.1    10000000  2000000   5    0.05  4  1  0.0125  0.02
"""
_SPOT_FALLBACK = "? 0.00001 0.00001 1000000 0.01 90000000 90000000"
_PERP_FALLBACK = "? 0.00001 0.00001 1000000 1 90000000 90000000 5 0.10 5 0 0.0150 0.02"


def instrument(venue: Venue, base: str, quote: str) -> Instrument:
    """Return the instrument with Binance's filters of the coin, or the fallback's (see the module's text)."""
    return Instrument(venue, base, quote, _TABLES[venue].get(base) or _FALLBACKS[venue])


def known_coins(venue: Venue) -> list[str]:
    """Return the base coins whose real filters are known."""
    return list(_TABLES[venue])


def _spot_filters(columns: list[str]) -> Filters:
    tick, min_px, max_px, lot, max_qty, market_max_qty = map(Decimal, columns)
    return Filters(
        tick=tick,
        min_px=min_px,
        max_px=max_px,
        lot=lot,
        min_qty=lot,
        max_qty=max_qty,
        market_max_qty=market_max_qty,
        min_notional=Decimal(10),
        px_up=Decimal(5),
        px_down=Decimal("0.2"),
        px_decimals=8,
        qty_decimals=8,
        liquidation_fee_rate=Decimal(0),
        funding_cap_rate=Decimal(0),
    )


def _perp_filters(columns: list[str]) -> Filters:
    tick, min_px, max_px, lot, max_qty, market_max_qty, min_notional, band = map(Decimal, columns[:8])
    return Filters(
        tick=tick,
        min_px=min_px,
        max_px=max_px,
        lot=lot,
        min_qty=lot,
        max_qty=max_qty,
        market_max_qty=market_max_qty,
        min_notional=min_notional,
        px_up=1 + band,
        px_down=1 - band,
        px_decimals=int(columns[8]),
        qty_decimals=int(columns[9]),
        liquidation_fee_rate=Decimal(columns[10]),
        funding_cap_rate=Decimal(columns[11]),
    )


def _table(venue: Venue, text: str) -> dict[str, Filters]:
    build = _spot_filters if venue is Venue.SPOT else _perp_filters
    rows = [line.split() for line in text.strip().splitlines()]
    return {row[0]: build(row[1:]) for row in rows}


_TABLES = {Venue.SPOT: _table(Venue.SPOT, _SPOT), Venue.PERP: _table(Venue.PERP, _PERP)}
_FALLBACKS = {
    Venue.SPOT: _table(Venue.SPOT, _SPOT_FALLBACK)["?"],
    Venue.PERP: _table(Venue.PERP, _PERP_FALLBACK)["?"],
}
