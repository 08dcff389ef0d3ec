"""A live spot venue on the paper exchange, whose fault plan the test writes."""

from decimal import Decimal
from typing import Any

import httpx

from hedge_leg.adapters.ccxt_venue import CcxtSpotVenue
from hedge_leg.core.orders import OrderIntent, Purpose, Side
from tests.hedge_leg.venues import client_on, spot_on
from tests.paper_exchange.conftest import RunningExchange

SYMBOL = "BTC/USDT"
QTY = Decimal("0.05")


class Rig:
    """A venue on an exchange whose fault plan the test writes."""

    def __init__(self, exchange: RunningExchange) -> None:
        self.exchange = exchange
        self.client = client_on(exchange)
        self.venue: CcxtSpotVenue = spot_on(exchange, self.client)
        self.px = self.venue.book(SYMBOL).asks[0][0]

    def plan(self, fault: str | dict[str, Any], **match: Any) -> None:
        if isinstance(fault, dict) and fault["kind"] == "delay_answer":
            self.venue._client.timeout = 300
        rules = {"rules": [{"match": match, "fault": fault}], "replace": True}
        answer = httpx.post(f"{self.exchange.url}/_control/faults", json=rules)
        assert answer.status_code == 200, answer.text

    def watch(self) -> list[str]:
        """Return a list that gets the method of every request from now on."""
        sent: list[str] = []
        request = self.venue._client.session.request

        def watched(method: str, *rest: Any, **options: Any) -> Any:
            sent.append(method)
            return request(method, *rest, **options)

        self.venue._client.session.request = watched
        return sent

    def intent(self, client_id: str = "hl-f-1", qty: Decimal = QTY) -> OrderIntent:
        return OrderIntent(client_id, SYMBOL, Side.BUY, qty, self.px, 0, Purpose.OPEN)

    def filled(self) -> Decimal:
        """Return what the exchange really executed."""
        rows = self.exchange.get("/_control/audit").json()["events"]
        return sum((Decimal(row["qty"]) for row in rows if row["event"] == "filled"), Decimal(0))

    def posts(self) -> int:
        """Return how many orders reached the exchange."""
        rows = self.exchange.get("/_control/audit").json()["events"]
        return sum(row["event"] in ("taken", "refused") for row in rows)
