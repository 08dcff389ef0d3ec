"""Breakers: a limit that was broken stays broken until it holds again and has cooled down, or is reset.

Rules of this file:
1. A breaker is named `limit@scope`; its scope is a pair, a venue, or all.
2. The state is a fold over journaled rows. `Breakers.step` says which row to write, `apply` takes it over, so
   a restart knows what was tripped, and each trip makes one row and one alarm.
3. Unknown (`breached` None) neither trips nor clears: a breaker clears on evidence only.
4. After a reset a breaker judges what happened since; where its cause lasts, it trips again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

ALL = "all"


class Limit(StrEnum):
    """What is limited."""

    MARGIN_SHRINK = "margin_shrink"
    MARGIN_LEAVE = "margin_leave"
    PRICE_JUMP = "price_jump"
    BASIS = "basis"
    SLIPPAGE = "slippage"
    VENUE_FAILURES = "venue_failures"
    STALE_DATA = "stale_data"
    FUNDING_FLIP = "funding_flip"
    REBALANCING = "rebalancing"
    DAILY_LOSS = "daily_loss"
    TRANSFER = "transfer"


class Action(StrEnum):
    """What a trip does to the carries of its scope, the stronger the later. All but ALARM block entries."""

    ALARM = "alarm"
    BLOCK = "block"
    SHRINK = "shrink"
    LEAVE = "leave"


WEIGHT = {action: number for number, action in enumerate(Action)}


class RowKind(StrEnum):
    """What a row of the guard's table tells."""

    TRIPPED = "tripped"
    CLEARED = "cleared"
    RESET = "reset"
    SHRUNK = "shrunk"  # both legs of `carry_id` are to be brought down to `amount` base units
    REPORTED = "reported"  # the report of the UTC day `text` has been sent; no breaker
    DAY = "day"  # at the first look of a UTC day both legs were worth `amount`; `bound`: loss allowed


@dataclass(frozen=True, slots=True)
class GuardRow:
    """One fact of the guard, appended and never changed. Amounts in quote, except where the kind says so."""

    at_ms: int
    kind: RowKind
    breaker: str
    action: str = ""
    until_ms: int = 0
    carry_id: str = ""
    amount: Decimal | None = None
    bound: Decimal | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a limit says of its scope now; `breached` None: what it needs could not be read."""

    limit: Limit
    scope: str
    breached: bool | None
    action: Action
    text: str = ""

    @property
    def name(self) -> str:
        """Return the breaker's name."""
        return breaker_name(self.limit, self.scope)


def breaker_name(limit: Limit, scope: str) -> str:
    """Return the name under which a breaker is journaled, shown and reset."""
    return f"{limit.value}@{scope}"


def limit_of(name: str) -> str:
    """Return the limit of a breaker."""
    return name.partition("@")[0]


def scope_of(name: str) -> str:
    """Return the scope of a breaker."""
    return name.partition("@")[2]


@dataclass(slots=True)
class Trip:
    """A breaker that is tripped. `last_ms`: when it was last seen broken, as far as this process knows."""

    row: GuardRow
    last_ms: int

    @property
    def action(self) -> Action:
        """Return what it does."""
        return Action(self.row.action)


@dataclass(slots=True)
class Breakers:
    """All breakers of a journal. `day`: the newest DAY row; `targets`: (breaker, carry) -> base units."""

    cool_down_ms: int
    trips: dict[str, Trip] = field(default_factory=dict)
    resets: dict[str, int] = field(default_factory=dict)
    targets: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    day: GuardRow | None = None

    def apply(self, row: GuardRow) -> None:
        """Take a journaled row over."""
        match row.kind:
            case RowKind.TRIPPED:
                self.trips[row.breaker] = Trip(row, row.at_ms)
            case RowKind.CLEARED | RowKind.RESET:
                self.trips.pop(row.breaker, None)
                self.targets = {key: qty for key, qty in self.targets.items() if key[0] != row.breaker}
                if row.kind is RowKind.RESET:
                    self.resets[row.breaker] = row.at_ms
                    if row.breaker == DAILY:
                        self.day = None  # the day is counted anew from the next look
            case RowKind.SHRUNK:
                if row.amount is not None:
                    self.targets[row.breaker, row.carry_id] = row.amount
            case RowKind.DAY:
                self.day = row
            case RowKind.REPORTED:
                pass

    def step(self, judged: Judgement, now_ms: int) -> GuardRow | None:
        """Return the row that a judgement makes: a trip, its end, or None."""
        trip = self.trips.get(judged.name)
        if judged.breached:
            if trip is not None:
                trip.last_ms = now_ms
                return None
            until_ms = now_ms + self.cool_down_ms
            return GuardRow(
                now_ms, RowKind.TRIPPED, judged.name, judged.action.value, until_ms, text=judged.text
            )
        if judged.breached is None or trip is None or now_ms < self.ends_ms(trip):
            return None
        return GuardRow(now_ms, RowKind.CLEARED, judged.name, text="holds again, cooled down")

    def ends_ms(self, trip: Trip) -> int:
        """Return when a trip ends if it is not seen broken again."""
        return max(trip.row.until_ms, trip.last_ms + self.cool_down_ms)

    def open_in(self, scopes: Iterable[str], least: Action = Action.BLOCK) -> list[Trip]:
        """Return the trips of some scopes that do `least` or more, the strongest first."""
        wanted = set(scopes)
        found = [
            trip
            for name, trip in self.trips.items()
            if scope_of(name) in wanted and WEIGHT[trip.action] >= WEIGHT[least]
        ]
        return sorted(found, key=lambda trip: -WEIGHT[trip.action])

    @property
    def act(self) -> bool:
        """Return whether any trip asks for more than to refuse entries."""
        return any(WEIGHT[trip.action] >= WEIGHT[Action.SHRINK] for trip in self.trips.values())

    def since_ms(self, name: str, earliest_ms: int) -> int:
        """Return from when on a limit judges: `earliest_ms`, or its reset after that."""
        return max(earliest_ms, self.resets.get(name, 0))

    def target(self, scopes: Iterable[str], carry_id: str) -> Decimal | None:
        """Return the smallest quantity to which open trips of these scopes have shrunk a carry."""
        names = {trip.row.breaker for trip in self.open_in(scopes, Action.SHRINK)}
        found = [qty for (name, carry), qty in self.targets.items() if name in names and carry == carry_id]
        return min(found, default=None)


DAILY = breaker_name(Limit.DAILY_LOSS, ALL)
