"""The USD-M side of an account: wallet balances per settlement asset, and each symbol's margin settings."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from paper_exchange.brackets import most_leverage
from paper_exchange.errors import RefusedRequestError
from paper_exchange.instruments import Instrument
from paper_exchange.perp_position import Position

DEFAULT_LEVERAGE = 20
_ZERO = Decimal(0)


class MarginType(StrEnum):
    """Whose money answers for a position: the whole wallet's, or what was set aside for it."""

    CROSSED = "CROSSED"
    ISOLATED = "ISOLATED"


@dataclass(slots=True)
class MarginSetting:
    """How positions of one symbol are margined; Binance's defaults for a new account."""

    leverage: int = DEFAULT_LEVERAGE
    margin_type: MarginType = MarginType.CROSSED


class IncomeKind(StrEnum):
    """Why a wallet balance changed."""

    COMMISSION = "COMMISSION"
    REALIZED_PNL = "REALIZED_PNL"
    FUNDING_FEE = "FUNDING_FEE"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"
    TRANSFER = "TRANSFER"


@dataclass(frozen=True, slots=True)
class Income:
    """One change of a wallet balance, in units of `asset`; received is positive."""

    identity: int
    name: str
    kind: IncomeKind
    amount: Decimal
    asset: str
    at_ms: int
    trade_id: int | None


class PerpWallet:
    """Realized money of the futures account, and its positions. Unrealized profit is never stored."""

    def __init__(self, deposits: dict[str, Decimal], opened_ms: int) -> None:
        """Start with `deposits` (asset to amount, >= 0), made at `opened_ms` (> 0)."""
        self._balances = dict(deposits)
        self._settings: dict[str, MarginSetting] = {}
        self._positions: dict[str, Position] = {}
        self.incomes: list[Income] = []
        self.opened_ms = self.updated_ms = opened_ms
        self.hedge_mode = False
        self.multi_assets = False

    def balance(self, asset: str) -> Decimal:
        """Return the wallet balance of an asset, margins included."""
        return self._balances.get(asset, _ZERO)

    def assets(self) -> list[str]:
        """Return the assets that were ever held, by name."""
        return sorted(self._balances)

    def position(self, item: Instrument) -> Position:
        """Return the live position of a symbol."""
        return self._positions.setdefault(item.name, Position(item))

    def open_positions(self) -> list[Position]:
        """Return the positions that are not flat, by symbol."""
        return [position for _, position in sorted(self._positions.items()) if position.qty]

    def book(
        self,
        item: Instrument,
        kind: IncomeKind,
        amount: Decimal,
        at_ms: int,
        trade_id: int | None = None,
        asset: str | None = None,
    ) -> None:
        """Add `amount` (received is positive; zero is not booked) to the balance of `asset`.

        None: of the symbol's settlement asset.
        """
        if not amount:
            return
        asset = asset or item.quote
        self._balances[asset] = self.balance(asset) + amount
        self.incomes.append(Income(len(self.incomes) + 1, item.name, kind, amount, asset, at_ms, trade_id))
        self.updated_ms = max(at_ms, self.updated_ms)

    def transfer(self, asset: str, amount: Decimal, at_ms: int) -> None:
        """Add a deposit (amount > 0) or take a withdrawal (< 0), of no symbol."""
        self._balances[asset] = self.balance(asset) + amount
        self.incomes.append(
            Income(len(self.incomes) + 1, "", IncomeKind.TRANSFER, amount, asset, at_ms, None)
        )
        self.updated_ms = max(at_ms, self.updated_ms)

    def setting(self, name: str) -> MarginSetting:
        """Return the live margin setting of a symbol."""
        return self._settings.setdefault(name, MarginSetting())

    def set_leverage(self, item: Instrument, leverage: int) -> None:
        """Change a symbol's leverage; -4028 outside of 1..the coin's largest.

        -4161 when it would shrink while an isolated position is open.
        """
        if not 1 <= leverage <= most_leverage(item.base):
            raise RefusedRequestError(-4028, f"Leverage {leverage} is not valid")
        setting = self.setting(item.name)
        isolated = setting.margin_type is MarginType.ISOLATED
        if isolated and self.position(item).qty and leverage < setting.leverage:
            raise RefusedRequestError(
                -4161, "Leverage reduction is not supported in Isolated Margin Mode with open positions."
            )
        setting.leverage = leverage

    def set_margin_type(self, item: Instrument, margin_type: MarginType, *, ordered: bool = False) -> None:
        """Change a symbol's margin type.

        -4046 when it is that already, -4047 while orders are open (`ordered`), -4048 while a position is,
        -4168 isolated in multi-assets mode.
        """
        setting = self.setting(item.name)
        if setting.margin_type is margin_type:
            raise RefusedRequestError(-4046, "No need to change margin type.")
        if self.multi_assets and margin_type is MarginType.ISOLATED:
            raise RefusedRequestError(
                -4168, "Unable to adjust to isolated-margin mode under the Multi-Assets mode."
            )
        if ordered:
            raise RefusedRequestError(-4047, "Margin type cannot be changed if there exists open orders.")
        if self.position(item).qty:
            raise RefusedRequestError(-4048, "Margin type cannot be changed if there exists position.")
        setting.margin_type = margin_type

    def set_hedge_mode(self, wanted: bool, *, ordered: bool) -> None:
        """Change the position mode; -4059 as it is, -4067 while orders, -4068 while positions are open."""
        if wanted is self.hedge_mode:
            raise RefusedRequestError(-4059, "No need to change position side.")
        if ordered:
            raise RefusedRequestError(-4067, "Position side cannot be changed if there exists open orders.")
        if self.open_positions():
            raise RefusedRequestError(-4068, "Position side cannot be changed if there exists position.")
        self.hedge_mode = wanted

    def set_multi_assets(self, wanted: bool, *, ordered: bool) -> None:
        """Change the asset mode; -4171 as it is, -4170 while orders are open, -4167 with isolated symbols."""
        if wanted is self.multi_assets:
            raise RefusedRequestError(
                -4171, "Adjusted asset mode is currently set and does not need to be adjusted repeatedly"
            )
        if ordered:
            raise RefusedRequestError(-4170, "Unable to adjust Multi-Assets Mode with open orders")
        if wanted and any(s.margin_type is MarginType.ISOLATED for s in self._settings.values()):
            raise RefusedRequestError(
                -4167,
                "Unable to adjust to Multi-Assets mode with symbols of USDⓈ-M Futures under isolated-margin"
                " mode.",
            )
        self.multi_assets = wanted
