"""The live spot venue against the real paper exchange, over HTTP with real ccxt."""

import pytest

from tests.hedge_leg.venue_contract import ExchangeClock, SpotVenueContract, Stage
from tests.hedge_leg.venues import spot_on
from tests.paper_exchange.conftest import RunningExchange


class TestCcxtSpotVenue(SpotVenueContract):
    """The contract."""

    @pytest.fixture
    def stage(self, fresh: RunningExchange) -> Stage:
        return Stage(spot_on(fresh), ExchangeClock(fresh.clock))
