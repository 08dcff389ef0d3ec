"""The live spot venue against the real paper exchange, over HTTP with real ccxt."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from hedge_leg.core.orders import Side
from hedge_leg.errors import VenueUnavailable
from paper_exchange.account import Account
from paper_exchange.fees import Fees
from paper_exchange.store import CandleStore
from tests.hedge_leg.spot_rig import SYMBOL, Rig
from tests.hedge_leg.venue_contract import ExchangeClock, SpotVenueContract, Stage
from tests.hedge_leg.venues import client_on, spot_on
from tests.paper_exchange.conftest import NOW, RunningExchange, at_ms, serving

BNB_PX = Decimal("312.5")


class TestCcxtSpotVenue(SpotVenueContract):
    """The contract."""

    @pytest.fixture
    def stage(self, fresh: RunningExchange) -> Stage:
        return Stage(spot_on(fresh), ExchangeClock(fresh.clock))


class TestFeesInBnb:
    """An account that pays its fees in a third coin."""

    @pytest.fixture
    def stage(self, sample_datadir: Path, sample_store: CandleStore) -> Iterator[Stage]:
        fees = Fees(bnb_px=BNB_PX, spot_in_bnb=True)
        account = Account.funded(at_ms(NOW), bnb=Decimal(1), fees=fees)
        with serving(sample_datadir, sample_store, account) as running:
            client = client_on(running)
            client.load_markets()
            client.markets["BNB/USDT"] = client.markets["BTC/USDT"]  # the sample has no BNB to ask for
            client.fetch_ticker = lambda _symbol: {"last": str(BNB_PX)}
            yield Stage(spot_on(running, client), ExchangeClock(running.clock))

    def test_they_are_told_in_bnb_and_valued_in_quote(self, stage: Stage) -> None:
        px, _ = stage.best(Side.BUY)
        intent = stage.order(1, Side.BUY, "0.2", px)
        report = stage.venue.place(intent)
        [fill] = report.fills
        assert fill.fee_asset == "BNB"
        assert fill.fee_value == fill.fee * BNB_PX > 0
        assert stage.total("BNB") == 1 - fill.fee
        assert stage.total("BTC") == Decimal("0.2") == fill.base_change("BTC")
        assert stage.venue.find(intent) == report


@pytest.fixture
def rig(fresh: RunningExchange) -> Rig:
    return Rig(fresh)


def test_filters_are_read_again_after_an_hour_only_by_rules(rig: Rig) -> None:
    market = rig.venue._client.markets[SYMBOL]
    market["limits"]["cost"]["min"] = "77"
    assert rig.venue.rules(SYMBOL).min_notional == 77
    rig.exchange.clock.advance_ms(3_600_001)
    rig.plan({"kind": "error_before", "preset": "spot-503"}, method="GET", path="/api/v3/exchangeInfo")
    assert rig.venue.rules(SYMBOL).min_notional == 77, "yesterday's filters serve while nobody answers"
    assert rig.venue.rules(SYMBOL).min_notional == 77, "and the exchange is left alone for a minute"
    rig.exchange.clock.advance_ms(60_000)
    assert rig.venue.rules(SYMBOL).min_notional == 10


def test_filters_older_than_a_day_are_not_served(rig: Rig) -> None:
    rig.exchange.clock.advance_ms(24 * 3_600_000)
    rig.plan({"kind": "error_before", "preset": "spot-503"}, times=None, path="/api/v3/exchangeInfo")
    for _ in range(2):
        with pytest.raises(VenueUnavailable):
            rig.venue.rules(SYMBOL)


def test_inactive_market_is_told(rig: Rig) -> None:
    assert rig.venue.rules(SYMBOL).active
    rig.venue._client.markets[SYMBOL]["active"] = False
    assert not rig.venue.rules(SYMBOL).active


def test_the_end_of_a_halt_is_seen_within_a_minute(rig: Rig) -> None:
    rig.venue._client.markets[SYMBOL]["active"] = False
    rig.exchange.clock.advance_ms(59_000)
    assert not rig.venue.rules(SYMBOL).active
    rig.exchange.clock.advance_ms(1_000)
    assert rig.venue.rules(SYMBOL).active
