"""The observer over simulated days: the real FreqtradeBot, dry, three pairs, HTTP; then its score, checked.

    python -m tests.soak.observe --days 14

Nothing may be traded. The bot is killed once without farewell; what it pretends to hold must go on. At the
end `hedge-leg opportunities --score` runs in a process of its own, and every funding figure that it tells, of
each look and in the table, is computed again from the exchange's own funding history. Exit status 1 where
they differ.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from freqtrade.persistence import Trade
from rich.console import Console
from rich.progress import Progress

from hedge_leg.adapters.sql_journal import SqlJournal
from hedge_leg.adapters.sql_observations import SqlObservations
from hedge_leg.core.opportunity import DAY_MS, HOUR_MS, Opportunity, Shadow
from paper_exchange.sample import write_sample_market
from tests.host.live_harness import Exchange, Rig, rig, served

PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")
START = datetime(2024, 1, 1, tzinfo=UTC)
PAST = timedelta(days=190)  # regimes look back half a year
STEP_S = 1800.0
_ROUNDED = Decimal("1e-12")  # quote: each settlement's amount is told to so many digits
_HORIZON_MS = {"h": HOUR_MS, "d": DAY_MS}


def settled_history(exchange: Exchange, pair: str) -> list[tuple[int, Decimal, Decimal]]:
    """Return (stamp ms, rate, mark) of a pair's settlements as the exchange lists them."""
    name = pair.split(":", maxsplit=1)[0].replace("/", "")
    query: dict[str, str | int] = {
        "symbol": name,
        "startTime": round(START.timestamp() * 1000),
        "limit": 1000,
    }
    rows = exchange.client.get(f"{exchange.url}/fapi/v1/fundingRate", params=query).json()
    return [(row["fundingTime"], Decimal(row["fundingRate"]), Decimal(row["markPrice"])) for row in rows]


def recomputed(
    exchange: Exchange, looks: list[dict[str, Any]], horizons: list[str]
) -> tuple[dict[tuple[str, str, str], list[Decimal]], list[str]]:
    """Return the funding paid (bps) after each scored look by (pair, horizon, choice), and what differs."""
    histories = {pair: settled_history(exchange, pair) for pair in PAIRS}
    found: dict[tuple[str, str, str], list[Decimal]] = {}
    wrong = []
    for look in looks:
        for horizon in horizons:
            if look[f"funding_bps_{horizon}"] is None:
                continue
            until_ms = look["at_ms"] + int(horizon[:-1]) * _HORIZON_MS[horizon[-1]]
            paid = [row for row in histories[look["pair"]] if look["at_ms"] < row[0] <= until_ms]
            qty = Decimal(look["qty"])
            expected = (
                sum((rate for _, rate, _ in paid), Decimal(0)) * 10_000,
                sum((rate * mark * qty for _, rate, mark in paid), Decimal(0)),
                len(paid),
            )
            told = (
                Decimal(look[f"funding_bps_{horizon}"]),
                Decimal(look[f"funding_{horizon}"]),
                look[f"settlements_{horizon}"],
            )
            found.setdefault((look["pair"], horizon, look["choice"]), []).append(expected[0])
            same = told[::2] == expected[::2] and abs(told[1] - expected[1]) <= len(paid) * _ROUNDED
            if not same:
                wrong.append(f"{look['pair']} {look['time']} {horizon}: told {told}, the exchange {expected}")
    return found, wrong


def differing_means(
    table: list[dict[str, Any]], found: dict[tuple[str, str, str], list[Decimal]]
) -> list[str]:
    """Return the rows of the table of scores whose `paid bps` or count is not what was computed again."""
    wrong, rows = [], {(row["pair"], row["horizon"], row["would"]): row for row in table}
    if missing := found.keys() - rows.keys():
        wrong.append(f"the table lacks {sorted(missing)}")
    for key, row in rows.items():
        paid = found.get(key, [])
        mean = (sum(paid, Decimal(0)) / len(paid)).quantize(Decimal("0.01")) if paid else None
        told = None if row["paid bps"] is None else Decimal(row["paid bps"])
        if (told, row["scored"]) != (mean, len(paid)):
            wrong.append(
                f"{key}: the table tells {told} of {row['scored']}, the exchange {mean} of {len(paid)}"
            )
    return wrong


