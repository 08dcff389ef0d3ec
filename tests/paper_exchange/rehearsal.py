"""One exchange, one ccxt client, the fault plan, the audit log: what tests of faults are written with."""

from dataclasses import dataclass
from typing import Any

import httpx

from tests.paper_exchange.clients import send, sign, signed_client
from tests.paper_exchange.conftest import RunningExchange

SPOT, PERP = "BTC/USDT", "BTC/USDT:USDT"
SPOT_ORDER, PERP_ORDER = "/api/v3/order", "/fapi/v1/order"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A served exchange and a client that uses it."""

    exchange: RunningExchange
    client: Any

    @classmethod
    def on(cls, exchange: RunningExchange) -> "Rehearsal":
        """Load the markets of an exchange of the test's own."""
        client = signed_client(exchange.url, exchange.clock)
        client.load_markets()
        return cls(exchange, client)

    def plan(self, fault: str | dict[str, Any], **match: Any) -> None:
        """Have the plan hold this one rule and no other."""
        self.post("faults", {"rules": [{"match": match, "fault": fault}], "replace": True})

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Post to a control endpoint, which must accept it."""
        answer = httpx.post(f"{self.exchange.url}/_control/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def counts(self) -> list[tuple[int, int]]:
        """Return how often each rule matched and fired."""
        rows = self.exchange.get("/_control/faults").json()["rules"]
        return [(row["matched"], row["fired"]) for row in rows]

    def audit(self) -> list[dict[str, Any]]:
        """Return the audit log's events."""
        rows: list[dict[str, Any]] = self.exchange.get("/_control/audit").json()["events"]
        return rows

    def told(self) -> list[str]:
        """Return the audit log's event names; of a fault its kind, with "!" if it kept the request out."""
        return [
            row["event"] if row["event"] != "fault" else row["kind"] + ("" if row["handled"] else "!")
            for row in self.audit()
        ]

    def ask(self, method: str, path: str, timeout: float = 5.0, **params: Any) -> httpx.Response:
        """Send a signed request as it stands, without ccxt's own reading of the answer."""
        stamped = {"symbol": "BTCUSDT", "timestamp": self.exchange.clock.now_ms()} | params
        return send(self.exchange.url + path, method, sign(stamped), timeout=timeout)

    def buy(self, qty: float = 0.1, client_id: str = "mine", venue: str = SPOT) -> Any:
        """Place a market order with ccxt."""
        return self.client.create_market_buy_order(venue, qty, {"newClientOrderId": client_id})
