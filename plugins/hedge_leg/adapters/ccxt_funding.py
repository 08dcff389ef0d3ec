"""What a perp venue says about funding: the rate to come, the settlements that were, what the account got.

All raise whatever a wrong answer does to a parser: `Calls.read` makes it VenueUnavailable.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

from hedge_leg.adapters.ccxt_calls import Calls, Row, number, text
from hedge_leg.core.amounts import exact
from hedge_leg.core.shadow import MINUTE_MS, Settlement, to_minute
from hedge_leg.ports import FundingNow, FundingPayment


def funding_now(client: Any, pair: str, now_ms: int) -> FundingNow:
    """Return the rate predicted for the next settlement and its time, where the venue tells them."""
    row = client.fetch_funding_rate(pair)
    rate = row.get("fundingRate")
    stamps = [row.get(name) for name in ("fundingTimestamp", "nextFundingTimestamp")]
    ahead = [to_minute(int(stamp)) for stamp in stamps if stamp and int(stamp) > now_ms]
    return FundingNow(None if rate is None else exact(rate), min(ahead, default=None))


def settlements_since(calls: Calls, pair: str, since_ms: int, page: int) -> tuple[Settlement, ...]:
    """Return the settlements stamped from `since_ms` on, oldest first, to the minute; `page` rows at most."""
    found: dict[int, Settlement] = {}
    while True:
        rows = calls.rows(partial(calls.client.fetch_funding_rate_history, pair, since_ms, page))
        known = len(found)
        for row in rows:
            at_ms, info = to_minute(int(number(row, "timestamp"))), row.get("info")
            mark = info.get("markPrice") if isinstance(info, dict) else None
            found[at_ms] = Settlement(at_ms, pair, number(row, "fundingRate"), exact(mark) if mark else None)
        if len(rows) < page or len(found) == known:  # a venue that repeats itself ends it, too
            return tuple(found[at_ms] for at_ms in sorted(found))
        since_ms = max(found) + MINUTE_MS


def payments(rows: Iterable[Row], quote: str, fee_field: str) -> tuple[FundingPayment, ...]:
    """Return the account's settlements, received positive, in quote; ValueError when one is in another coin.

    `fee_field`: the raw field, paid positive, that is read instead of ccxt's amount ("": ccxt's amount).
    """
    found: list[FundingPayment] = []
    for row in rows:
        if (row.get("code") or quote) != quote:
            raise ValueError(f"funding was paid in {row.get('code')}")
        amount = -number(row["info"], fee_field) if fee_field else number(row, "amount")
        found.append(FundingPayment(text(row, "id"), amount, int(number(row, "timestamp"))))
    return tuple(found)
