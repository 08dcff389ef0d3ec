"""Look at an account before anything is traded on it: keys, permissions, modes, markets.

Every finding is one line: what, where, what to do. Where an exchange has no endpoint for a question, nothing
is said about it. An exchange that does not answer is no finding: VenueUnavailable.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from hedge_leg.adapters.ccxt_calls import number
from hedge_leg.adapters.ccxt_client import strict
from hedge_leg.adapters.ccxt_dialects import dialect_of
from hedge_leg.adapters.ccxt_errors import answer_of, classify
from hedge_leg.adapters.ccxt_refusals import Kind, Refusals, perp_refusals, spot_refusals
from hedge_leg.errors import ConfigError, VenueRefused, VenueUnavailable

_PERMISSION_CODES = frozenset({"-2015", "40014", "40018", "10005"})
OKX_IDS = frozenset({"okx", "okxus", "myokx"})
_OKX_LEVELS = {"1": "spot mode", "3": "multi-currency margin", "4": "portfolio margin"}
_BYBIT_MARGIN = {"isolated": "ISOLATED_MARGIN", "cross": "REGULAR_MARGIN"}


class _Refused(Exception):
    """The venue answered a question with an error of its own."""

    def __init__(self, code: str, text: str, auth: bool) -> None:
        super().__init__(text)
        self.code = code
        self.auth = auth


class _Side:
    """One client with the name its findings carry."""

    def __init__(self, client: Any, name: str, refusals: Refusals) -> None:
        self.client = strict(client)
        self.name = f"{client.id} {name}"
        self._refusals = refusals
        keys = (getattr(client, field, None) for field in ("apiKey", "secret", "password", "uid"))
        self._secrets = tuple(key for key in keys if key)

    def ask(self, call: Callable[[], Any]) -> Any:
        """Return an answer; _Refused when the venue answers an error, VenueUnavailable when nothing."""
        try:
            return call()
        except Exception as error:  # ccxt's parsers fail in ways nobody lists
            verdict = classify(error, self._refusals, self._secrets)
            answer = answer_of(error)
        told = bool(answer.code.strip("0")) and (answer.status is None or answer.status < 500)
        code = verdict.code if isinstance(verdict, VenueRefused) else ""
        if (told or code) and not code.startswith((Kind.RATE_LIMIT, Kind.CLOCK)):
            raise _Refused(answer.code, str(verdict), code.startswith(Kind.AUTH))
        raise VenueUnavailable(f"{self.name} cannot be checked: {verdict}")

    def maybe(self, call: Callable[[], Any]) -> Any:
        """Return an answer, or None when the venue does not offer it to this key."""
        try:
            return self.ask(call)
        except _Refused:
            return None


def check_account(
    spot: Any, perp: Any | None, pairs: Iterable[tuple[str, str]], *, margin_mode: str = "isolated"
) -> None:
    """Raise ConfigError with one line per finding; `pairs`: (perp pair, spot symbol).

    `spot` and `perp` are ccxt clients with keys; markets are loaded where they are not. None as `perp`: only
    spot is looked at. VenueUnavailable when an exchange does not answer.
    """
    pairs = tuple(pairs)
    spot_side = _Side(spot, "spot", spot_refusals(spot.id))
    found = list(_spot_findings(spot_side, pairs))
    if perp is not None:
        side = _Side(perp, "futures", perp_refusals(perp.id))
        found += _perp_findings(side, [pair for pair, _ in pairs], margin_mode)
        found += _quote_findings(spot_side.client, side.client, pairs)
    if found:
        raise ConfigError("\n".join(found))


def _spot_findings(side: _Side, pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    client = side.client
    if dialect_of(client.id).needs_password and not client.password:
        yield f"{side.name}: no passphrase: set FREQTRADE__HEDGE_LEG__PASSWORD"
        return
    if client.id == "bitget" and side.maybe(client.privateUtaGetV3AccountSettings) is not None:
        yield f"{side.name}: this is a unified trading account: switch it to the classic account"
        return
    markets = side.ask(lambda: client.markets or client.load_markets())
    try:
        balance = side.ask(lambda: client.fetch_balance({"type": "spot"}))
    except _Refused as refused:
        yield _key_finding(side, refused)
        return
    info = balance.get("info")
    if isinstance(info, dict) and info.get("canTrade") is False:
        yield f"{side.name}: the account may not trade: see the exchange's account page"
    if client.id == "binance":
        rights = side.maybe(client.sapiGetAccountApiRestrictions) or {}
        if rights.get("enableSpotAndMarginTrading") is False:
            yield f"{side.name}: the API key may not trade: enable spot trading for it"
    if client.id in OKX_IDS:
        yield from _okx_key_findings(side)
    if client.id == "bybit":
        yield from _bybit_key_findings(side, "Spot", "spot trading")
    for pair, symbol in pairs:
        if symbol not in markets or not markets[symbol].get("spot"):
            yield f"{side.name}: no spot market {symbol} for {pair}: take the pair off the whitelist"


def _perp_findings(side: _Side, pairs: Sequence[str], margin_mode: str) -> Iterator[str]:
    client = side.client
    if client.options.get("portfolioMargin") or client.options.get("papi"):
        yield f"{side.name}: portfolio margin is set in ccxt_config: the hedge needs a standard account"
        return
    markets = side.ask(lambda: client.markets or client.load_markets())
    try:
        side.ask(lambda: client.fetch_balance({"type": "swap"}))
    except _Refused as refused:
        yield _key_finding(side, refused)
        return
    known = [pair for pair in pairs if pair in markets and markets[pair].get("swap")]
    yield from (
        f"{side.name}: no perpetual {pair}: take it off the whitelist" for pair in pairs if pair not in known
    )
    if client.id in ("binance", "binanceusdm"):
        yield from _binance_findings(side)
    if client.id in OKX_IDS:
        yield from _okx_findings(side)
    if client.id == "bybit":
        yield from _bybit_findings(side, margin_mode)
    if not known:
        return
    if _hedged(side, known[0]):
        yield f"{side.name}: positions are in hedge mode: switch the account to one-way mode"
    if client.id == "bitget":
        account = (side.maybe(lambda: client.fetch_margin_mode(known[0])) or {}).get("info") or {}
        if account.get("assetMode") == "union":
            yield f"{side.name}: multi-asset mode is on: switch the account to single-asset mode"
    # without a position freqtrade sets the mode itself before it orders; with one it cannot
    for row in side.maybe(lambda: client.fetch_positions(known)) or ():
        mode = row.get("marginMode")
        if mode and mode != margin_mode and number(row, "contracts"):
            place = f"{side.name}: {row['symbol']}"
            yield f"{place} has a position with {mode} margin, not {margin_mode}: close it"


def _binance_findings(side: _Side) -> Iterator[str]:
    client = side.client
    account = side.maybe(client.fapiPrivateV2GetAccount) or {}
    if account.get("canTrade") is False:
        yield f"{side.name}: the account may not trade futures: see the exchange's account page"
    rights = side.maybe(client.sapiGetAccountApiRestrictions) or {}
    if rights.get("enableFutures") is False:
        yield f"{side.name}: the API key may not trade futures: enable futures for it"
    mode = side.maybe(client.fapiPrivateGetMultiAssetsMargin) or {}
    if mode.get("multiAssetsMargin") is True or account.get("multiAssetsMargin") is True:
        yield f"{side.name}: multi-assets mode is on: switch the account to single-asset mode"


def _okx_config(side: _Side) -> dict[str, Any]:
    """Return OKX's account configuration; VenueUnavailable when it cannot be read: never taken as good."""
    rows = side.ask(side.client.privateGetAccountConfig).get("data") or []
    if not rows:
        raise VenueUnavailable(f"{side.name} cannot be checked: no account configuration")
    found: dict[str, Any] = rows[0]
    return found


