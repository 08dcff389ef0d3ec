"""The causal regime of one settlement, computed anew in plain Python from what was known when it settled."""

import math
from datetime import datetime, timedelta
from itertools import pairwise

from tests.carry_data.naive import Candle, Settlement

NAN = float("nan")
HOUR = timedelta(hours=1)


def hourly_basis(perp: list[Candle], spot: list[Candle], step: timedelta) -> dict[datetime, float]:
    """Return the basis in percent by close time, on full hours, where both legs were traded."""
    traded = {candle.date: candle.close for candle in spot if candle.volume > 0}
    closes = {}
    for candle in perp:
        closed, spot_px = candle.date + step, traded.get(candle.date)
        if candle.volume > 0 and spot_px is not None and closed.minute == 0:
            closes[closed] = (candle.close - spot_px) / spot_px * 100
    return closes


def relaxation(basis: dict[datetime, float], at: datetime) -> tuple[float, float]:
    """Return kappa per hour and beta of the 720 h up to and including `at`."""
    window = [basis.get(at - back * HOUR, NAN) for back in range(719, -1, -1)]
    pairs = [(x, y) for x, y in pairwise(window) if not math.isnan(x) and not math.isnan(y)]
    if len(pairs) < 0.9 * 719:
        return NAN, NAN
    mean_x = math.fsum(x for x, _ in pairs) / len(pairs)
    mean_y = math.fsum(y for _, y in pairs) / len(pairs)
    covered = math.fsum((x - mean_x) * (y - mean_y) for x, y in pairs)
    phi = covered / math.fsum((x - mean_x) ** 2 for x, _ in pairs)
    kappa = -math.log(min(max(phi, 1e-6), 1 - 1e-6))
    valid = [each for each in window if not math.isnan(each)]
    mean = math.fsum(valid) / len(valid)
    return kappa, len(valid) / (kappa * math.fsum((each - mean) ** 2 for each in valid))


def basis_at(basis: dict[datetime, float], at: datetime) -> float:
    """Return the last basis of the 8 hours up to `at`."""
    return next((basis[at - back * HOUR] for back in range(8) if at - back * HOUR in basis), NAN)


def rates_per_8h(known: list[Settlement]) -> list[float]:
    """Return each rate x 8 / interval; of a settlement after a missing one, the last known interval."""
    rates, judged = [], 8.0
    for place, (stamp, rate) in enumerate(known):
        if place:
            hours = round((stamp - known[place - 1].stamp) / HOUR)
            judged = float(hours) if hours in {1, 2, 4, 8} else judged
        rates.append(rate * 8 / judged)
    return rates


def signals(
    basis: dict[datetime, float], known: list[Settlement], rates: list[float], place: int
) -> dict[str, float]:
    """Return kappa, beta, W, dF, entropy rate and je_health of settlement `place`."""
    at = known[place].stamp
    kappa, beta = relaxation(basis, at)
    works = [-rate * basis_at(basis, each.stamp) for each, rate in zip(known, rates, strict=True)]

    def window(hours: int) -> list[tuple[float, float]]:
        inside = [
            (works[k], rates[k])
            for k in range(place + 1)
            if known[k].stamp > at - hours * HOUR and not math.isnan(works[k])
        ]
        return inside if len(inside) >= 0.9 * hours / 8 else []

    entropy = je_health = NAN
    if month := window(720):
        entropy = math.fsum(beta * (w + f * f / (2 * kappa)) for w, f in month) / len(month)
    if (two := window(1440)) and not math.isnan(beta):
        terms = [math.exp(min(max(-beta * (w + f * f / (2 * kappa)), -500.0), 500.0)) for w, f in two]
        je_health = abs(math.fsum(terms) / len(terms) - 1)
    return {
        "raw_kappa": kappa,
        "raw_beta": beta,
        "relaxation_ratio": 1 / kappa / 8,
        "work": works[place],
        "delta_free_energy": -(rates[place] ** 2) / (2 * kappa),
        "entropy_rate": entropy,
        "je_health": je_health,
    }


def percentile(values: list[float], share: float) -> float:
    """Return the linear percentile, NaN for fewer than 90 values."""
    ranked = sorted(values)
    if len(ranked) < 90:
        return NAN
    place = share * (len(ranked) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (place - low) * (ranked[high] - ranked[low])


def zscore(values: list[float], value: float) -> float:
    """Return (value - mean) / population std of the earlier ones, NaN for fewer than 90."""
    if len(values) < 90:
        return NAN
    mean = math.fsum(values) / len(values)
    return (value - mean) / math.sqrt(math.fsum((each - mean) ** 2 for each in values) / len(values))


def regime(ratio: float, z: float, entropy: float, je: float, p10: float, p40: float, p90: float) -> str:
    """Return the regime by the table of REFERENCES 2, "" where something is unknown."""
    if any(math.isnan(each) for each in (ratio, z, entropy, je, p10, p40, p90)):
        return ""
    if ratio > 1.4 or entropy < p10 or je > p90:
        return "NESS"
    return "EQUILIBRIUM" if ratio < 1.05 and z > -0.5 and entropy > p40 else "WARM"
