"""What a run has exercised: counters that add up over runs, and what must not stay at zero."""

from collections import Counter
from dataclasses import dataclass, field

from hedge_leg.core.states import REMEDIES, TRANSITIONS, Mode
from hedge_leg.simulation import actions, perp_venue, spot_venue, store

_FAULTS = {
    "spot.place": spot_venue.PLACE_FAULTS,
    "spot.book": spot_venue.READ_FAULTS,
    "spot.balances": spot_venue.BALANCE_FAULTS,
    "spot.find": spot_venue.FIND_FAULTS,
    "spot.open": spot_venue.READ_FAULTS,
    "spot.trades": spot_venue.READ_FAULTS,
    "spot.cancel": spot_venue.CANCEL_FAULTS,
    "perp.position": perp_venue.POSITION_FAULTS,
    "perp.orders": perp_venue.READ_FAULTS,
    "perp.funding": perp_venue.READ_FAULTS,
    "perp.find": perp_venue.FIND_FAULTS,
    "perp.close": perp_venue.CLOSE_FAULTS,
    "host.create": perp_venue.HOST_FAULTS,
    "host.read": perp_venue.READ_FAULTS,
    "journal": store.JOURNAL_FAULTS,
    "act.hit": actions.HITS,
    "act": (*actions.WITHOUT_TRADE, *actions.WITH_TRADE),
}
_CRASHES = (
    *("journal.before", "journal.after", "spot.read", "spot.place.before", "spot.place.after"),
    *("spot.cancel.before", "spot.cancel.after", "perp.read", "perp.close.before", "perp.close.after"),
    *("host.create.before", "host.create.after"),
)
_OUTCOMES = ("filled", "partly filled", "not filled", "refused", "denied", "unknown", "absent", "disproved")
_ENDS = ("IDLE", "ACTIVE", "HALTED")

# What this world cannot reach, and why.
_NO_DEBT = "a spot account cannot hold less than nothing"
_LONG_APART = "spot that the market takes and a long perp are always more than a lot apart"
ALLOWED_ZERO: dict[str, str] = {
    **{f"remedy/{mode} flat under": _NO_DEBT for mode in Mode},
    **{f"remedy/{mode} long {spot}": _LONG_APART for mode in Mode for spot in ("under", "equal")},
    "transition/HALTED->IDLE Closed": "the operator's commands release a halted carry before they close it",
}
# What happens less than once in a thousand runs: `make soak` reaches it.
RARE = frozenset(
    {
        *(f"remedy/{mode} long {spot}" for mode in Mode for spot in ("flat", "over")),
        *(f"remedy/{mode} flat equal" for mode in (Mode.OPENING, Mode.EXITING)),
        *("crash/spot.cancel.before", "crash/spot.cancel.after", "crash/perp.close.after"),
    }
)


@dataclass(slots=True)
class Tally:
    """Counts per key "group/name"."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, group: str, name: str) -> None:
        """Count one occurrence."""
        self.counts[f"{group}/{name}"] += 1

    def fired(self, happened: list[tuple[str, str]]) -> None:
        """Count the faults, actions and crashes of a run, as `Choices.fired` has them."""
        for key, name in happened:
            channel = key.rpartition(":")[0]
            if channel.startswith("crash."):
                self.add("crash", channel.removeprefix("crash."))
            else:
                self.add("fault", f"{channel}: {name}")

    def missing(self) -> list[str]:
        """Return what never happened although it must be reachable."""
        return [key for key in expected() if not self.counts[key] and key not in ALLOWED_ZERO]

    def group(self, name: str) -> dict[str, int]:
        """Return one group's counts, of what can be reached and of what happened."""
        reachable = (key for key in expected() if key not in ALLOWED_ZERO)
        keys = {key for key in (*reachable, *self.counts) if key.startswith(f"{name}/")}
        return {key.partition("/")[2]: self.counts[key] for key in sorted(keys)}


def expected() -> list[str]:
    """Return every key that many runs must have counted."""
    transitions = [f"{state}->{after} {kind.__name__}" for state, kind, after in _transitions()]
    return [
        *(f"transition/{one}" for one in transitions),
        *(f"remedy/{mode} {perp} {spot}" for mode, perp, spot in REMEDIES),
        *(f"fault/{channel}: {name}" for channel, options in _FAULTS.items() for name, _weight in options),
        *(f"crash/{where}" for where in _CRASHES),
        *(f"outcome/{name}" for name in _OUTCOMES),
        *(f"end/{name}" for name in _ENDS),
    ]


def _transitions() -> list[tuple[str, type, str]]:
    return [(state, kind, after) for state, row in TRANSITIONS.items() for kind, after in row.items()]
