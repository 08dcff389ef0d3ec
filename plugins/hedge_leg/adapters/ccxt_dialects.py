"""What differs between exchanges beyond ccxt's unification: one `Dialect` per exchange.

Sources: the API pages of Binance (spot, USD-M), Bitget (v2), OKX (v5) and Bybit (v5); ccxt's methods.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import ccxt

from hedge_leg.core.amounts import exact

DAY_MS = 86_400_000
Row = Mapping[str, Any]
Fees = Sequence[tuple[Decimal, str]]


@dataclass(frozen=True, slots=True)
class ClientIds:
    """How our client order ids go over the wire: `dash` stands for "-", at most `most` characters.

    Ours are `hl-COINhex-N` with capital letters, hex digits and numbers: a small "z" never occurs in one, so
    the translation is reversible. Journals keep ours.
    """

    dash: str = "-"
    most: int = 36

    def sent(self, client_id: str) -> str:
        """Return an id as the venue takes it; ValueError for one that could not be read back, or too long."""
        found = client_id.replace("-", self.dash)
        if len(found) > self.most or self.read(found) != client_id:
            raise ValueError(f"client order id {client_id} does not fit this exchange")
        return found

    def read(self, wire_id: str) -> str:
        """Return our id of a venue's; ids that are not ours stay as they are."""
        if self.dash == "-" or not re.fullmatch(f"hl{self.dash}[0-9A-Za-z]+{self.dash}[0-9]+", wire_id):
            return wire_id
        return wire_id.replace(self.dash, "-")


def _by_client_id(client: Any, symbol: str, wire_id: str) -> Row:
    """Look an order up by ccxt's unified call; "" as id: ccxt's Bitget joins it to a text."""
    found: Row = client.fetch_order("", symbol, {"clientOrderId": wire_id})
    return found


def _by_link_id(client: Any, symbol: str, wire_id: str) -> Row:
    """Look an order up at Bybit: open and recent orders, then the history. ccxt asks by order id only."""
    market = client.market(symbol)
    query = {
        "category": "spot" if market["spot"] else "linear",
        "symbol": market["id"],
        "orderLinkId": wire_id,
    }
    for ask in (client.privateGetV5OrderRealtime, client.privateGetV5OrderHistory):
        rows = ask(query)["result"]["list"]
        if rows:
            found: Row = client.parse_order(rows[0], market)
            return found
    raise ccxt.OrderNotFound(f"order {wire_id}")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What ccxt does not unify of an exchange.

    `order_trades`: the parameter that narrows the account's trades to one order. `page`: the most rows of a
    history request. `spot_window_ms`, `perp_window_ms`: the longest time span of one. `reach_ms`: how old the
    oldest row is that may be asked for (Binance -4166, Bitget 40704: 90 days). `is_list` tells whether
    a raw answer is a list of rows, `has_balances` whether the raw balance answer is one, `forced` whether the
    venue itself made a perp order. `order_params`: sent with every perp order; `margin_mode_in_orders`: perp
    orders name their margin mode. `look_up(client, symbol, wire id)` raises OrderNotFound;
    `cancel_id`, `cancel_by`: what stands for the order id in a cancel, and the parameter with the client id.
    `ended`: ccxt's method that tells ended orders ("": the first of the usual ones), asked once for each of
    `ended_kinds`; `perp_markets`: ccxt's word for the perps when markets are loaded;
    `perp_trade_kinds`: parameters of each request that together tell all trades of a perp.
    `fees(raw trade)`: amounts (paid positive) and coins of its fee where ccxt is wrong; None: ccxt's.
    `one_wallet`: an account's spot and perps are paid from the same balance.
    `funding_fee`: a settlement's raw field, paid positive, that stands for ccxt's amount where that is not
    received positive; `funding_span(market id, first ms, last ms)`: parameters that limit a request of
    settlements to that market and time.
    """

    client_ids: ClientIds = ClientIds()
    look_up: Callable[[Any, str, str], Row] = _by_client_id
    cancel_id: str | None = ""
    cancel_by: str = "clientOrderId"
    ended: str = ""
    ended_kinds: Sequence[Mapping[str, Any]] = ({},)
    perp_trade_kinds: Sequence[Mapping[str, Any]] = ({},)
    order_trades: str = "orderId"
    fees: Callable[[Row], Fees | None] = lambda _info: None
    funding_fee: str = ""
    funding_span: Callable[[str, int, int], Row] = lambda _market, _first_ms, last_ms: {"until": last_ms}
    perp_markets: str = "swap"
    page: int = 100
    spot_window_ms: int = 7 * DAY_MS
    perp_window_ms: int = 7 * DAY_MS
    reach_ms: int = 89 * DAY_MS
    is_list: Callable[[Any], bool] = bool
    has_balances: Callable[[Any], bool] = bool
    forced: Callable[[Mapping[str, Any]], bool] = lambda _info: False
    order_params: Mapping[str, Any] = field(default_factory=dict)
    margin_mode_in_orders: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    needs_password: bool = False
    one_wallet: bool = False


def _forced_binance(info: Mapping[str, Any]) -> bool:
    """Client ids that Binance gives to its own orders, and the type of older ones."""
    forced = ("autoclose-", "adl_autoclose", "settlement_autoclose-")
    types = (info.get("type"), info.get("origType"))
    return str(info.get("clientOrderId", "")).startswith(forced) or "LIQUIDATION" in types


def _forced_bitget(info: Mapping[str, Any]) -> bool:
    """`tradeSide` of liquidation, delivery and ADL in Bitget's order records."""
    return str(info.get("tradeSide", "")).startswith(("reduce_", "burst_", "delivery_", "dte_sys_adl"))


