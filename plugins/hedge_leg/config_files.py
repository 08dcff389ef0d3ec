"""freqtrade's layered configuration files, as far as the command line needs them; never its keys."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from carry.market import spot_symbol
from hedge_leg.adapters.credentials import take_credentials
from hedge_leg.bootstrap import HostConfig
from hedge_leg.config import HedgeLegConfig, layered, read_config
from hedge_leg.errors import ConfigError


def read_files(paths: Sequence[Path]) -> dict[str, Any]:
    """Return the files laid over each other in order; ConfigError names the first that cannot be read."""
    merged: dict[str, Any] = {}
    for path in paths:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise ConfigError(f"{path} cannot be read as JSON: {error}") from error
        if not isinstance(content, dict):
            raise ConfigError(f"{path} is not a configuration of freqtrade: it must hold an object")
        merged = layered(merged, content)
    return merged


def settings_of(merged: Mapping[str, Any]) -> HedgeLegConfig:
    """Return the validated hedge_leg block."""
    block = merged.get("hedge_leg")
    if isinstance(block, dict):
        take_credentials(block)
    return read_config(block)


def host_config(merged: Mapping[str, Any], user_data: Path) -> HostConfig:
    """Return what freqtrade's configuration says of exchange, pairs and money."""
    exchange = merged.get("exchange")
    if not isinstance(exchange, Mapping) or not exchange.get("name"):
        raise ConfigError("no exchange is configured: give freqtrade's configuration files with -c")
    pairs = [str(pair) for pair in exchange.get("pair_whitelist", [])]
    quote = str(merged.get("stake_currency", "USDT"))
    return HostConfig(
        exchange_name=str(exchange["name"]),
        ccxt_config=layered(exchange.get("ccxt_config", {}), exchange.get("ccxt_sync_config", {})),
        user_data=user_data,
        quote=quote,
        pairs={pair: spot_symbol(pair) for pair in pairs},
        margin_mode=str(merged.get("margin_mode", "isolated")),
        wallet=0.0,
    )
