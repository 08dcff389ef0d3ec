"""What freqtrade, its user, the exchange and strangers do between two loops."""

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

from hedge_leg.core.amounts import ZERO, lots_down
from hedge_leg.core.states import State
from hedge_leg.engine import Engine
from hedge_leg.errors import HedgeError
from hedge_leg.operations import apply_findings, look, unwind
from hedge_leg.simulation.choices import Options
from hedge_leg.simulation.market import SimMarket
from hedge_leg.simulation.world import World
from hedge_leg.watch import Watch

_HOUR_MS = 3_600_000
ENTRY_NOTIONALS = (60, 60, 300, 1_000, 2_500)
_HIT_RATE = 0.15
HITS: Options = (  # while an entry or an exit is under way
    ("liquidation", 2),
    ("deleveraged", 1),
    ("perp closed by hand", 2),
    ("perp opened by hand", 3),
)

WITHOUT_TRADE: Options = (
    ("enter", 60),
    ("stop for a while", 3),
    ("reload_config", 2),
    ("night", 8),
    ("spot market halted", 2),
    ("spot market opens", 3),
    ("fee asset changes", 2),
    ("operator reconciles", 5),
    ("operator unwinds", 2),
    ("spot venue down", 2),
    ("perp venue down", 2),
)
WITH_TRADE: Options = (
    ("exit signal", 22),
    ("exit signal ends", 6),
    ("forceexit", 8),
    ("shrink", 8),
    ("grow", 8),
    ("stop for a while", 4),
    ("reload_config", 4),
    ("delete", 2),
    ("liquidation", 5),
    ("deleveraged", 5),
    ("perp closed by hand", 3),
    ("perp opened by hand", 4),
    ("spot sold by hand", 2),
    ("spot market halted", 4),
    ("spot market opens", 8),
    ("thin book", 4),
    ("fee asset changes", 2),
    ("funding interval changes", 2),
    ("night", 6),
    ("price jumps", 3),
    ("operator reconciles", 10),
    ("operator unwinds", 3),
    ("spot venue down", 5),
    ("perp venue down", 5),
)


def _soon(world: World, hit: Callable[[], None]) -> None:
    """Let something hit within the next seconds: also in the middle of a plan that is running."""
    world.clock.at(world.clock.now_ms() + world.choices.stream("act.time").randrange(6_000), hit)


def _hit(world: World, market: SimMarket) -> None:
    name = world.choices.fault("act.hit", HITS, _HIT_RATE)
    if name:
        _ACTIONS[name](world, market)


def act(world: World, market: SimMarket, name: str) -> None:
    """Do one of the actions to one pair."""
    _ACTIONS[name](world, market)


def _enter(world: World, market: SimMarket) -> None:
    chance = world.choices.stream("act.size")
    qty = Decimal(chance.choice(ENTRY_NOTIONALS)) / market.perp_px()
    qty = max(lots_down(qty, market.perp_lot), market.perp_lot)
    _hit(world, market)
    world.host.guarded(lambda: world.host.enter(market.pair, market.rules.symbol, qty))


def _exit_signal(world: World, market: SimMarket) -> None:
    world.host.exits[market.pair] = "exit signal"


def _exit_signal_ends(world: World, market: SimMarket) -> None:
    world.host.exits.pop(market.pair, None)


def _force_exit(world: World, market: SimMarket) -> None:
    trade = world.host.base.opened(market.pair)
    if trade is not None and not trade.has_open_orders and trade.amount > ZERO:
        _hit(world, market)
        world.host.guarded(lambda: world.host.exit(trade, "force_exit"))


def _shrink(world: World, market: SimMarket) -> None:
    _resize(world, market, -1)


def _grow(world: World, market: SimMarket) -> None:
    _resize(world, market, 1)


def _resize(world: World, market: SimMarket, sign: int) -> None:
    trade = world.host.base.opened(market.pair)
    if trade is not None and trade.amount > ZERO:
        share = Decimal(sign * world.choices.stream("act.size").randrange(5, 70)) / 100
        world.host.guarded(lambda: world.host.resize(trade, share))


def _stop(world: World, market: SimMarket) -> None:  # noqa: ARG001
    world.clock.advance(world.choices.stream("act.time").randrange(10_000, 300_000))


def _reload(world: World, market: SimMarket) -> None:  # noqa: ARG001
    world.restart(2_000)


def _delete(world: World, market: SimMarket) -> None:
    world.host.delete(market.pair)


def _force(world: World, market: SimMarket, share: Decimal) -> None:
    def hit() -> None:
        if not world.unseen(market.pair):  # what comes and goes before anybody saw it is in no books
            world.perp.force(market.pair, share)

    _soon(world, hit)


def _liquidate(world: World, market: SimMarket) -> None:
    _force(world, market, Decimal(1))


def _deleverage(world: World, market: SimMarket) -> None:
    share = Decimal(world.choices.stream("act.size").randrange(10, 95)) / 100
    _force(world, market, share)


def _close_by_hand(world: World, market: SimMarket) -> None:
    share = Decimal(world.choices.stream("act.size").choice((30, 100, 100))) / 100

    def hit() -> None:
        qty = lots_down(max(world.perp.short_qty(market.pair), ZERO) * share, market.perp_lot)
        if qty and not world.unseen(market.pair):
            world.perp.hand(market.pair, qty)

    _soon(world, hit)


