"""The guard's block of the configuration: safe defaults, contradictions refused with one line."""

from typing import Any

import pytest

from hedge_leg.config import read_config
from hedge_leg.core.guard.breakers import Action, Limit
from hedge_leg.core.guard.limits import GuardLimits
from hedge_leg.errors import ConfigError


def test_the_defaults_of_the_block_are_those_of_the_limits() -> None:
    made = read_config(None).guard.limits()
    plain = GuardLimits()
    for name in (field for field in GuardLimits.__slots__ if field != "actions"):
        assert getattr(made, name) == getattr(plain, name), name
    for limit in Limit:
        assert made.action(limit) is plain.action(limit), limit


def test_what_a_limit_does_is_chosen() -> None:
    made = read_config({"guard": {"basis_action": "leave"}}).guard.limits()
    assert made.action(Limit.BASIS) is Action.LEAVE
    assert made.action(Limit.PRICE_JUMP) is Action.BLOCK


@pytest.mark.parametrize(
    ("guard", "told"),
    [
        ({"leave_distance": 0.2}, "hedge_leg.guard: leave_distance 0.2 is not below shrink_distance 0.15"),
        ({"max_carries": 2, "max_carries_per_coin": 3}, "max_carries_per_coin 3 is above max_carries 2"),
        ({"max_coin_notional": 9, "max_venue_notional": 8}, "max_coin_notional 9 is above"),
        ({"account_stale_sec": 100}, "guard.account_stale_sec 100 is below two checks of the account"),
        ({"shrink_to": 1}, "hedge_leg.guard.shrink_to is 1"),
        ({"basis_action": "panic"}, "hedge_leg.guard.basis_action is 'panic'"),
        ({"basis": 1}, "hedge_leg.guard.basis is not known: allowed are enabled, shrink_distance"),
    ],
)
def test_a_wrong_or_contradictory_limit_is_one_line(guard: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_config({"guard": guard})
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
