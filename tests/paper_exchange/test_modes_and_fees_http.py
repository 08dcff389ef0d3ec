"""Modes, permissions and fees over HTTP: what a client can detect, and who pays what in which coin."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from paper_exchange.account import Account
from paper_exchange.account_options import fees_of, open_account, permissions_of
from paper_exchange.errors import UsageError
from paper_exchange.fees import Fees, Rates
from paper_exchange.signing import REHEARSAL, Credentials, Permission
from paper_exchange.store import CandleStore
from tests.paper_exchange.clients import signed_client
from tests.paper_exchange.conftest import NOW, RunningExchange, at_ms, serving
from tests.paper_exchange.rehearsal import PERP, PERP_ORDER, SPOT, SPOT_ORDER, Rehearsal

STEP = Decimal("1e-8")
BNB_PX = Decimal(250)
SAID_NO = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}


@pytest.fixture
def desk(fresh: RunningExchange) -> Rehearsal:
    return Rehearsal.on(fresh)


def desk_with(account: Account, datadir: Path, store: CandleStore) -> Iterator[Rehearsal]:
    with serving(datadir, store, account) as running:
        yield Rehearsal(running, signed_client(running.url, running.clock))


@pytest.fixture
def with_account(request: Any, sample_datadir: Path, sample_store: CandleStore) -> Iterator[Rehearsal]:
    """Serve to an account opened with the test's parameters."""
    account = Account.funded(at_ms(NOW), **request.param)
    yield from desk_with(account, sample_datadir, sample_store)


def setting(desk: Rehearsal, name: str, **params: Any) -> Any:
    return desk.ask("POST", f"/fapi/v1/{name}", **params).json()


def test_position_mode_is_told_changed_and_held_by_positions(desk: Rehearsal) -> None:
    assert setting(desk, "positionSide/dual", dualSidePosition="false")["code"] == -4059
    desk.client.set_position_mode(True, PERP)
    assert desk.client.fapiprivate_get_positionside_dual() == {"dualSidePosition": True}
    for side in ("BOTH", "SHORT"):
        refused = desk.ask("POST", PERP_ORDER, side="SELL", type="MARKET", quantity="0.1", positionSide=side)
        assert refused.json()["code"] == -4061
    desk.client.set_position_mode(False, PERP)
    resting = desk.client.create_limit_buy_order(PERP, 0.1, 16_500)
    assert setting(desk, "positionSide/dual", dualSidePosition="true")["code"] == -4067
    assert setting(desk, "marginType", marginType="ISOLATED")["code"] == -4047
    desk.client.cancel_order(resting["id"], PERP)
    desk.client.create_market_sell_order(PERP, 0.1)
    assert setting(desk, "positionSide/dual", dualSidePosition="true")["code"] == -4068
    assert setting(desk, "positionSide/dual", dualSidePosition="maybe")["code"] == -1130
    assert setting(desk, "marginType", marginType="CROSSED")["code"] == -4046
    assert setting(desk, "leverage", leverage="0")["code"] == -4028
    assert setting(desk, "leverage", leverage="200")["code"] == -4028


def test_multi_assets_mode_excludes_isolated_margin(desk: Rehearsal) -> None:
    assert setting(desk, "multiAssetsMargin", multiAssetsMargin="false")["code"] == -4171
    desk.client.set_margin_mode("isolated", PERP)
    assert setting(desk, "multiAssetsMargin", multiAssetsMargin="true")["code"] == -4167
    desk.client.set_margin_mode("cross", PERP)
    resting = desk.client.create_limit_buy_order(PERP, 0.1, 16_500)
    assert setting(desk, "multiAssetsMargin", multiAssetsMargin="true")["code"] == -4170
    desk.client.cancel_order(resting["id"], PERP)
    assert setting(desk, "multiAssetsMargin", multiAssetsMargin="true") == {"code": 200, "msg": "success"}
    assert desk.client.fapiprivate_get_multiassetsmargin() == {"multiAssetsMargin": True}
    assert desk.client.fapiprivatev2_get_account()["multiAssetsMargin"] is True
    assert setting(desk, "marginType", marginType="ISOLATED")["code"] == -4168


@pytest.mark.parametrize("with_account", [{"hedge_mode": True, "multi_assets": True}], indirect=True)
def test_account_may_be_opened_in_both_modes(with_account: Rehearsal) -> None:
    assert with_account.client.fapiprivate_get_positionside_dual() == {"dualSidePosition": True}
    assert with_account.client.fapiprivate_get_multiassetsmargin() == {"multiAssetsMargin": True}
    told = with_account.client.fapiprivate_get_accountconfig()
    assert (told["dualSidePosition"], told["multiAssetsMargin"], told["canTrade"]) == (True, True, True)


