"""Search of one strategy's parameters over one training window, by Optuna's samplers.

Sets are asked for in batches, so that one call of the evaluator serves many; the batch size is part of the
search and fixed, so the same seed proposes the same sets on any machine. A set that was proposed before is
not evaluated again.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import optuna

from carry.errors import UsageError
from carry.walkforward.choices import Sampler
from carry.walkforward.evaluator import Dimension, Parameters, Space, Value

BATCH = 16
_STARTUP = 32  # random sets before TPE models the losses


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """How many sets of which sampler; `names` restricts the search to these parameters, () = all."""

    sampler: Sampler = Sampler.TPE
    trials: int = 128
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a search that tries nothing."""
        if self.trials < 1:
            raise UsageError(f"--trials {self.trials}: give at least 1")


@dataclass(frozen=True, slots=True)
class Trial:
    """One distinct set that was tried; `loss` as in carry.losses, smaller is better."""

    parameters: Parameters
    loss: float


def narrowed(space: Space, names: Sequence[str], strategy: str) -> Space:
    """Return the dimensions named, all for no names; UsageError for an empty space or an unknown name."""
    if not space:
        raise UsageError(
            f"{strategy} has no parameters to search: declare one, or list the strategy under --controls"
        )
    known = [dimension.name for dimension in space]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"{strategy} has no parameter {unknown[0]}: it has {', '.join(known)}")
    return tuple(dimension for dimension in space if not names or dimension.name in names)


def values_of(dimension: Dimension) -> tuple[Value, ...]:
    """Return every value of a dimension, ascending where it is a range of numbers."""
    if dimension.choices:
        return dimension.choices
    count = math.floor((dimension.high - dimension.low) / dimension.step + 1e-9) + 1
    whole = all(isinstance(edge, int) for edge in (dimension.low, dimension.high, dimension.step))
    values = (dimension.low + place * dimension.step for place in range(count))
    return tuple(int(value) if whole else round(float(value), 12) for value in values)


def search(
    space: Space, plan: SearchPlan, seed: int, judge: Callable[[Sequence[Parameters]], Sequence[float]]
) -> list[Trial]:
    """Return the distinct sets tried, in the order of their proposal.

    `judge` returns the loss of each set. Raises UsageError for a grid that has more sets than trials.
    """
    tried: dict[tuple[Value, ...], Trial] = {}

    def judged(sets: Sequence[Parameters]) -> list[float]:
        keys = [tuple(chosen[dimension.name] for dimension in space) for chosen in sets]
        fresh = {key: chosen for key, chosen in zip(keys, sets, strict=True) if key not in tried}
        for (key, chosen), loss in zip(fresh.items(), judge(list(fresh.values())), strict=True):
            tried[key] = Trial(chosen, loss)
        return [tried[key].loss for key in keys]

    if plan.sampler is Sampler.GRID:
        for batch in _batches(_grid(space, plan.trials)):
            judged(batch)
        return list(tried.values())
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=_sampler(plan.sampler, seed), direction="minimize")
    distributions = {dimension.name: _distribution(dimension) for dimension in space}
    for start in range(0, plan.trials, BATCH):
        asked = [study.ask(distributions) for _ in range(min(BATCH, plan.trials - start))]
        losses = judged([_native(space, trial.params) for trial in asked])
        for trial, loss in zip(asked, losses, strict=True):
            study.tell(trial, loss)
    return list(tried.values())


def best(trials: Sequence[Trial]) -> Trial:
    """Return the trial of least loss; of equals the one proposed first."""
    return min(trials, key=lambda trial: trial.loss)


def _sampler(sampler: Sampler, seed: int) -> optuna.samplers.BaseSampler:
    if sampler is Sampler.RANDOM:
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTUP)


def _distribution(dimension: Dimension) -> optuna.distributions.BaseDistribution:
    """Return the values by place: losses of neighbours in an ordered list inform each other."""
    return optuna.distributions.IntDistribution(0, len(values_of(dimension)) - 1)


def _native(space: Space, places: dict[str, Any]) -> dict[str, Value]:
    return {dimension.name: values_of(dimension)[places[dimension.name]] for dimension in space}


def _grid(space: Space, most: int) -> Iterator[dict[str, Value]]:
    size = math.prod(len(values_of(dimension)) for dimension in space)
    if size > most:
        raise UsageError(
            f"the grid has {size} sets, more than --trials {most}: raise it or name fewer --parameters"
        )
    names = [dimension.name for dimension in space]
    for values in product(*(values_of(dimension) for dimension in space)):
        yield dict(zip(names, values, strict=True))


def _batches(sets: Iterator[dict[str, Value]]) -> Iterator[list[dict[str, Value]]]:
    batch: list[dict[str, Value]] = []
    for chosen in sets:
        batch.append(chosen)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
