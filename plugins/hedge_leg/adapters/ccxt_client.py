"""ccxt clients as this package uses them; what differs between exchanges stands in `ccxt_dialects`.

`strict` is the rule that matters most: ccxt reads an answer that is not JSON, or an empty object, as "no
orders", "no trades", "no balances" or an order without an id. A strict client refuses to answer instead.
"""

import copy
import logging
from collections.abc import Mapping
from typing import Any, Literal

import ccxt
import requests

from hedge_leg.adapters.ccxt_dialects import dialect_of
from hedge_leg.adapters.credentials import Credentials
from hedge_leg.errors import ConfigError

NO_RETRY: Mapping[str, object] = {"maxRetriesOnFailure": 0}  # beats whatever ccxt_config says
# ccxt logs headers, that is the API key, at DEBUG: this logger stays above it whatever freqtrade's -v says.
_quiet = logging.getLogger("hedge_leg.ccxt")
_quiet.setLevel(logging.INFO)


def build_client(
    exchange_id: str,
    credentials: Credentials | None,
    ccxt_config: Mapping[str, Any] | None = None,
    *,
    market: Literal["spot", "swap"] = "spot",
    timeout_ms: int = 5_000,
) -> Any:
    """Return a synchronous ccxt client; nothing is sent yet. None as credentials: public data only.

    `ccxt_config` is merged over our defaults as freqtrade merges its own (nested objects are merged, not
    replaced); the keys, `timeout_ms` and what the adapters rely on are not its business. ConfigError for an
    exchange that ccxt does not know, or without its passphrase.
    """
    if exchange_id not in ccxt.exchanges:
        raise ConfigError(f"exchange {exchange_id!r} is not known to ccxt: see hedge_leg.exchange.name")
    dialect = dialect_of(exchange_id)
    if credentials is not None and dialect.needs_password and not credentials.password:
        raise ConfigError(f"{exchange_id} needs a passphrase: set FREQTRADE__HEDGE_LEG__PASSWORD")
    kinds = ["spot"] if market == "spot" else ["spot", "linear"]
    types = kinds if exchange_id == "binance" else ["spot" if market == "spot" else dialect.perp_markets]
    defaults: dict[str, Any] = {
        "enableRateLimit": True,
        "options": {"adjustForTimeDifference": True, "fetchMarkets": {"types": types}},
    }
    ours: dict[str, Any] = {
        "timeout": timeout_ms,
        "options": {
            "defaultType": market,
            # an order that was held up on its way is refused (-1021) once nobody waits for its answer
            "recvWindow": timeout_ms,
            "newOrderRespType": {"limit": "FULL", "market": "FULL" if market == "spot" else "RESULT"},
            **dialect.options,
        },
    }
    config = ccxt.Exchange.deep_extend(defaults, dict(ccxt_config or {}), ours)
    for name in ("apiKey", "secret", "password", "uid"):
        config.pop(name, None)
    if credentials is not None:
        keys = {"apiKey": credentials.key, "secret": credentials.secret}
        optional = {"password": credentials.password, "uid": credentials.uid}
        config |= keys | {name: value for name, value in optional.items() if value}
    return strict(getattr(ccxt, exchange_id)(config))


def strict(client: Any) -> Any:
    """Return a copy of a client that shares its settings and keys, but not its connection.

    Numbers come as the venue's decimal texts, a redirect is an error (a POST must not go out twice), and an
    answer that is not JSON, or an empty object, raises ccxt.BadResponse. `last_answer` is the last raw one.
    """
    if getattr(client, "hedge_leg_strict", False):
        return client
    found = copy.copy(client)
    found.hedge_leg_strict = True
    found.last_answer = None
    found.number = str
    found.logger = _quiet
    if isinstance(client.session, requests.Session):
        found.session = requests.Session()
        found.session.trust_env = client.session.trust_env
        found.session.max_redirects = 0
    unchecked = found.fetch

    def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        answer = unchecked(url, method, headers, body)
        rows = answer if isinstance(answer, list) else [answer or None]
        if not all(isinstance(row, dict | list) for row in rows):
            raise ccxt.BadResponse(f"{found.id} {method}: the answer is not JSON, or empty")
        found.last_answer = answer
        return answer

    found.fetch = fetch
    return found