@pytest.mark.parametrize(
    "with_account",
    [{"credentials": Credentials(REHEARSAL.key, REHEARSAL.secret, frozenset({Permission.READ}))}],
    indirect=True,
)
def test_reading_key_sees_spot_and_trades_nothing(with_account: Rehearsal) -> None:
    client = with_account.client
    rights = client.sapi_get_account_apirestrictions()
    told = {name: rights[name] for name in ("enableReading", "enableSpotAndMarginTrading", "enableFutures")}
    assert told == {"enableReading": True, "enableSpotAndMarginTrading": False, "enableFutures": False}
    assert client.private_get_account()["balances"]
    order: dict[str, Any] = {"side": "BUY", "type": "MARKET", "quantity": "0.1"}
    for method, path in (("POST", SPOT_ORDER), ("POST", PERP_ORDER), ("GET", "/fapi/v2/balance")):
        answer = with_account.ask(method, path, **order)
        assert (answer.status_code, answer.json()) == (401, SAID_NO), path
    newcomer = signed_client(with_account.exchange.url, with_account.exchange.clock)
    with pytest.raises(ccxt.AuthenticationError):
        newcomer.fetch_balance({"type": "future"})


@pytest.mark.parametrize(
    "with_account",
    [
        {
            "credentials": Credentials(
                REHEARSAL.key, REHEARSAL.secret, frozenset({Permission.READ, Permission.FUTURES})
            )
        }
    ],
    indirect=True,
)
def test_futures_key_trades_futures_only(with_account: Rehearsal) -> None:
    order: dict[str, Any] = {"side": "BUY", "type": "MARKET", "quantity": "0.1"}
    assert with_account.ask("POST", PERP_ORDER, **order).status_code == 200
    assert with_account.ask("POST", SPOT_ORDER, **order).json() == SAID_NO


RATES = Fees(
    spot=Rates(maker=Decimal("0.0008"), taker=Decimal("0.0012")),
    perp=Rates(maker=Decimal("0.0001"), taker=Decimal("0.0006")),
)


@pytest.mark.parametrize("with_account", [{"fees": RATES}], indirect=True)
def test_rates_are_told_and_charged(with_account: Rehearsal) -> None:
    desk = with_account
    desk.client.load_markets()
    assert desk.client.fetch_trading_fee(SPOT)["taker"] == 0.0012
    assert desk.client.fetch_trading_fee(PERP)["maker"] == 0.0001
    told = desk.ask("GET", "/api/v3/account/commission").json()
    assert told["standardCommission"]["maker"] == "0.00080000"
    assert told["discount"]["enabledForAccount"] is False
    for pair, rates in ((SPOT, RATES.spot), (PERP, RATES.perp)):
        ask = desk.client.fetch_order_book(pair, 5)["asks"][0][0]
        desk.client.create_market_buy_order(pair, 0.01)
        desk.client.create_limit_buy_order(pair, 0.01, round(ask * 0.9995, 1))
        desk.exchange.clock.advance_ms(6 * 3_600_000)
        taken, rested = desk.client.fetch_my_trades(pair)
        for trade, rate in ((taken, rates.taker), (rested, rates.maker)):
            base = trade["fee"]["currency"] == "BTC"
            paid_on = Decimal(trade["info"]["qty"] if base else trade["info"]["quoteQty"])
            assert Decimal(trade["info"]["commission"]) == (paid_on * rate).quantize(STEP, "ROUND_DOWN")
        assert (taken["takerOrMaker"], rested["takerOrMaker"]) == ("taker", "maker")


@pytest.mark.parametrize(
    "with_account",
    [{"bnb": Decimal("0.02"), "fees": Fees(spot_in_bnb=True, perp_in_bnb=True, bnb_px=BNB_PX)}],
    indirect=True,
)
def test_fees_are_paid_in_bnb_while_it_lasts(with_account: Rehearsal) -> None:
    desk, spent = with_account, Decimal(0)
    desk.client.load_markets()
    for qty in (0.1, 0.6, 0.2):  # worth about 1, 8 and 3 USDT of fees; the BNB are worth 5
        desk.client.create_market_buy_order(SPOT, qty)
        desk.exchange.clock.advance_ms(60_000)
    trades = desk.client.fetch_my_trades(SPOT)
    coins: set[str] = set()
    for trade in trades:
        fee, notional = Decimal(trade["info"]["commission"]), Decimal(trade["info"]["quoteQty"])
        if trade["fee"]["currency"] == "BNB":
            assert fee == (notional * Decimal("0.00075") / BNB_PX).quantize(STEP, "ROUND_DOWN")
            spent += fee
        else:
            assert trade["fee"]["currency"] == "BTC"
            assert fee == (Decimal(trade["info"]["qty"]) * Decimal("0.001")).quantize(STEP, "ROUND_DOWN")
        coins.add(trade["fee"]["currency"])
    assert coins == {"BNB", "BTC"}
    balance = desk.client.fetch_balance()
    assert Decimal(str(balance["BNB"]["free"])) == Decimal("0.02") - spent
    fees_btc = sum(Decimal(t["info"]["commission"]) for t in trades if t["fee"]["currency"] == "BTC")
    assert Decimal(str(balance["BTC"]["free"])) == Decimal("0.9") - fees_btc


