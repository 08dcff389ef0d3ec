"""The dry-run's spot venue, priced by the public endpoints of the paper exchange."""


import pytest

from hedge_leg.adapters.ccxt_venue import CcxtSpotVenue
from hedge_leg.adapters.paper_venue import PaperSpotVenue
from tests.hedge_leg.venue_contract import CASH, ExchangeClock, SpotVenueContract, Stage
from tests.hedge_leg.venues import client_on
from tests.paper_exchange.conftest import RunningExchange


class TestPaperSpotVenue(SpotVenueContract):
    """The contract."""

    @pytest.fixture
    def stage(self, fresh: RunningExchange) -> Stage:
        clock = ExchangeClock(fresh.clock)
        market = CcxtSpotVenue(client_on(fresh, keys=None), clock)
        return Stage(PaperSpotVenue(market, clock, {"USDT": CASH}), clock)
