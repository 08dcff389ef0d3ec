"""ccxt clients as this package uses them, and what differs between exchanges beyond ccxt's unification.

`strict` is the rule that matters most: ccxt reads an answer that is not JSON, or an empty object, as "no
orders", "no trades", "no balances" or an order without an id. A strict client refuses to answer instead.
"""

import copy
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import ccxt
import requests

from hedge_leg.adapters.credentials import Credentials
from hedge_leg.errors import ConfigError

DAY_MS = 86_400_000
NO_RETRY: Mapping[str, object] = {"maxRetriesOnFailure": 0}  # beats whatever ccxt_config says
# ccxt logs headers, that is the API key, at DEBUG: this logger stays above it whatever freqtrade's -v says.
_quiet = logging.getLogger("hedge_leg.ccxt")
_quiet.setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What ccxt does not unify of an exchange.

    `order_trades`: the parameter that narrows the account's trades to one order. `page`: the most rows of a
    history request. `spot_window_ms`, `perp_window_ms`: the longest time span of one. `is_list` tells whether
    a raw answer is a list of rows, `has_balances` whether the raw balance answer is one, `forced` whether the
    venue itself made a perp order. `order_params`: sent with every perp order; `margin_mode_in_orders`: perp
    orders name their margin mode.
    """

    order_trades: str = "orderId"
    page: int = 100
    spot_window_ms: int = 7 * DAY_MS
    perp_window_ms: int = 7 * DAY_MS
    is_list: Callable[[Any], bool] = bool
    has_balances: Callable[[Any], bool] = bool
    forced: Callable[[Mapping[str, Any]], bool] = lambda _info: False
    order_params: Mapping[str, Any] = field(default_factory=dict)
    margin_mode_in_orders: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    needs_password: bool = False


def _forced_binance(info: Mapping[str, Any]) -> bool:
    """Client ids that Binance gives to its own orders, and the type of older ones."""
    forced = ("autoclose-", "adl_autoclose", "settlement_autoclose-")
    types = (info.get("type"), info.get("origType"))
    return str(info.get("clientOrderId", "")).startswith(forced) or "LIQUIDATION" in types


def _forced_bitget(info: Mapping[str, Any]) -> bool:
    """`tradeSide` of liquidation, delivery and ADL in Bitget's order records."""
    return str(info.get("tradeSide", "")).startswith(("reduce_", "burst_", "delivery_", "dte_sys_adl"))


_DIALECTS = {
    "binance": Dialect(
        page=1000,
        spot_window_ms=DAY_MS,
        is_list=lambda answer: isinstance(answer, list),
        has_balances=lambda info: isinstance(info, dict) and isinstance(info.get("balances"), list),
        forced=_forced_binance,
        # no wallet or margin endpoints when markets load: they need permissions that trading does not
        options={"fetchCurrencies": False, "fetchMargins": False},
    ),
    "bitget": Dialect(
        page=100,
        is_list=lambda answer: isinstance(answer, dict) and isinstance(answer.get("data"), list | dict),
        has_balances=lambda info: isinstance(info, list),
        forced=_forced_bitget,
        order_params={"uta": False},
        margin_mode_in_orders=True,
        # without it ccxt asks for the account's kind before the first order; `account_check` refuses "uta"
        options={"uta": False},
        needs_password=True,
    ),
    "okx": Dialect(order_trades="ordId", needs_password=True),
    "bybit": Dialect(),
}
_DIALECTS["binanceusdm"] = _DIALECTS["binance"]
_NO_DASH_IN_CLIENT_IDS = frozenset({"okx", "okxus", "myokx"})


def dialect_of(exchange_id: str) -> Dialect:
    """Return what is known of an exchange; cautious defaults for others."""
    return _DIALECTS.get(exchange_id, Dialect())


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
    exchange that ccxt or our client ids do not fit.
    """
    if exchange_id not in ccxt.exchanges:
        raise ConfigError(f"exchange {exchange_id!r} is not known to ccxt: see hedge_leg.exchange.name")
    if exchange_id in _NO_DASH_IN_CLIENT_IDS:
        raise ConfigError(f"exchange {exchange_id!r} takes no '-' in client order ids: choose another")
    dialect = dialect_of(exchange_id)
    if credentials is not None and dialect.needs_password and not credentials.password:
        raise ConfigError(f"{exchange_id} needs a passphrase: set FREQTRADE__HEDGE_LEG__PASSWORD")
    kinds = ["spot"] if market == "spot" else ["spot", "linear"]
    types = kinds if exchange_id == "binance" else [market]
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
