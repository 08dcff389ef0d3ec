"""Every decision that chance takes in a run: numbered per channel, recorded, and droppable one by one.

A fault is named by its channel and the number of the call on it ("spot.place:3"). Each channel has a
generator of its own, so that leaving one fault out moves no other. A replay names the faults to keep; a
test scripts them.
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random

Options = tuple[tuple[str, int], ...]  # fault and weight


class Crash(BaseException):
    """The process dies here. No `except Exception` of freqtrade or of ours may hold it."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How often, per call: a fault of a venue or the journal, a crash at a crash point."""

    fault: float = 0.0
    crash: float = 0.0


def _ignore(_key: str, _name: str) -> None:
    """See nothing."""


@dataclass(slots=True)
class Choices:
    """Draws everything from one seed. `keep` None: whatever is drawn happens; else only those keys."""

    seed: int
    rates: Rates = field(default_factory=Rates)
    keep: Container[str] | None = None
    script: Mapping[str, str] | None = None  # instead of chance: key -> fault
    enabled: bool = True
    heard: Callable[[str, str], None] = _ignore
    fired: list[tuple[str, str]] = field(default_factory=list)  # key and what, in order
    counts: dict[str, int] = field(default_factory=dict)
    _streams: dict[str, Random] = field(default_factory=dict)
    _weights: dict[Options, tuple[tuple[int, ...], int]] = field(default_factory=dict)

    def stream(self, channel: str) -> Random:
        """Return the generator of a channel, the same numbers for the same seed and channel."""
        found = self._streams.get(channel)
        if found is None:
            found = self._streams[channel] = Random(f"{self.seed}/{channel}")
        return found

    def fault(self, channel: str, options: Options, rate: float | None = None) -> str:
        """Return which of the options happens at this call of the channel; empty: none."""
        number = self.counts.get(channel, 0)
        self.counts[channel] = number + 1
        if self.script is not None:
            return self._scripted(f"{channel}:{number}")
        drawn = self.stream(channel).random()
        rate = self.rates.fault if rate is None else rate
        if drawn >= rate or not self.enabled:
            return ""
        key = f"{channel}:{number}"
        if self.keep is not None and key not in self.keep:
            return ""
        sums, total = self._weights.get(options) or self._weigh(options)
        at = drawn / rate * total
        name = next(one for (one, _weight), upto in zip(options, sums, strict=True) if at < upto)
        self._fire(key, name)
        return name

    def _fire(self, key: str, name: str) -> None:
        self.fired.append((key, name))
        self.heard(key, name)

    def _scripted(self, key: str) -> str:
        name = self.script.get(key, "") if self.script is not None else ""
        if name:
            self._fire(key, name)
        return name

    def _weigh(self, options: Options) -> tuple[tuple[int, ...], int]:
        sums = tuple(accumulate(weight for _name, weight in options))
        self._weights[options] = (sums, sums[-1])
        return self._weights[options]

    def crash(self, where: str) -> None:
        """Die here, if this is the crash that was drawn."""
        channel = f"crash.{where}"
        if self.fault(channel, _DIE, self.rates.crash):
            raise Crash(where)


_DIE: Options = (("crash", 1),)
