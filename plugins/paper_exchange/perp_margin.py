"""What the futures wallet is worth and what of it is free, at the marks of one moment.

available = wallet balance - isolated margins - cross position margins - open order margins
            + unrealized profit of cross positions, not below zero.

An isolated position holds the margin that was set aside for it; a cross position needs notional / leverage at
the mark. An open order that is not reduce-only needs its remaining notional / leverage, whatever it closes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from paper_exchange.instruments import Instrument
from paper_exchange.orders import Order
from paper_exchange.perp_position import Position
from paper_exchange.perp_wallet import MarginType, PerpWallet

Mark = Callable[[Instrument], Decimal]
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Margin:
    """The state of one settlement asset; all amounts in units of it."""

    wallet_balance: Decimal
    unrealized_pnl: Decimal
    cross_unrealized_pnl: Decimal
    isolated_margin: Decimal
    position_margin: Decimal  # isolated margins and what cross positions need
    order_margin: Decimal
    maintenance_margin: Decimal

    @property
    def margin_balance(self) -> Decimal:
        """Return wallet balance and unrealized profit."""
        return self.wallet_balance + self.unrealized_pnl

    @property
    def cross_wallet_balance(self) -> Decimal:
        """Return what answers for cross positions."""
        return self.wallet_balance - self.isolated_margin

    @property
    def available(self) -> Decimal:
        """Return what new orders may use (>= 0)."""
        used = self.position_margin + self.order_margin
        return max(self.wallet_balance + self.cross_unrealized_pnl - used, _ZERO)


def asset_margin(wallet: PerpWallet, asset: str, mark: Mark, open_orders: list[Order]) -> Margin:
    """Add up positions and open orders that settle in `asset`."""
    positions = [position for position in wallet.open_positions() if position.item.quote == asset]
    cross = [position for position in positions if not isolated(wallet, position)]
    return Margin(
        wallet_balance=wallet.balance(asset),
        unrealized_pnl=_total(p.unrealized_pnl(mark(p.item)) for p in positions),
        cross_unrealized_pnl=_total(p.unrealized_pnl(mark(p.item)) for p in cross),
        isolated_margin=_total(p.isolated_margin for p in positions),
        position_margin=_total(position_margin(wallet, p, mark(p.item)) for p in positions),
        order_margin=_total(
            order_margin(wallet, order) for order in open_orders if order.ticket.item.quote == asset
        ),
        maintenance_margin=_total(p.maintenance_margin(mark(p.item)) for p in positions),
    )


def isolated(wallet: PerpWallet, position: Position) -> bool:
    """Return whether a position answers only with the margin set aside for it."""
    return wallet.setting(position.item.name).margin_type is MarginType.ISOLATED


def position_margin(wallet: PerpWallet, position: Position, mark_px: Decimal) -> Decimal:
    """Return what a position holds back: its isolated margin, or notional / leverage at the mark."""
    if isolated(wallet, position):
        return position.isolated_margin
    return abs(position.qty) * mark_px / wallet.setting(position.item.name).leverage


def order_margin(wallet: PerpWallet, order: Order) -> Decimal:
    """Return what an open order holds back."""
    ticket = order.ticket
    if ticket.reduce_only or ticket.limit_px is None:
        return _ZERO
    return order.remaining_qty * ticket.limit_px / wallet.setting(ticket.item.name).leverage


def _total(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, _ZERO)
