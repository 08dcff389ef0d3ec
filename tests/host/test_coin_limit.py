"""The guard's limit of carries per coin over HTTP: a bot whose stake currency was changed."""

from decimal import Decimal
from pathlib import Path
from shutil import copy, copytree

import pytest

from hedge_leg.core.states import State
from paper_exchange.account import Account
from paper_exchange.fees import Fees
from paper_exchange.perp_wallet import PerpWallet
from paper_exchange.signing import REHEARSAL
from paper_exchange.spot_wallet import SpotWallet
from paper_exchange.store import CandleStore
from tests.host.guard_world import apart, guarded
from tests.host.live_harness import PAIR, Rig
from tests.host.live_world import AT, loop_safely, market, opened
from tests.paper_exchange.conftest import at_ms

OTHER = "BTC/USDC:USDC"
RICH = Decimal(100_000)


def both_quotes(folder: Path) -> tuple[Path, CandleStore]:
    """Return the market with each of BTC's USDT files for USDC, too."""
    copytree(market()[0], folder)
    for path in list(folder.rglob("BTC_USDT*")):
        copy(path, path.with_name(path.name.replace("USDT", "USDC")))
    return folder, CandleStore.load(folder)


def in_usdc(made: Rig) -> None:
    """Restart the bot with another stake currency, its databases as they are."""
    made.kill()
    made.config["stake_currency"] = "USDC"
    made.config["exchange"]["pair_whitelist"] = [OTHER]
    made.start()


def test_a_second_carry_of_a_coin_is_refused_where_the_stake_currency_was_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rich = {"USDT": RICH, "USDC": RICH}
    account = Account(REHEARSAL, SpotWallet(rich), PerpWallet(rich, at_ms(AT)), Fees())
    candles = both_quotes(tmp_path / "market")
    with guarded(tmp_path, {}, candles=candles, account=account, max_open_trades=2) as made:
        opened(made)
        in_usdc(made)
        with caplog.at_level("WARNING"):
            loop_safely(made, 4)
        assert "1 carries of BTC are open, 1 are allowed" in caplog.text
        carry = made.carry()
        assert (carry.facts.pair, carry.state) == (PAIR, State.ACTIVE)
        assert len(made.exchange.audit("filled")) == 2, "both legs of the first pair"
        assert apart(made) == []