def live_through(made: Rig, days: float, step_s: float = STEP_S) -> list[str]:
    """Run the bot's loops for some days, with one kill in the middle; return what was wrong."""
    made.start()
    loops, wrong = round(days * 86_400 / step_s), []
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("observing", total=loops)
        for loop in range(loops):
            if loop == loops // 2:
                wrong += _killed(made)
            assert made.bot is not None
            made.bot.process()
            made.advance(step_s)
            bar.advance(task)
    assert made.bot is not None
    made.bot.process()
    if Trade.get_trades([]).unique().all() or made.engine.carries:
        wrong.append("an observer has traded")
    return wrong


def _killed(made: Rig) -> list[str]:
    """Kill the bot and start it again; what it pretends to hold must be what was kept last."""
    before = {pair: records(made).newest(Shadow, pair)[-1] for pair in PAIRS}
    made.kill()
    made.start()
    assert made.bot is not None
    made.bot.process()
    after = {pair: records(made).newest(Shadow, pair)[-1] for pair in PAIRS}
    return [
        f"{pair}: the pretended pair did not survive the kill"
        for pair in PAIRS
        if before[pair].opened_ms != after[pair].opened_ms or before[pair].funding > after[pair].funding
    ]


def records(made: Rig) -> SqlObservations:
    """Return the running observer's records."""
    journal = made.engine.journal
    assert isinstance(journal, SqlJournal)
    return SqlObservations(journal)


def run(days: float, horizons: list[str], folder: Path, step_s: float = STEP_S) -> tuple[str, int, list[str]]:
    """Observe, score, check; return the printed table, how many scores were checked, and what is wrong."""
    data = folder / "market"
    data.mkdir()
    end = START + timedelta(days=int(days) + 2)
    write_sample_market(data, start=START - PAST, end=end, coins=("BTC", "ETH", "SOL"))
    with served(data, f"{START:%Y-%m-%d}T00:00:30") as exchange, rig(exchange, folder, dry=True) as made:
        made.config["exchange"] |= {"pair_whitelist": list(PAIRS)}
        made.config |= {"max_open_trades": 3, "dry_run_wallet": 10_000, "hedge_leg": {"mode": "observer"}}
        wrong = live_through(made, days, step_s)
        looks = sum(1 for _ in records(made).read(Opportunity))
        out = folder / "scores.json"
        url = f"sqlite:///{folder / 'hedge_leg.dryrun.sqlite'}"
        command = [sys.executable, "-m", "hedge_leg", "opportunities", "--journal", url, "--json", str(out)]
        # beside the bot, which is still there
        done = subprocess.run(
            [*command, "--score", "--horizon", *horizons], capture_output=True, text=True, check=False
        )
        if done.returncode:
            return (
                done.stdout,
                0,
                [*wrong, f"opportunities ended with {done.returncode}: {done.stderr.strip()}"],
            )
        told = json.loads(out.read_text())
        if len(told["looks"]) != looks:
            wrong.append(f"{len(told['looks'])} looks were told, {looks} were recorded")
        found, different = recomputed(exchange, told["looks"], horizons)
        wrong += different + differing_means(told["table"], found)
    return done.stdout, sum(map(len, found.values())), wrong


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--horizon", nargs="+", default=["1d", "3d", "7d"])
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        table, checked, wrong = run(options.days, options.horizon, Path(folder))
    print(table)
    for text in wrong[:20]:
        print(text)
    lasted_s = time.monotonic() - began
    print(
        f"{options.days} days, {len(PAIRS)} pairs, {lasted_s:.0f} s: {checked} scores computed again from the"
    )
    print(f"exchange's own funding history, {len(wrong)} wrong")
    sys.exit(1 if wrong or not checked else 0)


if __name__ == "__main__":
    main()
