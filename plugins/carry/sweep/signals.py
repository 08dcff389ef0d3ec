"""A strategy as the sweep sees it: its parameter space, and its own rules called with other values.

The strategy's own `entry_rule`, `hold_rule` and `exit_policy` are called, on an instance that freqtrade's
resolver has loaded, so there is no second rule book. Which parameters a rule reads is watched, and its result
is kept for the next set with the same values of them: that is where a grid's speed comes from.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from carry.errors import UsageError
from carry.rules import ExitPolicy, fills_at_settlement
from carry.sweep.layout import Bools, Floats, Sizes

Value = bool | int | float | str
ParameterSet = Mapping[str, Value]

# What a strategy may state of its own; whatever else it overrides, the kernel does not know.
RULES = frozenset({"entry_rule", "hold_rule", "exit_policy", "features_of"})
CHILD_BASE = "ChildStrategy"  # its confirm_trade_entry acts in a bot only
SIZED_BASE = "SizedStrategy"
SIZED_RULES = RULES | {"exposures"}
_CACHE_BYTES = 256 * 1024 * 1024


class Range(NamedTuple):
    """One parameter: its values for a grid (None: continuous), and how to draw one at random."""

    name: str
    default: Value
    values: tuple[Value, ...] | None
    low: float
    high: float
    decimals: int
    space: str

    def draw(self, rng: np.random.Generator) -> Value:
        """Return one value at random, uniform over the values or the range."""
        if self.values is not None:
            return self.values[int(rng.integers(len(self.values)))]
        return round(float(rng.uniform(self.low, self.high)), self.decimals)


@dataclass(frozen=True, slots=True)
class Space:
    """The parameters of a strategy, in the order in which its class states them."""

    ranges: tuple[Range, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the parameters' names."""
        return tuple(one.name for one in self.ranges)

    @property
    def defaults(self) -> dict[str, Value]:
        """Return the values that the strategy runs with if nothing is said."""
        return {one.name: one.default for one in self.ranges}

    @property
    def size(self) -> float:
        """Return how many sets the full grid has, inf if a parameter is continuous."""
        return math.prod(math.inf if one.values is None else len(one.values) for one in self.ranges)

    def complete(self, chosen: ParameterSet) -> dict[str, Value]:
        """Return all parameters, those not chosen at their defaults; UsageError for an unknown name."""
        defaults = self.defaults
        unknown = [name for name in chosen if name not in defaults]
        if unknown:
            known = ", ".join(defaults) or "none"
            raise UsageError(f"parameter {unknown[0]} is not one of this strategy: it has {known}")
        return defaults | dict(chosen)


class _Watched:
    """Stands in for a parameter object on the strategy; notes that it was read."""

    __slots__ = ("_name", "_read", "_value")

    def __init__(self, name: str, value: Value, read: set[str]) -> None:
        self._name, self._value, self._read = name, value, read

    @property
    def value(self) -> Value:
        self._read.add(self._name)
        return self._value


@dataclass(slots=True)
class _Memory:
    """Results of one rule by the values of the parameters that it has ever read."""

    names: tuple[str, ...] = ()
    results: dict[tuple[Value, ...], Any] = field(default_factory=dict)
    size: int = 0


