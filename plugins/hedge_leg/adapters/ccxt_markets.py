"""Filters of a spot market, from ccxt's market structure."""

from decimal import Decimal
from typing import Any

import ccxt

from hedge_leg.core.amounts import ZERO, exact
from hedge_leg.errors import ConfigError
from hedge_leg.ports import MarketRules

NO_LIMIT = Decimal(10) ** 15  # base units; stands for "the venue states no largest order"


def spot_rules(client: Any, symbol: str, fee_rate: Decimal | None) -> MarketRules:
    """Return the filters of a loaded market; ConfigError when it is not a spot market or states no lot.

    LOT_SIZE, MARKET_LOT_SIZE, PRICE_FILTER and NOTIONAL stand in ccxt's `precision` and `limits`.
    """
    market = client.markets.get(symbol)
    if market is None or not market.get("spot"):
        raise ConfigError(f"{client.id} has no spot market {symbol}: take its pair off the whitelist")
    limits = market["limits"]
    lot, tick = (_step(client, market["precision"].get(name)) for name in ("amount", "price"))
    if lot is None or tick is None:
        raise ConfigError(f"{client.id} states no lot or tick of {symbol}: it cannot be traded exactly")
    most = [_limit(limits, "amount", "max"), _limit(limits, "market", "max")]
    rate = fee_rate if fee_rate is not None else exact(market.get("taker") or 0)
    return MarketRules(
        symbol=symbol,
        base=market["base"],
        quote=market["quote"],
        lot=lot,
        tick=tick,
        min_qty=_limit(limits, "amount", "min") or lot,
        max_qty=min((qty for qty in most if qty), default=NO_LIMIT),
        min_notional=_limit(limits, "cost", "min") or ZERO,
        fee_rate=rate,
        fee_in_base=(market.get("feeSide") or "get") == "get",
        active=market.get("active") is not False,
    )


def _limit(limits: Any, of: str, name: str) -> Decimal | None:
    """Return a limit; None when the venue states none (0 means that too)."""
    value = (limits.get(of) or {}).get(name)
    return exact(value) or None if value is not None else None


def _step(client: Any, precision: Any) -> Decimal | None:
    """Return the smallest step that a precision of ccxt stands for."""
    if precision is None:
        return None
    if client.precisionMode == ccxt.TICK_SIZE:
        return exact(precision).normalize() or None
    if client.precisionMode == ccxt.DECIMAL_PLACES:
        return Decimal(1).scaleb(-int(exact(precision)))
    return None
