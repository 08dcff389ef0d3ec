"""A bot that must not trade is refused at the start, in one line; secrets are shown nowhere."""

import logging
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from freqtrade.exceptions import FreqtradeException

from hedge_leg.errors import HedgeError
from paper_exchange.account import Account
from paper_exchange.signing import REHEARSAL, Credentials, Permission
from tests.host.live_harness import Exchange, Rig, rig
from tests.host.live_world import AT, market, opened, world
from tests.paper_exchange.conftest import at_ms, serving

HUNDRED = Decimal(100_000)


def refused(start: Callable[[], object]) -> str:
    """Return the one line that a start is refused with."""
    with pytest.raises(FreqtradeException) as caught:
        start()
    text = str(caught.value).strip()
    assert "\n" not in text
    assert REHEARSAL.secret not in text
    return text


def account_rig(folder: Path, account: Account, **changes: Any) -> Any:
    """Return a rig on an exchange with a special account."""
    datadir, store = market()
    served = serving(datadir, store, account)
    running = served.__enter__()
    made = rig(Exchange(running.url), folder, **changes)
    return made, served


@pytest.mark.parametrize(
    ("mode", "words"), [({"hedge_mode": True}, "hedge mode"), ({"multi_assets": True}, "multi-asset")]
)
def test_an_account_in_a_mode_that_cannot_be_hedged_is_refused(
    tmp_path: Path, mode: dict[str, bool], words: str
) -> None:
    made, served = account_rig(tmp_path, Account.funded(0, spot=HUNDRED, perp=HUNDRED, **mode))  # type: ignore[arg-type]
    with made as ready:
        assert words in refused(ready.start).lower()
    served.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("missing", "words"), [(Permission.SPOT, "enable spot"), (Permission.FUTURES, "-2015")]
)
def test_a_key_that_may_not_trade_one_leg_is_refused(tmp_path: Path, missing: Permission, words: str) -> None:
    keys = Credentials(REHEARSAL.key, REHEARSAL.secret, frozenset(Permission) - {missing})
    with world(tmp_path, account=Account.funded(at_ms(AT), credentials=keys)) as made:
        assert words in refused(made.start)


@pytest.mark.parametrize("dry", [False, True])
def test_a_perp_without_a_spot_market_is_refused(tmp_path: Path, dry: bool) -> None:
    with world(tmp_path, dry=dry) as made:
        made.config["hedge_leg"]["exchange"] = {"ccxt_config": {"options": {"fetchMarkets": {"types": []}}}}
        assert "spot" in refused(made.start)


def test_wrong_keys_of_the_spot_leg_are_refused_without_being_shown(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        made.config["hedge_leg"] |= {"key": "wrong-key-of-somebody", "secret": "wrong-secret-of-somebody"}
        text = refused(made.start)
        assert "wrong-key" not in text
        assert "wrong-secret" not in text


def test_a_key_without_its_secret_is_refused(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        made.config["hedge_leg"].pop("secret")
        assert "hedge_leg.secret is missing" in refused(made.start)


def test_a_journal_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        made.kill()
        journal = tmp_path / "hedge_leg.sqlite"
        with sqlite3.connect(journal) as database:
            columns = [row[1] for row in database.execute("PRAGMA table_info(journal_schema)")]
            values = ", ".join("99" for _ in columns)
            database.execute(f"INSERT INTO journal_schema VALUES ({values})")
        before = journal.read_bytes()
        text = refused(made.start)
        assert "newer" in text or "version" in text
        assert journal.read_bytes() == before


def test_a_damaged_journal_is_refused_untouched(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        journal = tmp_path / "hedge_leg.sqlite"
        journal.write_bytes(b"this is not a database, " * 500)
        before = journal.read_bytes()
        assert "hedge_leg" in refused(made.start)
        assert journal.read_bytes() == before


def test_spot_trading_mode_is_refused() -> None:
    from hedge_leg.freqtrade_bot import _host_config

    with pytest.raises(HedgeError, match="futures"):
        _host_config({"trading_mode": "spot"}, None, [])


def test_no_secret_is_in_any_log_message_journal_or_configuration(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="hedge_leg")
    caplog.set_level(logging.INFO)
    with world(tmp_path) as made:
        opened(made)
        assert made.bot is not None
        config = repr(made.bot.config)
        told = "\n".join((*made.messages, caplog.text, config))
        made.kill()
    files = b"".join(path.read_bytes() for path in tmp_path.glob("hedge_leg*"))
    for secret in (REHEARSAL.key, REHEARSAL.secret):
        assert secret not in told
        assert secret.encode() not in files


def test_credentials_show_nothing_when_they_are_printed() -> None:
    assert "hush" not in repr(Credentials("k", "hush"))


def test_a_restart_of_a_hedged_bot_trades_nothing(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        opened(made)
        orders = len(made.exchange.audit("taken"))
        restart(made)
        made.loop(3)
        assert len(made.exchange.audit("taken")) == orders


def restart(made: Rig) -> None:
    """Kill the bot and start it again."""
    made.kill()
    made.start()
