"""Command line of `paper-exchange`: serve a local exchange that speaks Binance's REST dialect.

Exit status: 0 done, 2 bad usage or configuration, 3 data missing or unreadable.
"""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paper_exchange.clock import MarketClock, real_time_ms
from paper_exchange.errors import PaperExchangeError, UsageError
from paper_exchange.marker import SAMPLE_NOTE, is_sample_market

if TYPE_CHECKING:  # the libraries behind it take seconds to load: not for --help and usage errors
    from paper_exchange.store import CandleStore

DEFAULT_PORT = 8411
_SHIFT_STEP_MS = 7 * 24 * 3_600_000  # whole weeks keep settlements, days and weekly candles in place
DEFAULT_BALANCE = 100_000.0
_MOST_BALANCE = 1e12
_EXAMPLES = """
Examples:

  paper-exchange serve --sample

  paper-exchange serve --data user_data/data/binance --port 8411

  paper-exchange serve --data DIR --at 2024-03-01T00:00 --frozen     drive it by POST /_control/clock

  paper-exchange serve --sample --at 2024-03-01T00:00 --as-now       replay from there as if it were today

  paper-exchange serve --sample --faults plan.json                   see docs/faults.md

Signed requests use the key paper-exchange-key with the secret paper-exchange-secret.
"""


def _money(text: str) -> Any:
    """Return an option for an amount of money that is not negative."""
    return typer.Option(min=0.0, max=_MOST_BALANCE, help=text)


def _bps(text: str) -> Any:
    """Return an option for a commission in basis points; above 100 is a mistake."""
    return typer.Option(min=0.0, max=100.0, help=text)


Timeframe = Annotated[
    str | None, typer.Option(help="Finest candles to move prices along (default: the finest stored).")
]
StartTime = Annotated[
    str | None, typer.Option(help="UTC time the clock starts at (default: now, or the end of the data).")
]
AsNow = Annotated[
    bool, typer.Option("--as-now", help="Shift the data's dates so that --at falls on the present week.")
]
HedgeMode = Annotated[bool, typer.Option("--hedge-mode", help="The USD-M account is in hedge mode.")]
MultiAssets = Annotated[
    bool, typer.Option("--multi-assets", help="The USD-M account is in multi-assets mode.")
]
AuditFile = Annotated[
    Path | None, typer.Option(help="JSON-lines file that every order, fill and funding is appended to.")
]
FaultsFile = Annotated[
    Path | None, typer.Option(help="JSON plan of requests that go wrong; also POST /_control/faults.")
]
EnforceLimits = Annotated[
    bool, typer.Option("--enforce-limits", help="Answer 429 and 418 beyond Binance's rate limits.")
]

