"""What an observer's records say: episodes of one decision, scores by horizon, rows for files."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from typing import Any

from hedge_leg.core.opportunity import DAY_MS, HOUR_MS, Choice, Figures, Opportunity, Shadow
from hedge_leg.core.scoring import Score, score
from hedge_leg.core.shadow import Settlement
from hedge_leg.errors import ConfigError
from hedge_leg.ports import EntryAsked

_DURATION = re.compile(r"([1-9][0-9]{0,3})([hd])")
_ABOUT = ("choice", "reason", "signal", "regime", "regime_why", "flipped_since_ms")
_SCORED = tuple(
    one.name for one in fields(Score) if one.name not in ("at_ms", "pair", "choice", "horizon_ms")
)
_STEP = Decimal("0.01")
_OFF_MS = 2 * HOUR_MS  # looks are at most an hour apart: after that the bot was off


@dataclass(frozen=True, slots=True)
class Scored:
    """All looks, by time, with their scores by horizon (text, such as 3d). None: not known (yet)."""

    looks: tuple[Opportunity, ...]
    scores: Mapping[str, tuple[Score | None, ...]]


def horizon_ms(text: str) -> int:
    """Return a horizon such as 12h or 3d in ms; ConfigError for anything else."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ConfigError(f"--horizon {text} is not a horizon: write hours or days, such as 12h or 3d")
    return int(match[1]) * (DAY_MS if match[2] == "d" else HOUR_MS)


def scored(looks: Iterable[Opportunity], settled: Iterable[Settlement], horizons: Sequence[str]) -> Scored:
    """Score every look of every pair by every horizon."""
    by_pair: dict[str, list[Opportunity]] = {}
    for one in sorted(looks, key=lambda look: look.at_ms):
        by_pair.setdefault(one.pair, []).append(one)
    paid: dict[str, list[Settlement]] = {}
    for settlement in settled:
        paid.setdefault(settlement.pair, []).append(settlement)
    looked = [one for found in by_pair.values() for one in found]
    order = sorted(range(len(looked)), key=lambda at: (looked[at].at_ms, looked[at].pair))
    scores: dict[str, tuple[Score | None, ...]] = {}
    for name in horizons:
        ms = horizon_ms(name)
        results = [
            result for pair, found in by_pair.items() for result in score(found, paid.get(pair, []), ms)
        ]
        scores[name] = tuple(results[at] for at in order)
    return Scored(tuple(looked[at] for at in order), scores)


def episodes(looks: Iterable[Opportunity]) -> list[dict[str, Any]]:
    """Return a row for each stretch of looks at a pair with one decision, by the time it began.

    Hours without any look end a stretch: nobody knows what would have been decided.
    """
    rows: list[dict[str, Any]] = []
    open_rows: dict[str, tuple[Choice, list[Opportunity]]] = {}
    kept: list[tuple[Choice, list[Opportunity]]] = []
    for one in sorted(looks, key=lambda look: look.at_ms):
        current = open_rows.get(one.pair)
        if current is None or current[0] is not one.choice or one.at_ms - current[1][-1].at_ms > _OFF_MS:
            current = open_rows[one.pair] = (one.choice, [])
            kept.append(current)
        current[1].append(one)
    for choice, found in kept:
        figures = [one.figures for one in found if one.figures is not None]
        rows.append(
            {
                "pair": found[0].pair,
                "from": shown_time(found[0].at_ms),
                "until": shown_time(found[-1].at_ms),
                "looks": len(found),
                "would": choice.value,
                "funding bps/day": _mean([one.daily_rate * 10_000 for one in figures]),
                "basis bps": _mean([one.basis_bps for one in figures]),
                "net/day": _mean([one.net_daily for one in figures if one.net_daily is not None]),
                "paid back, days": _mean([one.break_even_days for one in figures if one.break_even_days]),
                "regime": found[-1].regime,
                "why": found[0].reason,
            }
        )
    return rows


