"""How tests build venues over a served paper exchange."""

from decimal import Decimal
from typing import Any, Literal

from hedge_leg.adapters.ccxt_client import build_client
from hedge_leg.adapters.ccxt_perp import CcxtPerpVenue
from hedge_leg.adapters.ccxt_venue import CcxtSpotVenue
from hedge_leg.adapters.credentials import Credentials
from paper_exchange.signing import REHEARSAL
from tests.hedge_leg.venue_contract import ExchangeClock
from tests.paper_exchange.clients import PATHS
from tests.paper_exchange.conftest import RunningExchange

KEYS = Credentials(REHEARSAL.key, REHEARSAL.secret)


def client_on(
    exchange: RunningExchange,
    market: Literal["spot", "swap"] = "spot",
    keys: Credentials | None = KEYS,
    **config: Any,
) -> Any:
    """Return our client of the exchange, its nonce following the exchange's clock."""
    urls = {"api": {name: exchange.url + path for name, path in PATHS.items()}}
    ours = {"urls": urls, "enableRateLimit": False} | config
    found = build_client("binance", keys, ours, market=market, timeout_ms=2_000)
    found.nonce = exchange.clock.now_ms
    return found


def spot_on(exchange: RunningExchange, client: Any = None, fee_rate: Decimal | None = None) -> CcxtSpotVenue:
    """Return the spot venue of the exchange's account."""
    clock = ExchangeClock(exchange.clock)
    return CcxtSpotVenue(client or client_on(exchange), clock, fee_rate=fee_rate)


def perp_on(exchange: RunningExchange, client: Any = None) -> CcxtPerpVenue:
    """Return the perp venue of the exchange's account."""
    return CcxtPerpVenue(client or client_on(exchange, "swap"), ExchangeClock(exchange.clock))