@dataclass(slots=True)
class SweptStrategy:
    """A loaded strategy whose rules can be asked with any parameter values.

    `reload` makes an equal one in another process: what is pickled is how to load it, never the object.
    """

    name: str
    instance: Any
    space: Space
    startup: int
    reload: Callable[[], "SweptStrategy"]
    sized: bool = False  # whether it states `exposures`
    own_features: bool = False  # whether it adds columns of its own

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the recipe."""
        return (_reloaded, (self.reload,))

    def ask(self, rule: str, parameters: ParameterSet, *args: Any) -> tuple[Any, set[str]]:
        """Return (what the rule says with these parameters, the names it has read)."""
        read: set[str] = set()
        for name, value in parameters.items():
            object.__setattr__(self.instance, name, _Watched(name, value, read))
        return getattr(self.instance, rule)(*args), read


def _reloaded(reload: Callable[[], SweptStrategy]) -> SweptStrategy:
    return reload()


class PairSignals:
    """The signals of one strategy on the feature frames of one window, by parameter set.

    `slots`: how many pairs may be open, for rules that choose among pairs.
    """

    slots: float = math.inf

    def __init__(self, strategy: SweptStrategy, frames: Sequence[pd.DataFrame], timeframe_h: float) -> None:
        """Keep the frames; the rules are asked when a set needs them."""
        self.strategy = strategy
        self.frames = frames
        self.known = [frame["funding_bps"].notna().to_numpy() for frame in frames]
        self.fillable = [
            (frame["spot_traded"].astype(bool) & ~fills_at_settlement(frame, timeframe_h)).to_numpy()
            for frame in frames
        ]
        self._memories = {rule: _Memory() for rule in SIZED_RULES}

    def entries(self, parameters: ParameterSet, lay: Callable[[Sequence[Bools]], Bools]) -> Bools:
        """Return the entry rule on the market's grid, by `lay`."""
        found: Bools = self._remembered(
            "entry_rule", parameters, lambda: self._vector("entry_rule", parameters, lay)
        )
        return found

    def holds(self, parameters: ParameterSet, lay: Callable[[Sequence[Bools]], Bools]) -> Bools:
        """Return the hold rule on the market's grid, by `lay`."""
        found: Bools = self._remembered(
            "hold_rule", parameters, lambda: self._vector("hold_rule", parameters, lay)
        )
        return found

    def sizes(self, parameters: ParameterSet, lay: Callable[[Sequence[Any]], Any]) -> Sizes:
        """Return the exposures on the market's grid, by `lay`; empty where the strategy is not sized."""
        if not self.strategy.sized:
            none = np.zeros((0, 0))
            return Sizes(False, 0.0, none, none, none)
        found: Sizes = self._remembered("exposures", parameters, lambda: self._exposures(parameters, lay))
        return found

    def _exposures(
        self, parameters: ParameterSet, lay: Callable[[Sequence[Any]], Any]
    ) -> tuple[Sizes, set[str]]:
        names: set[str] = set()
        columns: list[tuple[Floats, Floats, Floats]] = []
        band = 0.0
        for frame in self.frames:
            hold, read = self.strategy.ask("hold_rule", parameters, frame)
            (said, band), more = self.strategy.ask("exposures", parameters, frame, hold)
            names |= read | more
            columns.append((said.opening, said.grow_to, said.shrink_to))
        opening, grow_to, shrink_to = (lay([one[k] for one in columns]) for k in range(3))
        return Sizes(True, float(band), opening, grow_to, shrink_to), names

    def policy(self, parameters: ParameterSet) -> ExitPolicy:
        """Return the limits on an open pair."""
        ask = self.strategy.ask
        found: ExitPolicy = self._remembered(
            "exit_policy", parameters, lambda: ask("exit_policy", parameters)
        )
        return found

    def _vector(
        self, rule: str, parameters: ParameterSet, lay: Callable[[Sequence[Bools]], Bools]
    ) -> tuple[Bools, set[str]]:
        names: set[str] = set()
        columns: list[Bools] = []
        for frame in self.frames:
            said, read = self.strategy.ask(rule, parameters, frame)
            names |= read
            columns.append(np.asarray(said, dtype=bool))
        return lay(columns), names

    def _remembered(
        self, rule: str, parameters: ParameterSet, ask: Callable[[], tuple[Any, set[str]]]
    ) -> Any:
        """Return the rule's result, asked only if its parameters are not those of a set before."""
        memory = self._memories[rule]
        key = tuple(parameters[name] for name in memory.names)
        if memory.results and key in memory.results:
            return memory.results[key]
        result, read = ask()
        if not read <= set(memory.names):
            memory.names = tuple(sorted(read | set(memory.names)))
            memory.results.clear()
            memory.size = 0
            key = tuple(parameters[name] for name in memory.names)
        if memory.size > _CACHE_BYTES:
            memory.results.clear()
            memory.size = 0
        memory.results[key] = result
        parts = result if isinstance(result, tuple) else (result,)
        memory.size += sum(getattr(part, "nbytes", 0) for part in parts)
        return result
