"""The account over HTTP with ccxt: balances, leverage, margin types, brackets, positions."""

import json
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paper_exchange.brackets import bracket_of, brackets, most_notional
from paper_exchange.errors import RefusedRequestError
from paper_exchange.instruments import Venue, known_coins
from paper_exchange.spot_wallet import SpotWallet
from tests.paper_exchange.clients import send, sign, signed_client
from tests.paper_exchange.conftest import NOW, RunningExchange, at_ms
from tests.paper_exchange.test_commands import Served

PERP = "BTC/USDT:USDT"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def client(fresh: RunningExchange) -> Any:
    return signed_client(fresh.url, fresh.clock)


def test_new_account_holds_the_deposits(client: Any) -> None:
    for kind in ("spot", "swap"):
        found = client.fetch_balance({"type": kind})
        assert found["USDT"] == {"free": 100_000.0, "used": 0.0, "total": 100_000.0}
        assert set(found["total"]) == {"USDT"}
    [row] = client.fapiprivatev2_get_balance()
    assert (row["asset"], row["balance"], row["availableBalance"]) == (
        "USDT",
        "100000.00000000",
        "100000.00000000",
    )


def test_both_account_versions_agree_on_the_totals(client: Any) -> None:
    v2, v3 = client.fapiprivatev2_get_account(), client.fapiprivatev3_get_account()
    listed = [row["symbol"] for row in v2.pop("positions")]
    assert v3.pop("positions") == []
    assert {"BTCUSDT", "SOLUSDT"} <= set(listed)
    assert v2 == v3
    assert v3["totalMarginBalance"] == "100000.00000000"


def test_modes_are_what_freqtrade_asks_for(client: Any) -> None:
    assert client.fapiprivate_get_positionside_dual() == {"dualSidePosition": False}
    assert client.fapiprivate_get_multiassetsmargin() == {"multiAssetsMargin": False}


def test_leverage_is_kept_and_its_bounds_are_enforced(client: Any) -> None:
    client.load_markets()
    answer = client.set_leverage(3, PERP)
    assert answer == {"symbol": "BTCUSDT", "leverage": 3, "maxNotionalValue": "800000000"}
    rows = {row["symbol"]: row for row in client.fapiprivatev2_get_positionrisk()}
    assert (rows["BTCUSDT"]["leverage"], rows["SOLUSDT"]["leverage"]) == ("3", "20")
    with pytest.raises(ccxt.ExchangeError, match="-4028"):
        client.fapiprivate_post_leverage({"symbol": "SOLUSDT", "leverage": 101})
    with pytest.raises(ccxt.ExchangeError, match="-4028"):
        client.fapiprivate_post_leverage({"symbol": "SOLUSDT", "leverage": 0})
    with pytest.raises(ccxt.BadSymbol):
        client.fapiprivate_post_leverage({"symbol": "NOPE", "leverage": 3})


def test_margin_type_changes_once(fresh: RunningExchange, client: Any) -> None:
    client.load_markets()
    assert client.set_margin_mode("isolated", PERP) == {"code": 200, "msg": "success"}
    [row] = client.fapiprivatev2_get_positionrisk({"symbol": "BTCUSDT"})
    assert (row["marginType"], row["isolated"], row["positionAmt"]) == ("isolated", True, "0")
    params = {"symbol": "BTCUSDT", "marginType": "ISOLATED", "timestamp": at_ms(NOW)}
    answer = send(f"{fresh.url}/fapi/v1/marginType", "POST", sign(params))
    assert (answer.status_code, answer.json()["code"]) == (400, -4046)
    answer = send(f"{fresh.url}/fapi/v1/marginType", "POST", sign(params | {"marginType": "HALF"}))
    assert (answer.status_code, answer.json()["code"]) == (400, -1130)


def test_no_order_means_no_position(client: Any) -> None:
    assert client.fetch_positions() == []
    assert client.fetch_positions_risk([PERP]) == []


def test_leverage_tiers_are_those_that_freqtrade_ships(client: Any) -> None:
    import freqtrade.exchange

    shipped = json.loads(
        (Path(freqtrade.exchange.__file__).parent / "binance_leverage_tiers.json").read_text()
    )
    fields = ("minNotional", "maxNotional", "maintenanceMarginRate", "maxLeverage")
    found = client.fetch_leverage_tiers([f"{coin}/USDT:USDT" for coin in known_coins(Venue.PERP)])
    assert len(found) == 10
    for symbol, tiers in found.items():
        assert [[tier[name] for name in fields] for tier in tiers] == [
            [tier[name] for name in fields] for tier in shipped[symbol]
        ]
        assert [float(tier["info"]["cum"]) for tier in tiers] == pytest.approx(
            [tier["info"]["cum"] for tier in shipped[symbol]]
        )


@pytest.mark.parametrize("coin", ["BTC", "SOL", "UNKNOWN"])
def test_maintenance_margin_is_continuous_and_grows(coin: str) -> None:
    for before, after in zip(brackets(coin), brackets(coin)[1:], strict=False):
        edge = after.floor_notional
        assert before.cap_notional == edge
        assert before.maintenance_margin(edge) == after.maintenance_margin(edge) > 0
        assert bracket_of(coin, edge) is after
        assert bracket_of(coin, edge - 1) is before
    assert most_notional(coin, 1) == brackets(coin)[-1].cap_notional


@given(
    amounts=st.lists(st.tuples(st.sampled_from(["lock", "unlock", "pay"]), st.integers(0, 150)), max_size=30)
)
def test_locking_moves_money_and_never_makes_any(amounts: list[tuple[str, int]]) -> None:
    wallet, paid = SpotWallet({"USDT": Decimal(100)}), Decimal(0)
    for action, whole in amounts:
        amount = Decimal(whole)
        balance = wallet.balance("USDT")
        if action == "lock" and amount > balance.free:
            with pytest.raises(RefusedRequestError, match="insufficient balance"):
                wallet.lock("USDT", amount)
        elif action == "lock":
            wallet.lock("USDT", amount)
        elif amount <= balance.locked and action == "unlock":
            wallet.unlock("USDT", amount)
        elif amount <= balance.locked:
            wallet.pay_locked("USDT", amount)
            paid += amount
        after = wallet.balance("USDT")
        assert after.free + after.locked + paid == 100
        assert min(after.free, after.locked) >= 0


def test_balances_come_from_the_command_line(sample_datadir: Path, tmp_path: Path) -> None:
    options = (
        "--at",
        f"{NOW:%Y-%m-%dT%H:%M:%S}",
        "--frozen",
        "--balance",
        "500",
        "--futures-balance",
        "70.25",
    )
    served = Served(tmp_path, "--data", str(sample_datadir), *options)
    query = sign({"timestamp": at_ms(NOW)})
    spot = send(f"{served.url}/api/v3/account", "GET", query).json()["balances"]
    perp = send(f"{served.url}/fapi/v3/account", "GET", query).json()
    served.stop(signal.SIGTERM)
    assert spot == [{"asset": "USDT", "free": "500.00000000", "locked": "0.00000000"}]
    assert perp["availableBalance"] == "70.25000000"
