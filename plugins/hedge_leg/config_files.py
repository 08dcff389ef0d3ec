"""freqtrade's layered configuration, as far as the command line needs it; never its keys.

Files are read by freqtrade's own loader (comments, trailing commas, `add_config_files`), and its environment
variables FREQTRADE__SECTION__FIELD are laid over them, as `freqtrade trade` does. Beside the freqtrade host
the only importer of freqtrade; it is loaded where there is something to read.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from carry.market import spot_symbol
from hedge_leg.adapters.credentials import take_credentials
from hedge_leg.bootstrap import HostConfig
from hedge_leg.config import HedgeLegConfig, layered, read_config
from hedge_leg.errors import ConfigError, JournalMissing

_SQLITE = "sqlite:///"


def read_files(paths: Sequence[Path]) -> dict[str, Any]:
    """Return the files laid over each other in order, the environment last; ConfigError names a bad file."""
    merged: dict[str, Any] = {}
    for path in paths:
        merged = layered(merged, _read_file(path))
    return layered(merged, _environment())


def _read_file(path: Path) -> dict[str, Any]:
    from freqtrade.configuration.load_config import load_from_files  # noqa: PLC0415 - takes a second
    from freqtrade.exceptions import ConfigurationError, OperationalException  # noqa: PLC0415

    try:
        path.open(encoding="utf-8").close()
        content = load_from_files([str(path)])
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except ConfigurationError as error:
        raise ConfigError(f"{path} cannot be read as JSON: {str(error).splitlines()[0]}") from error
    except OperationalException as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from error
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise ConfigError(f"{path} is not a configuration of freqtrade: it must hold an object") from error
    return {key: value for key, value in content.items() if key != "config_files"}


def _environment() -> dict[str, Any]:
    """Return what FREQTRADE__.. variables say, without any keys: those are read where they are used."""
    if not any(name.startswith("FREQTRADE__") for name in os.environ):
        return {}
    from freqtrade.configuration.environment_vars import environment_vars_to_dict  # noqa: PLC0415 - as above

    return dict(environment_vars_to_dict())


def trades_for_real(merged: Mapping[str, Any]) -> bool:
    """Return whether the configuration does not say that it is one of a dry-run."""
    return merged.get("dry_run") is not True


def settings_of(merged: Mapping[str, Any]) -> HedgeLegConfig:
    """Return the validated hedge_leg block."""
    block = merged.get("hedge_leg")
    if isinstance(block, dict):
        take_credentials(block)
    return read_config(block)


def existing(url: str) -> str:
    """Return a journal's URL; JournalMissing where it names a file that is not there, or a folder."""
    path = Path(url.removeprefix(_SQLITE))
    if url.startswith(_SQLITE) and path.is_dir():
        raise JournalMissing(f"{path} is a folder: name the journal's file, or give the folder to --userdir")
    if url.startswith(_SQLITE) and not path.exists():
        raise JournalMissing(
            f"there is no journal {path}: start the bot once, or give --userdir or --journal"
        )
    return url


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