def _okx_key_findings(side: _Side) -> Iterator[str]:
    account = _okx_config(side)
    if "perm" in account and "trade" not in str(account["perm"]).split(","):
        yield f"{side.name}: the API key may not trade: enable trading for it"
    if account.get("enableSpotBorrow") in (True, "true") or account.get("autoLoan") in (True, "true"):
        yield f"{side.name}: auto-borrow is on: switch it off, a hedge is bought with money"


def _okx_findings(side: _Side) -> Iterator[str]:
    level = str(_okx_config(side).get("acctLv"))
    if level != "2":
        name = _OKX_LEVELS.get(level, "unknown")
        yield f"{side.name}: the account level is {level} ({name}): switch the account to futures mode (2)"


def _bybit_key_findings(side: _Side, section: str, what: str) -> Iterator[str]:
    key = side.ask(side.client.privateGetV5UserQueryApi).get("result") or {}
    if str(key.get("readOnly")) == "1" or not (key.get("permissions") or {}).get(section):
        yield f"{side.name}: the API key may not trade: enable {what} for it"


def _bybit_findings(side: _Side, margin_mode: str) -> Iterator[str]:
    account = side.ask(side.client.privateGetV5AccountInfo).get("result") or {}
    if str(account.get("unifiedMarginStatus")) not in ("3", "4", "5", "6"):
        yield f"{side.name}: this is a classic account: upgrade it to the unified trading account"
        return
    mode = account.get("marginMode")
    if mode != _BYBIT_MARGIN.get(margin_mode):
        yield f"{side.name}: the margin mode is {mode}, not {margin_mode}: switch the account's"
    yield from _bybit_key_findings(side, "ContractTrade", "contract trading")


def _hedged(side: _Side, pair: str) -> bool:
    client = side.client
    if client.id == "bybit":
        query = {"category": "linear", "symbol": client.market(pair)["id"]}
        result = side.ask(lambda: client.privateGetV5PositionList(query)).get("result") or {}
        return any(str(row.get("positionIdx", "0")) != "0" for row in result.get("list") or ())
    if client.has.get("fetchPositionMode"):
        return bool((side.maybe(lambda: client.fetch_position_mode(pair)) or {}).get("hedged"))
    if client.id == "bitget":
        account = (side.maybe(lambda: client.fetch_margin_mode(pair)) or {}).get("info") or {}
        return bool(account.get("posMode") == "hedge_mode")
    return False


def _quote_findings(spot: Any, perp: Any, pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Compare the coins of the two legs: a hedge in another quote, or of another base, is none."""
    for pair, symbol in pairs:
        perp_leg, spot_leg = (perp.markets or {}).get(pair), (spot.markets or {}).get(symbol)
        if perp_leg is None or spot_leg is None:
            continue
        if perp_leg["quote"] != spot_leg["quote"]:
            yield f"{pair} is quoted in {perp_leg['quote']}, {symbol} in {spot_leg['quote']}: use one quote"
        if perp_leg["base"] != spot_leg["base"]:
            yield f"{pair} is {perp_leg['base']}, {symbol} is {spot_leg['base']}: a hedge needs the same coin"


def _key_finding(side: _Side, refused: _Refused) -> str:
    if refused.code in _PERMISSION_CODES:
        text = "the key is not accepted: wrong key, no permission, or this address is not on its list"
    elif refused.auth:
        text = "the API key or its secret is wrong: check the environment variables"
    else:
        raise VenueUnavailable(f"{side.name} cannot be checked: {refused}") from None
    return f"{side.name}: {text} ({refused.code or refused})"
