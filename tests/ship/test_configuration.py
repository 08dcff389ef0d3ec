"""docs/configuration.md is what the models say, of every key."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tools import config_reference

from hedge_leg.config import ExecutionConfig, read_config
from tests.ship.compose import ROOT


def keys_of(block: Mapping[str, Any]) -> Iterator[str]:
    for key, value in block.items():
        yield key
        if isinstance(value, Mapping) and key not in ("ccxt_config", "spot_lots"):
            yield from keys_of(value)


def test_the_page_is_what_the_models_say() -> None:
    assert config_reference.TARGET.read_text() == config_reference.page(), "run `make docs`"


def test_a_field_without_a_description_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExecutionConfig.model_fields["attempts"], "description", None)
    with pytest.raises(config_reference.Undocumented, match=r"hedge_leg\.execution\.attempts"):
        config_reference.page()


def test_every_key_and_default_of_the_model_is_on_the_page() -> None:
    page = config_reference.page()
    model = read_config({}).model_dump(mode="json")
    for key in keys_of(model):
        assert f"`{key}`" in page or f".{key}`" in page, key
    assert "| `open_timeout_sec` | number | s | 10 | >= 1, <= 120 |" in page
    assert "| `max_coin_notional` | number | quote | 0 | >= 0 |" in page


def test_shipped_configurations_use_known_keys_only() -> None:
    for path in sorted((ROOT / "user_data" / "config").glob("*.json")):
        read_config(json.loads(path.read_text()).get("hedge_leg"))
