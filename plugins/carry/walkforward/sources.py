"""Which backtester evaluates which strategy."""

from collections.abc import Sequence
from pathlib import Path

from carry.freqtrade_runs import FreqtradeRuns
from carry.walkforward.choices import Engine
from carry.walkforward.evaluator import EvaluatorSource


def evaluator_source(
    engine: Engine,  # noqa: ARG001
    configs: Sequence[Path],
    userdir: Path,
    datadir: Path,
    timeframe: str,
) -> EvaluatorSource:
    """Return how workers make their evaluator; paths are absolute, so they need the same files there."""
    layers = tuple(str(path.resolve()) for path in configs)
    return EvaluatorSource(FreqtradeRuns, (layers, str(userdir.resolve()), str(datadir.resolve()), timeframe))