def _forced_okx(info: Mapping[str, Any]) -> bool:
    """`category` of OKX's own orders."""
    return info.get("category") in ("full_liquidation", "partial_liquidation", "adl", "delivery")


def _forced_bybit(info: Mapping[str, Any]) -> bool:
    """`createType` of liquidation, take-over, ADL and settlement in Bybit's order records."""
    own = ("CreateByLiq", "CreateByTakeOver", "CreateByAdl", "CreateBySettle")
    return str(info.get("createType", "")).startswith(own)


def _fees_bitget(info: Row) -> Fees | None:
    """Return a trade's fees: a negative amount is paid; where BGB pays (`deduction`) one of either sign is.

    ccxt means to tell the two apart; its Python version does not.
    """
    told: Any = info.get("feeDetail")
    if isinstance(told, dict):
        told = [told]
    if not isinstance(told, list):
        return None
    found = []
    for row in told:
        amount = exact(row["totalFee"])
        found.append((abs(amount) if row.get("deduction") == "yes" else -amount, str(row["feeCoin"])))
    return found


def _fees_bybit(info: Row) -> Fees | None:
    """Return a trade's fee in the coin that paid it, MNT for one; ccxt takes the bought or settled coin."""
    coin = info.get("feeCurrency")
    return [(exact(info["execFee"]), coin)] if coin else None


def _bybit_list(answer: Any) -> bool:
    result = answer.get("result") if isinstance(answer, dict) else None
    return isinstance(result, dict) and isinstance(result.get("list"), list)


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
        fees=_fees_bitget,
        order_params={"uta": False},
        margin_mode_in_orders=True,
        # without it ccxt asks for the account's kind before the first order; `account_check` refuses "uta"
        options={"uta": False},
        needs_password=True,
    ),
    "okx": Dialect(
        client_ids=ClientIds(dash="z", most=32),
        ended="fetch_closed_orders",
        ended_kinds=({"state": "filled"}, {"state": "canceled"}),
        order_trades="ordId",
        is_list=lambda answer: isinstance(answer, dict) and isinstance(answer.get("data"), list),
        has_balances=lambda info: isinstance(info, dict) and bool(info.get("data")),
        forced=_forced_okx,
        margin_mode_in_orders=True,
        # ccxt sends no span: of all pairs together only the newest page would be told
        funding_span=lambda market, first_ms, last_ms: {
            "instId": market,
            "begin": str(first_ms),
            "end": str(last_ms),
        },
        # ccxt's default, an order as a list of one, loses `maxRetriesOnFailure`: it would be sent again
        options={"createOrder": "privatePostTradeOrder"},
        needs_password=True,
        one_wallet=True,
    ),
    "bybit": Dialect(
        look_up=_by_link_id,
        perp_markets="linear",
        cancel_id=None,
        cancel_by="orderLinkId",
        ended="fetch_canceled_and_closed_orders",
        fees=_fees_bybit,
        # "Positive fee value means receive funding .. This is opposite to the execFee" (transaction log)
        funding_fee="execFee",
        # ccxt asks for trades of the kind "Trade" alone, which a liquidation's are not
        perp_trade_kinds=({"execType": "Trade"}, {"execType": "BustTrade"}, {"execType": "AdlTrade"}),
        page=50,
        is_list=_bybit_list,
        has_balances=lambda info: isinstance(info, dict) and _bybit_list(info),
        forced=_forced_bybit,
        # without these ccxt asks for the account's kind first; `account_check` refuses all others
        options={"enableUnifiedMargin": False, "enableUnifiedAccount": True, "unifiedMarginStatus": 6},
        one_wallet=True,
    ),
}
_DIALECTS["binanceusdm"] = _DIALECTS["binance"]
for _name in ("okxus", "myokx"):
    _DIALECTS[_name] = _DIALECTS["okx"]


def dialect_of(exchange_id: str) -> Dialect:
    """Return what is known of an exchange; cautious defaults for others."""
    return _DIALECTS.get(exchange_id, Dialect())