app = typer.Typer(
    name="paper-exchange",
    help="A local exchange that speaks Binance's REST dialect over HTTP: no money, no network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _commands() -> None:
    """Keep `serve` a sub-command while it is the only one."""


@app.command(epilog=_EXAMPLES)
def serve(
    *,
    data: Annotated[Path | None, typer.Option(help="Folder with freqtrade's feather files.")] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Serve the sample market (the default).")] = False,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the sample market (default: 7).")] = None,
    host: Annotated[str, typer.Option(help="Loopback address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = DEFAULT_PORT,
    timeframe: Timeframe = None,
    at: StartTime = None,
    frozen: Annotated[bool, typer.Option("--frozen", help="The clock moves only when driven.")] = False,
    as_now: AsNow = False,
    ready_file: Annotated[Path | None, typer.Option(help="Written once connections are accepted.")] = None,
    balance: Annotated[float, _money("USDT that each of the two wallets starts with.")] = DEFAULT_BALANCE,
    spot_balance: Annotated[float | None, _money("USDT in the spot wallet (default: --balance).")] = None,
    futures_balance: Annotated[float | None, _money("USDT in the USD-M wallet (default: --balance).")] = None,
    spot_fee_bps: Annotated[float, _bps("Commission on spot.")] = 10.0,
    spot_maker_fee_bps: Annotated[float | None, _bps("Of orders that rest (default: the same).")] = None,
    perp_fee_bps: Annotated[float, _bps("Commission on USD-M.")] = 5.0,
    perp_maker_fee_bps: Annotated[float | None, _bps("Of orders that rest (default: 2 at most).")] = None,
    bnb: Annotated[float, _money("BNB in either wallet; with some, fees are paid in BNB.")] = 0.0,
    bnb_px: Annotated[float | None, _money("USDT per BNB where no candles tell.")] = None,
    key_permissions: Annotated[str, typer.Option(help="What the API key may do.")] = "read,spot,futures",
    hedge_mode: HedgeMode = False,
    multi_assets: MultiAssets = False,
    audit: AuditFile = None,
    faults: FaultsFile = None,
    enforce_limits: EnforceLimits = False,
) -> None:
    """Serve spot and USD-M markets and an account over HTTP until interrupted."""
    start_ms = None if at is None else _parse_utc_ms(at)
    if as_now and start_ms is None:
        raise UsageError("--as-now needs --at TIME: the moment of the data that shall be now")
    _check_source(data, seed, sample=sample)
    shift_ms = (real_time_ms() - (start_ms or 0)) // _SHIFT_STEP_MS * _SHIFT_STEP_MS if as_now else 0
    from paper_exchange.account_options import fees_of, open_account, permissions_of
    from paper_exchange.audit import AuditLog
    from paper_exchange.candles import INTERVALS_MS
    from paper_exchange.faults import FaultPlan, load_rules
    from paper_exchange.server import bind_loopback, create_app
    from paper_exchange.server import serve as serve_app

    if timeframe not in {None, *INTERVALS_MS}:
        raise UsageError(f"--timeframe {timeframe} is not known: give one of {', '.join(INTERVALS_MS)}")
    permissions, plan = permissions_of(key_permissions), FaultPlan(load_rules(faults) if faults else [])
    listener = bind_loopback(host, port)
    store = _load(data, seed, timeframe, shift_ms)
    start_ms = _start_ms(store, start_ms, shift_ms)
    clock = MarketClock(None if as_now else start_ms, running=not frozen)
    account = open_account(
        clock.now_ms(),
        spot_usdt=balance if spot_balance is None else spot_balance,
        futures_usdt=balance if futures_balance is None else futures_balance,
        bnb=bnb,
        fees=fees_of(spot_fee_bps, spot_maker_fee_bps, perp_fee_bps, perp_maker_fee_bps, bnb, bnb_px),
        permissions=permissions,
        hedge_mode=hedge_mode,
        multi_assets=multi_assets,
    )
    exchange = create_app(store, clock, account, AuditLog(audit), faults=plan, enforce_limits=enforce_limits)
    serve_app(exchange, listener, ready_file=ready_file, announce=typer.echo)


def _check_source(data: Path | None, seed: int | None, *, sample: bool) -> None:
    """Refuse options that name two sources of market data."""
    if data is not None and sample:
        raise UsageError("give --data DIR or --sample, not both")
    if seed is not None and data is not None:
        raise UsageError("--seed is the sample market's: give it without --data")


def _load(data: Path | None, seed: int | None, timeframe: str | None, shift_ms: int) -> "CandleStore":
    """Load the folder, or the sample market through a temporary one."""
    from paper_exchange.store import CandleStore

    if data is not None:
        if is_sample_market(data):
            typer.echo(f"{data}: {SAMPLE_NOTE}")
        return CandleStore.load(data, timeframe=timeframe, shift_ms=shift_ms)
    from paper_exchange.sample import DEFAULT_SEED, write_sample_market

    seed = DEFAULT_SEED if seed is None else seed
    typer.echo(f"{SAMPLE_NOTE} (seed {seed})")
    with tempfile.TemporaryDirectory(prefix="paper-exchange-") as folder:
        write_sample_market(Path(folder), seed=seed)
        return CandleStore.load(Path(folder), timeframe=timeframe, shift_ms=shift_ms)


def _start_ms(store: "CandleStore", wanted_ms: int | None, shift_ms: int) -> int:
    """Return the clock's first time: as wanted, else real time, or the data's end where that is earlier.

    `wanted_ms` is in the dates of the data, the result in shifted ones; UsageError when it is outside.
    """
    first_ms, end_ms = store.range_ms()
    if wanted_ms is None:
        return min(real_time_ms(), end_ms)
    if not first_ms <= wanted_ms + shift_ms <= end_ms:
        limits = (datetime.fromtimestamp((ms - shift_ms) / 1000, UTC) for ms in (first_ms, end_ms))
        first, end = (f"{moment:%Y-%m-%dT%H:%M}" for moment in limits)
        raise UsageError(f"--at is outside the data: give a time from {first} to {end}")
    return wanted_ms + shift_ms


def _parse_utc_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--at {text} is not a time: write it like 2024-03-01T00:00 (UTC)") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr, never a traceback."""
    try:
        app()
    except PaperExchangeError as error:
        print(f"paper-exchange: {error}", file=sys.stderr)
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
