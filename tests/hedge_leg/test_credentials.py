"""Credentials come from the environment as one block, and never show."""

import pytest

from hedge_leg.adapters.credentials import Credentials, from_environment, take_credentials
from hedge_leg.errors import ConfigError

OWN = {"FREQTRADE__HEDGE_LEG__KEY": "k1", "FREQTRADE__HEDGE_LEG__SECRET": "s1"}
SHARED = {"FREQTRADE__EXCHANGE__KEY": "k2", "FREQTRADE__EXCHANGE__SECRET": "s2"}


def test_own_block_wins_over_freqtrade_s() -> None:
    assert from_environment(OWN | SHARED) == Credentials("k1", "s1")
    assert from_environment(SHARED) == Credentials("k2", "s2")


def test_password_and_uid_are_read_and_names_are_compared_without_case() -> None:
    own = {"freqtrade__hedge_leg__Password": "p", "FREQTRADE__HEDGE_LEG__UID": "u"}
    assert from_environment(OWN | own) == Credentials("k1", "s1", "p", "u")


def test_blocks_are_never_mixed() -> None:
    with pytest.raises(ConfigError, match="FREQTRADE__HEDGE_LEG__SECRET is missing"):
        from_environment({"FREQTRADE__HEDGE_LEG__KEY": "k1"} | SHARED)
    with pytest.raises(ConfigError, match="FREQTRADE__EXCHANGE__KEY is missing"):
        from_environment({"FREQTRADE__EXCHANGE__SECRET": "s2"})


def test_no_block_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="set FREQTRADE__HEDGE_LEG__KEY"):
        from_environment({"FREQTRADE__HEDGE_LEG__KEY": "  "})


def test_variables_that_are_there_and_empty_are_not_there() -> None:
    """A copied docker/.env.example passes every variable on, empty where nothing was filled in."""
    block = {"key": "", "secret": "", "password": " ", "mode": "live"}
    assert take_credentials(block) is None
    assert block == {"mode": "live"}
    block = {"key": "k1", "secret": "s1", "password": ""}
    assert take_credentials(block) == Credentials("k1", "s1")
    with pytest.raises(ConfigError, match=r"hedge_leg\.secret is missing"):
        take_credentials({"key": "k1", "secret": ""})


def test_nothing_shows_a_secret() -> None:
    found = Credentials("k1-secret", "s1-secret", "p-secret", "u-secret")
    for text in (repr(found), str(found), f"{found}", repr([found]), f"{found!r}"):
        assert "secret" not in text
    assert found.secrets() == ("k1-secret", "s1-secret", "p-secret", "u-secret")
