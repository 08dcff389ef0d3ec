"""Command line of `hedge-leg`.

Exit status: 0 done, 1 the answer is "no", 2 bad usage or configuration, 3 data missing: no journal, or what
could not be read of it or of a venue.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from hedge_leg.commands_guard import reset_breaker
from hedge_leg.commands_observe import opportunities
from hedge_leg.commands_operate import reconcile, unwind, verify_journal
from hedge_leg.commands_show import status
from hedge_leg.commands_simulate import simulate
from hedge_leg.commands_statement import statement_command
from hedge_leg.config_files import read_files, settings_of
from hedge_leg.errors import (
    HedgeError,
    JournalError,
    JournalMissing,
    LeaseHeld,
    NothingRecorded,
    VenueUnavailable,
)

app = typer.Typer(
    name="hedge-leg",
    help="The spot leg of a hedged carry.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _commands() -> None:
    """Look at the spot leg, and bring it in order by hand."""


@app.command("check-config", epilog="Example: hedge-leg check-config -c user_data/config/base.json")
def check_config(
    config: Annotated[list[Path], typer.Option("-c", "--config", help="Configuration file.")],
) -> None:
    """Validate the hedge_leg block of the configurations, merged as freqtrade does; show what it means."""
    settings = settings_of(read_files(config))
    costs = settings.costs
    print(f"leverage {settings.leverage:g}: a pair of notional N ties up N x {1 + 1 / settings.leverage:.3f}")
    print(f"entering or leaving costs {costs.side_bps:g} bps of N, a round trip {costs.round_trip_bps:g} bps")
    notional = settings.stake_for(10_000, settings.leverage) * settings.leverage
    print(f"10,000 of capital open a pair of {notional:,.0f}")
    for daily_bps in (1.0, 3.0, 6.0):
        days = costs.break_even_days(daily_bps, 10_000)
        print(f"funding of {daily_bps:g} bps a day pays a round trip back in {days:.1f} days")


app.command("status")(status)
app.command("statement")(statement_command)
app.command("reconcile")(reconcile)
app.command("unwind")(unwind)
app.command("reset-breaker")(reset_breaker)
app.command("verify-journal")(verify_journal)
app.command("opportunities")(opportunities)
app.command("simulate")(simulate)


def exit_status(error: HedgeError) -> int:
    """Return what an error ends with: a running bot is a "no", what cannot be read is missing data."""
    if isinstance(error, LeaseHeld):
        return 1
    missing = VenueUnavailable | JournalMissing | JournalError | NothingRecorded
    return 3 if isinstance(error, missing) else 2


def main() -> None:
    """Run the command line; a wrong configuration is one line on stderr, never a traceback."""
    try:
        app()
    except HedgeError as error:
        print(f"hedge-leg: {error}", file=sys.stderr)
        sys.exit(exit_status(error))


if __name__ == "__main__":
    main()
