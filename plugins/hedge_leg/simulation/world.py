"""One simulated world: markets, exchanges, their faulty faces, the journal, and a process that may die."""

from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from hedge_leg.core.amounts import ZERO
from hedge_leg.core.decide import decide
from hedge_leg.core.market import MarketRules
from hedge_leg.core.plan import Policy
from hedge_leg.engine import Decide, Engine
from hedge_leg.simulation.choices import Choices
from hedge_leg.simulation.clock import SimClock
from hedge_leg.simulation.host import SimHost
from hedge_leg.simulation.market import SimMarket
from hedge_leg.simulation.perp import PerpExchange
from hedge_leg.simulation.perp_venue import SimPerp
from hedge_leg.simulation.spot import FEE_COIN, SpotExchange
from hedge_leg.simulation.spot_venue import SimSpotVenue
from hedge_leg.simulation.store import SimJournal
from hedge_leg.watch import Watch

START_MS = 1_750_000_000_000
_LOTS = (Decimal("0.001"), Decimal("0.01"), Decimal("0.1"))


@dataclass(frozen=True, slots=True)
class Setting:
    """What stays the same during a run."""

    coins: tuple[str, ...] = ("AAA",)
    spot_lot: Decimal = Decimal("0.001")
    perp_lot: Decimal = Decimal("0.001")
    max_qty: Decimal = Decimal(1_000)
    depth_qty: Decimal = Decimal(50)
    fee_mode: str = "base"
    wrong_fee_expected: bool = False
    skew_ms: int = 0
    start_ms: int = START_MS
    start_px: float = 100.0
    max_slice_notional: Decimal | None = None

    @classmethod
    def drawn(cls, chance: Random) -> "Setting":
        """Draw one: mostly a single coin and a truthful clock."""
        return cls(
            coins=("AAA", "BBB") if chance.random() < 0.25 else ("AAA",),
            spot_lot=chance.choice(_LOTS),
            perp_lot=chance.choice(_LOTS),
            max_qty=Decimal(chance.choice((2, 1_000, 1_000, 1_000))),
            depth_qty=Decimal(chance.choice((1, 50, 50, 50))),
            fee_mode=chance.choice(("base", "base", "quote", "coin")),
            wrong_fee_expected=chance.random() < 0.15,
            skew_ms=chance.choice((0, 0, 0, 0, -3_000, 800)),
            start_ms=START_MS + chance.randrange(0, 8 * 3_600_000),
            start_px=chance.choice((20.0, 100.0, 400.0, 1_500.0)),  # the last: a lot is worth a position
            max_slice_notional=chance.choice((None, None, None, Decimal(300))),
        )

    def rules(self, coin: str) -> MarketRules:
        """Return the spot filters of a coin."""
        return MarketRules(
            *(f"{coin}/USDT", coin, "USDT", self.spot_lot, Decimal("0.01"), self.spot_lot, self.max_qty),
            min_notional=Decimal(5),
            fee_rate=Decimal("0.001"),
            fee_in_base=(self.fee_mode == "base") is not self.wrong_fee_expected,
        )


@dataclass(slots=True)
class World:
    """Everything. The exchanges, the journal and the trade base outlive `host.engine`."""

    setting: Setting
    choices: Choices
    policy: Policy
    clock: SimClock
    spot: SpotExchange
    perp: PerpExchange
    spot_venue: SimSpotVenue
    perp_venue: SimPerp
    journal: SimJournal
    host: SimHost
    alarms: list[tuple[int, str]] = field(default_factory=list)
    opening: dict[str, Decimal] = field(default_factory=dict)  # balances at the start
    opening_wallet: Decimal = ZERO
    decide: Decide = decide
    story: list[tuple[int, str]] = field(default_factory=list)  # when, and what was drawn

    def market(self, coin: str) -> SimMarket:
        """Return the market of a coin."""
        return self.spot.markets[f"{coin}/USDT"]

    def process(self) -> tuple[Engine, Watch]:
        """Start a process: a new engine that knows what the journal holds. Raises JournalError."""
        engine = Engine(
            *(self.journal, self.spot_venue, self.perp_venue, self.clock, self.policy, self.ring),
            decide=self.decide,
        )
        engine.load()
        return engine, Watch(engine)

    def ring(self, text: str) -> None:
        """Take an alarm."""
        self.alarms.append((self.clock.now_ms(), text))

    def arrived_late(self, pair: str) -> bool:
        """Return whether an order of freqtrade's has filled that no carry knows: it is being taken over."""
        known = {key for carry in self.host.engine.carries.values() for key in carry.perp}
        deals = self.perp.deals.get(pair, ())
        return any(one.qty and not one.hands and one.order_id not in known for one in deals)

    def unseen(self, pair: str) -> bool:
        """Return whether the position is an order that arrived late, and no carry lives."""
        return self.host.engine.of_pair(pair) is None and self.arrived_late(pair)

    def restart(self, down_ms: int) -> None:
        """Let the process be dead for a while, then start it again."""
        self.clock.advance(down_ms)
        self.host.restart(*self.process())


def build(setting: Setting, choices: Choices, policy: Policy | None = None) -> World:
    """Return a world at rest: a funded account, no carry, a fresh process."""
    policy = policy or Policy(max_slice_notional=setting.max_slice_notional)
    clock = SimClock(setting.start_ms)
    markets = {}
    for coin in setting.coins:
        made = SimMarket(
            *(f"{coin}/USDT:USDT", setting.rules(coin), setting.perp_lot, clock),
            chance=choices.stream(f"market.{coin}"),
            spot=setting.start_px,
            depth_qty=setting.depth_qty,
        )
        markets[made.rules.symbol] = made
    balances = {"USDT": Decimal(20_000), FEE_COIN: Decimal("0.002")}
    spot = SpotExchange(clock, markets, dict(balances), fee_mode=setting.fee_mode, skew_ms=setting.skew_ms)
    perps = {market.pair: market for market in markets.values()}
    perp = PerpExchange(clock, perps, Decimal(10_000), skew_ms=setting.skew_ms)
    spot_venue = SimSpotVenue(spot, choices, wrong_fee_expected=setting.wrong_fee_expected)
    perp_venue = SimPerp(perp, choices)
    journal = SimJournal(choices)
    engine = Engine(journal, spot_venue, perp_venue, clock, policy, lambda _text: None)
    host = SimHost(clock, perp_venue, engine, Watch(engine))
    world = World(
        *(setting, choices, policy, clock, spot, perp, spot_venue, perp_venue, journal, host),
        opening=balances,
        opening_wallet=perp.wallet,
    )
    choices.heard = lambda key, name: world.story.append((clock.now_ms(), f"{key} {name}"))
    host.restart(*world.process())
    return world
