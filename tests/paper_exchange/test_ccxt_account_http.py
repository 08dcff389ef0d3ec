"""Every call of ccxt that a carry bot makes on an account, once, against the exchange."""

from decimal import Decimal

import ccxt
import pytest

from tests.paper_exchange.conftest import RunningExchange
from tests.paper_exchange.rehearsal import PERP, SPOT, Rehearsal

HOUR_MS = 3_600_000


@pytest.fixture
def desk(fresh: RunningExchange) -> Rehearsal:
    return Rehearsal.on(fresh)


@pytest.mark.parametrize("pair", [SPOT, PERP])
def test_orders_and_trades_are_found_every_way(desk: Rehearsal, pair: str) -> None:
    client, clock = desk.client, desk.exchange.clock
    done = client.create_market_buy_order(pair, 0.1, {"newClientOrderId": "mine-1"})
    clock.advance_ms(1000)
    since_ms = clock.now_ms()
    resting = client.create_limit_buy_order(pair, 0.1, 16_500, {"newClientOrderId": "mine-2"})
    for wanted in (done, resting):
        assert client.fetch_order(wanted["id"], pair)["clientOrderId"] == wanted["clientOrderId"]
        found = client.fetch_order(None, pair, {"origClientOrderId": wanted["clientOrderId"]})
        assert found["id"] == wanted["id"]
    assert [row["id"] for row in client.fetch_orders(pair)] == [done["id"], resting["id"]]
    assert [row["id"] for row in client.fetch_orders(pair, since_ms)] == [resting["id"]]
    assert [row["id"] for row in client.fetch_open_orders(pair)] == [resting["id"]]
    trades = client.fetch_my_trades(pair)
    assert {row["order"] for row in trades} == {done["id"]}
    assert sum(row["amount"] for row in trades) == pytest.approx(0.1)
    assert client.fetch_my_trades(pair, since_ms) == []
    assert client.fetch_my_trades(pair, params={"fromId": trades[-1]["id"]}) == trades[-1:]
    client.cancel_order(None, pair, {"origClientOrderId": "mine-2"})
    assert client.fetch_open_orders(pair) == []
    assert [row["id"] for row in client.fetch_canceled_orders(pair)] == [resting["id"]]
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order("77", pair)


def test_position_settings_and_tiers(desk: Rehearsal) -> None:
    client = desk.client
    client.set_margin_mode("isolated", PERP)
    client.set_leverage(7, PERP)
    client.create_market_sell_order(PERP, 0.1)
    [found] = client.fetch_positions([PERP])  # fetch_position is ccxt's for options only
    assert (found["side"], found["contracts"], found["leverage"]) == ("short", 0.1, 7)
    assert found["liquidationPrice"] > found["entryPrice"]
    tiers = client.fetch_leverage_tiers([PERP])[PERP]
    assert (tiers[0]["maxLeverage"], tiers[0]["maintenanceMarginRate"]) == (150, 0.004)
    assert client.fetch_leverage(PERP)["shortLeverage"] == 7


def test_income_comes_in_pages_by_kind_and_time(desk: Rehearsal) -> None:
    client, clock = desk.client, desk.exchange.clock
    client.create_market_sell_order(PERP, 0.1)
    opened_ms = clock.now_ms()
    clock.advance_ms(41 * HOUR_MS)
    client.create_market_buy_order(PERP, 0.1)
    client.transfer("USDT", 5, "swap", "spot")
    history = client.fetch_funding_history(PERP)
    assert [row["timestamp"] % (8 * HOUR_MS) for row in history] == [0] * 5

    def income(**params: object) -> list[str]:
        return [row["incomeType"] for row in client.fapiprivate_get_income(params)]

    rows = client.fapiprivate_get_income({"limit": 1000})
    assert [int(row["time"]) for row in rows] == sorted(int(row["time"]) for row in rows)
    assert income() == ["COMMISSION", *["FUNDING_FEE"] * 5, "REALIZED_PNL", "COMMISSION", "TRANSFER"]
    assert income(limit=2) == ["COMMISSION", "TRANSFER"]
    assert income(startTime=opened_ms, limit=2) == ["COMMISSION", "FUNDING_FEE"]
    assert income(startTime=opened_ms + 1, endTime=opened_ms + 9 * HOUR_MS) == ["FUNDING_FEE"]
    assert income(incomeType="TRANSFER") == ["TRANSFER"]
    assert income(limit=3, page=2) == ["FUNDING_FEE", "FUNDING_FEE", "FUNDING_FEE"]
    wallet = Decimal(client.fapiprivatev3_get_account()["totalWalletBalance"])
    assert wallet == 100_000 + sum(Decimal(row["income"]) for row in rows)
