"""Command line of `hedge-leg`. Exit status: 0 done, 2 bad usage or configuration."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hedge_leg.config import layered, read_config
from hedge_leg.errors import ConfigError, HedgeError

app = typer.Typer(
    name="hedge-leg",
    help="The spot leg of a hedged carry.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _commands() -> None:
    """Keep `check-config` a sub-command while it is the only one."""


@app.command("check-config", epilog="Example: hedge-leg check-config -c user_data/config/base.json")
def check_config(
    config: Annotated[list[Path], typer.Option("-c", "--config", help="Configuration file.")],
) -> None:
    """Validate the hedge_leg block of the configurations, merged as freqtrade does; show what it means."""
    block: dict[str, Any] = {}
    for path in config:
        block = layered(block, _block_of(path))
    settings = read_config(block)
    costs = settings.costs
    print(f"leverage {settings.leverage:g}: a pair of notional N ties up N x {1 + 1 / settings.leverage:.3f}")
    print(f"entering or leaving costs {costs.side_bps:g} bps of N, a round trip {costs.round_trip_bps:g} bps")
    notional = settings.stake_for(10_000, settings.leverage) * settings.leverage
    print(f"10,000 of capital open a pair of {notional:,.0f}")
    for daily_bps in (1.0, 3.0, 6.0):
        days = costs.break_even_days(daily_bps, 10_000)
        print(f"funding of {daily_bps:g} bps a day pays a round trip back in {days:.1f} days")


def _block_of(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as JSON: {error}") from error
    block = content.get("hedge_leg", {}) if isinstance(content, dict) else content
    if not isinstance(block, dict):
        raise ConfigError(f'{path}: field "hedge_leg" must be an object, for example {{"leverage": 2}}')
    return block


def main() -> None:
    """Run the command line; a wrong configuration is one line on stderr, never a traceback."""
    try:
        app()
    except HedgeError as error:
        print(f"hedge-leg: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
