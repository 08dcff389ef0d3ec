"""The USD-M side of an account: wallet balances per settlement asset, and each symbol's margin settings."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from paper_exchange.brackets import most_leverage
from paper_exchange.errors import RefusedRequestError
from paper_exchange.instruments import Instrument

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


class PerpWallet:
    """Realized money of the futures account. Unrealized profit is never stored."""

    def __init__(self, deposits: dict[str, Decimal], opened_ms: int) -> None:
        """Start with `deposits` (asset to amount, >= 0), made at `opened_ms` (> 0)."""
        self._balances = dict(deposits)
        self._settings: dict[str, MarginSetting] = {}
        self.updated_ms = opened_ms

    def balance(self, asset: str) -> Decimal:
        """Return the wallet balance of an asset, margins included."""
        return self._balances.get(asset, _ZERO)

    def assets(self) -> list[str]:
        """Return the assets that were ever held, by name."""
        return sorted(self._balances)

    def setting(self, name: str) -> MarginSetting:
        """Return the live margin setting of a symbol."""
        return self._settings.setdefault(name, MarginSetting())

    def set_leverage(self, item: Instrument, leverage: int) -> None:
        """Change a symbol's leverage; -4028 outside of 1..the coin's largest."""
        if not 1 <= leverage <= most_leverage(item.base):
            raise RefusedRequestError(-4028, f"Leverage {leverage} is not valid")
        self.setting(item.name).leverage = leverage

    def set_margin_type(self, item: Instrument, margin_type: MarginType) -> None:
        """Change a symbol's margin type; -4046 when it is that already."""
        setting = self.setting(item.name)
        if setting.margin_type is margin_type:
            raise RefusedRequestError(-4046, "No need to change margin type.")
        setting.margin_type = margin_type
