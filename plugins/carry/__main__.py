"""Command line of `carry`: market data, features, pricing and the report.

Exit status: 0 done, 1 the answer is "no", 2 bad usage or configuration, 3 data missing or incomplete.
"""

import sys

import typer

from carry import commands_data, commands_results, commands_sweep, commands_walkforward
from carry.errors import CarryError

app = typer.Typer(
    name="carry",
    help="Research for hedged funding carry: short the perpetual, hold the spot.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
commands_data.register(app)
commands_results.register(app)
commands_sweep.register(app)
commands_walkforward.register(app)


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr, never a traceback."""
    try:
        app()
    except CarryError as error:
        print(f"carry: {error}", file=sys.stderr)
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