@pytest.mark.parametrize(
    "with_account",
    [{"bnb": Decimal(1), "fees": Fees(perp_in_bnb=True, bnb_px=BNB_PX)}],
    indirect=True,
)
def test_futures_fee_in_bnb_leaves_the_usdt_wallet_alone(with_account: Rehearsal) -> None:
    desk = with_account
    desk.client.load_markets()
    desk.client.create_market_sell_order(PERP, 0.1)
    [trade] = desk.client.fetch_my_trades(PERP)
    due = Decimal(trade["info"]["quoteQty"]) * Decimal("0.00045") / BNB_PX
    assert trade["fee"]["currency"] == "BNB"
    assert Decimal(trade["info"]["commission"]) == due.quantize(STEP, "ROUND_DOWN")
    [income] = desk.client.fapiprivate_get_income({"incomeType": "COMMISSION"})
    assert (income["asset"], Decimal(income["income"])) == ("BNB", -due.quantize(STEP, "ROUND_DOWN"))
    balance = desk.client.fetch_balance({"type": "future"})
    assert Decimal(str(balance["BNB"]["total"])) == 1 - due.quantize(STEP, "ROUND_DOWN")
    assert desk.client.fapiprivatev2_get_account()["totalWalletBalance"] == "100000.00000000"
    assert setting(desk, "feeBurn", feeBurn="false")["code"] == 200
    desk.client.create_market_buy_order(PERP, 0.1)
    assert desk.client.fetch_my_trades(PERP)[-1]["fee"]["currency"] == "USDT"


def test_transfers_move_money_between_the_wallets(desk: Rehearsal) -> None:
    moved = desk.client.transfer("USDT", 30_000, "spot", "swap")
    assert moved["id"] == "1"
    assert desk.client.fetch_balance()["USDT"]["free"] == 70_000
    assert desk.client.fetch_balance({"type": "future"})["USDT"]["free"] == 130_000
    [income] = desk.client.fapiprivate_get_income({"incomeType": "TRANSFER"})
    assert (income["income"], income["symbol"]) == ("30000.00000000", "")
    with pytest.raises(ccxt.ExchangeError, match="-5013"):
        desk.client.transfer("USDT", 70_001, "spot", "swap")
    desk.client.create_market_sell_order(PERP, 100)
    with pytest.raises(ccxt.ExchangeError, match="-5013"):
        desk.client.transfer("USDT", 129_000, "swap", "spot")
    desk.client.transfer("USDT", 10_000, "swap", "spot")
    assert desk.client.fetch_balance()["USDT"]["free"] == 80_000
    [row] = desk.client.fetch_transfers("USDT", params={"fromAccount": "spot", "toAccount": "swap"})
    assert (row["amount"], row["status"]) == (30_000, "ok")


def test_command_line_fees_are_exact_decimals() -> None:
    fees = fees_of(10.0, None, 4.5, None, 0.0, None)
    assert fees == Fees(
        Rates(Decimal("0.001"), Decimal("0.001")), Rates(Decimal("0.0002"), Decimal("0.00045"))
    )
    assert fees_of(10.0, 0.0, 1.5, None, 0.5, 600.0).perp == Rates(Decimal("0.00015"), Decimal("0.00015"))
    opened = open_account(
        1,
        spot_usdt=1.0,
        futures_usdt=2.0,
        bnb=0.1,
        fees=fees,
        permissions=permissions_of("read, spot"),
        hedge_mode=False,
        multi_assets=False,
    )
    assert opened.credentials.permissions == {Permission.READ, Permission.SPOT}
    assert opened.perp.balance("BNB") == Decimal("0.1")
    with pytest.raises(UsageError, match="--key-permissions margin"):
        permissions_of("read,margin")
