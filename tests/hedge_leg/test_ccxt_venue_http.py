"""The live spot venue against the real paper exchange, over HTTP with real ccxt."""

import pytest

from hedge_leg.errors import VenueUnavailable
from tests.hedge_leg.spot_rig import SYMBOL, Rig
from tests.hedge_leg.venue_contract import ExchangeClock, SpotVenueContract, Stage
from tests.hedge_leg.venues import spot_on
from tests.paper_exchange.conftest import RunningExchange


class TestCcxtSpotVenue(SpotVenueContract):
    """The contract."""

    @pytest.fixture
    def stage(self, fresh: RunningExchange) -> Stage:
        return Stage(spot_on(fresh), ExchangeClock(fresh.clock))


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
