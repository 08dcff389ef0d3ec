"""OKX and Bybit pay margin and spot from one balance: it is one capital, and no entry asks for it twice."""

from types import SimpleNamespace
from typing import Any

import pytest

from hedge_leg.adapters.ccxt_client import build_client
from hedge_leg.adapters.ccxt_venue import CcxtSpotVenue
from hedge_leg.adapters.credentials import Credentials
from hedge_leg.config import HedgeLegConfig
from hedge_leg.sizing import capital, entry_stake
from tests.hedge_leg import bitget
from tests.hedge_leg.fakes import FakeClock
from tests.hedge_leg.okx_bybit import KEYS, NOW_MS, Fake, client

SETTINGS = HedgeLegConfig()


def there(shared: bool, *, free: float, held: float = 0.0, trades: Any = ()) -> Any:
    """Return the capital of a bot whose wallet and spot account tell the same free quote."""
    leg: Any = SimpleNamespace(spot_capital=lambda: (free, held), engine=SimpleNamespace(shared_pot=shared))
    margins = sum(trade.stake_amount for trade in trades)
    wallets = SimpleNamespace(
        get_total_stake_amount=lambda: free + margins, get_available_stake_amount=lambda: free
    )
    return capital(SETTINGS, leg, wallets, trades, 1.0)


def test_one_balance_is_counted_once_and_pays_for_both_legs() -> None:
    pot = there(True, free=1000.0)
    assert (pot.total, pot.free) == (1000.0, 1000.0)
    stake = entry_stake(SETTINGS, pot, 2.0, stake_amount="unlimited", slots=1.0, amend=False)
    assert stake == SETTINGS.stake_for(1000.0, 2.0)
    assert stake * 3 < 1000.0, "margin and a spot leg of twice that"
    assert there(False, free=1000.0).total == 2000.0


def test_an_open_pair_is_part_of_the_capital_and_not_spent_again() -> None:
    pair = SimpleNamespace(stake_amount=100.0, amount=2.0, open_rate=100.0)
    pot = there(True, free=700.0, held=200.0, trades=[pair])
    assert pot.total == 1000.0
    assert 0.0 < 700.0 - pot.free < 2.0, "the reserve of the open pair"
    stake = entry_stake(SETTINGS, pot, 2.0, stake_amount="unlimited", slots=1.0, amend=False)
    assert stake <= SETTINGS.stake_for(700.0, 2.0)


@pytest.mark.parametrize("exchange", ["okx", "bybit"])
def test_an_account_is_one_where_exchange_and_key_are(exchange: str) -> None:
    venue = Fake(exchange)
    spot = CcxtSpotVenue(client(venue), FakeClock(NOW_MS))
    assert spot.shares_money_with(client(venue, "swap"))
    other = build_client(exchange, Credentials("key-2", "secret-2", "pass-2"), market="swap")
    assert not spot.shares_money_with(other), "a sub-account of its own"
    assert not spot.shares_money_with(build_client("binance", KEYS, market="swap"))


def test_bitget_s_classic_account_has_wallets_of_their_own() -> None:
    venue = bitget.FakeBitget()
    spot = CcxtSpotVenue(bitget.client(venue), FakeClock(bitget.NOW_MS))
    assert not spot.shares_money_with(bitget.client(venue, "swap"))