def _open_by_hand(world: World, market: SimMarket) -> None:
    times = world.choices.stream("act.size").choice((-1, -1, 3))  # larger, larger, turned long

    def hit() -> None:
        short = world.perp.short_qty(market.pair)
        if short > ZERO:
            world.perp.hand(market.pair, times * max(lots_down(short / 2, market.perp_lot), market.perp_lot))

    _soon(world, hit)


def _steal_spot(world: World, market: SimMarket) -> None:
    share = Decimal(world.choices.stream("act.size").choice((20, 100))) / 100

    def hit() -> None:
        base = market.rules.base
        qty = lots_down(world.spot.balances.get(base, ZERO) * share, market.rules.lot)
        if qty:
            world.spot.hand(base, -qty)
            world.spot.hand("USDT", qty * market.spot_px())

    _soon(world, hit)


def _halt(world: World, market: SimMarket) -> None:
    world.spot.halted.add(market.rules.symbol)


def _open(world: World, market: SimMarket) -> None:
    world.spot.halted.discard(market.rules.symbol)


def _thin(world: World, market: SimMarket) -> None:
    thick = market.depth_qty
    market.depth_qty = Decimal("0.2")
    later_ms = world.choices.stream("act.time").randrange(1_000, 60_000)

    def thicken() -> None:
        market.depth_qty = thick

    world.clock.at(world.clock.now_ms() + later_ms, thicken)


def _spot_down(world: World, market: SimMarket) -> None:  # noqa: ARG001
    def fall() -> None:
        world.spot_venue.down_until_ms = world.clock.now_ms() + lasting_ms

    begin_ms, lasting_ms = _outage(world)
    world.clock.at(begin_ms, fall)


def _perp_down(world: World, market: SimMarket) -> None:  # noqa: ARG001
    def fall() -> None:
        world.perp_venue.down_until_ms = world.clock.now_ms() + lasting_ms

    begin_ms, lasting_ms = _outage(world)
    world.clock.at(begin_ms, fall)


def _outage(world: World) -> tuple[int, int]:
    """Return when an outage begins (soon, within a plan that is running) and how long it lasts, ms."""
    chance = world.choices.stream("act.time")
    return world.clock.now_ms() + chance.randrange(5_000), chance.randrange(2_000, 60_000)


def _fee_asset(world: World, market: SimMarket) -> None:  # noqa: ARG001
    world.spot.fee_mode = world.choices.stream("act.size").choice(("base", "quote", "coin"))


def _funding_interval(world: World, market: SimMarket) -> None:  # noqa: ARG001
    world.perp.funding_every_ms = world.choices.stream("act.size").choice((1, 2, 4, 8)) * _HOUR_MS


def _night(world: World, market: SimMarket) -> None:  # noqa: ARG001
    """Let hours pass with a loop now and then, if nothing is going on."""
    resting = (State.ACTIVE, State.HALTED)
    if all(one.state in resting and one.order is None for one in world.host.engine.alive()):
        for _loop in range(3):
            world.clock.advance(world.choices.stream("act.time").randrange(600_000, 2 * _HOUR_MS))
            world.host.loop()


def _jump(world: World, market: SimMarket) -> None:
    market.spot *= 1 + world.choices.stream("act.size").choice((-0.03, 0.03))
    del world


def _reconcile(world: World, market: SimMarket) -> None:
    """Be the operator of a halted carry: stop the bot, `hedge-leg reconcile --apply`, start it again."""
    carry = world.host.engine.of_pair(market.pair)
    if carry is not None and carry.state is State.HALTED:
        _stopped(world, lambda engine, watch: apply_findings(engine, watch, look(engine, (market.pair,))))


def _unwind(world: World, market: SimMarket) -> None:
    """Stop the bot, `hedge-leg unwind`, start it again."""
    carry = world.host.engine.of_pair(market.pair)
    if carry is not None:
        _stopped(world, lambda engine, _watch: unwind(engine, carry.carry_id))


def _stopped(world: World, order: Callable[[Engine, Watch], object]) -> None:
    """Let the operator act in a process of its own while the bot is stopped."""
    world.restart(1_000)
    with suppress(HedgeError):  # told in one line; the operator tries again another time
        order(world.host.engine, world.host.watch)
    world.restart(1_000)


_ACTIONS: dict[str, Callable[[World, SimMarket], None]] = {
    "enter": _enter,
    "exit signal": _exit_signal,
    "exit signal ends": _exit_signal_ends,
    "forceexit": _force_exit,
    "shrink": _shrink,
    "grow": _grow,
    "stop for a while": _stop,
    "reload_config": _reload,
    "delete": _delete,
    "liquidation": _liquidate,
    "deleveraged": _deleverage,
    "perp closed by hand": _close_by_hand,
    "perp opened by hand": _open_by_hand,
    "spot sold by hand": _steal_spot,
    "spot market halted": _halt,
    "spot market opens": _open,
    "thin book": _thin,
    "spot venue down": _spot_down,
    "perp venue down": _perp_down,
    "fee asset changes": _fee_asset,
    "funding interval changes": _funding_interval,
    "night": _night,
    "price jumps": _jump,
    "operator reconciles": _reconcile,
    "operator unwinds": _unwind,
}