def pretended(shadows: Iterable[Shadow]) -> list[dict[str, Any]]:
    """Return a row for each pair as its last snapshot tells; money in quote, `net` if it were closed then."""
    newest = {one.pair: one for one in sorted(shadows, key=lambda shadow: shadow.at_ms)}
    return [
        {
            "pair": one.pair,
            "held since": "" if one.opened_ms is None else shown_time(one.opened_ms),
            "qty": one.qty,
            "funding": one.funding,
            "net": one.net,
            "closed before": one.closed,
            "realized": one.realized,
            "as of": shown_time(one.at_ms),
        }
        for _, one in sorted(newest.items())
    ]


def answers(asked: Iterable[EntryAsked]) -> list[dict[str, Any]]:
    """Return a row for each pair and answer of the entry gate, by the time of the first."""
    rows: dict[tuple[str, bool, str], dict[str, Any]] = {}
    for one in sorted(asked, key=lambda entry: entry.at_ms):
        row = rows.setdefault(
            (one.pair, one.would, one.reason),
            {"pair": one.pair, "first": shown_time(one.at_ms), "last": "", "records": 0},
        )
        row["last"], row["records"] = shown_time(one.at_ms), row["records"] + 1
        row |= {"would open": "yes" if one.would else "no", "answer": one.reason}
    return list(rows.values())


def summary(found: Scored) -> list[dict[str, Any]]:
    """Return a row for each pair, horizon and decision: means over the looks that could be scored.

    bps of the notional. `expected`, `paid`: funding; `error` = paid - expected; `won`: share with net > 0.
    """
    rows = []
    pairs = sorted({one.pair for one in found.looks})
    for pair, name in product(pairs, found.scores):
        mine = [at for at, one in enumerate(found.looks) if one.pair == pair]
        for choice in Choice:
            looks = [found.scores[name][at] for at in mine if found.looks[at].choice is choice]
            if looks and choice is not Choice.BLIND:
                known = [one for one in looks if one is not None]
                rows.append(
                    {"pair": pair, "horizon": name, "would": choice.value} | _means(len(looks), known)
                )
    return rows


def _means(looks: int, known: Sequence[Score]) -> dict[str, Any]:
    expected, paid = (
        _mean([one.expected_funding_bps for one in known]),
        _mean([one.funding_bps for one in known]),
    )
    worst = max((one.worst_basis_bps for one in known), default=None)
    return {
        "looks": looks,
        "scored": len(known),
        "expected bps": expected,
        "paid bps": paid,
        "error bps": None if expected is None or paid is None else paid - expected,
        "basis bps": _mean([one.basis_bps for one in known]),
        "worst basis bps": None if worst is None else worst.quantize(_STEP),
        "cost bps": _mean([one.cost_bps for one in known]),
        "net bps": _mean([one.net_bps for one in known]),
        "won": _mean([Decimal(one.net > 0) for one in known]),
    }


def rows(found: Scored) -> Iterator[dict[str, Any]]:
    """Yield a flat row for every look: figures by their names, scores as `name_3d`."""
    names = [one.name for one in fields(Figures)]
    for at, one in enumerate(found.looks):
        row: dict[str, Any] = {"time": shown_time(one.at_ms), "at_ms": one.at_ms, "pair": one.pair}
        row |= {name: getattr(one, name) for name in _ABOUT}
        row["choice"] = one.choice.value
        row |= {name: None if one.figures is None else getattr(one.figures, name) for name in names}
        for horizon, results in found.scores.items():
            result = results[at]
            row |= {
                f"{name}_{horizon}": None if result is None else getattr(result, name) for name in _SCORED
            }
        yield row


def shown_time(at_ms: int) -> str:
    """Return a time in UTC to the second."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def _mean(values: Sequence[Decimal]) -> Decimal | None:
    return (sum(values, Decimal(0)) / len(values)).quantize(_STEP) if values else None
