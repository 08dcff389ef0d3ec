"""Spot balances: free and locked per asset, exact, never negative."""

from dataclasses import dataclass
from decimal import Decimal

from paper_exchange.errors import RefusedRequestError

_ZERO = Decimal(0)


@dataclass(slots=True)
class Balance:
    """What an account holds of one asset, in units of the asset; `locked` backs open orders."""

    free: Decimal = _ZERO
    locked: Decimal = _ZERO


class SpotWallet:
    """The spot side of an account."""

    def __init__(self, deposits: dict[str, Decimal]) -> None:
        """Start with `deposits` (asset to amount, >= 0), all free."""
        self._balances = {asset: Balance(free=amount) for asset, amount in deposits.items()}

    def balance(self, asset: str) -> Balance:
        """Return the live balance of an asset; zeros for one never held."""
        return self._balances.get(asset) or Balance()

    def held(self) -> list[tuple[str, Balance]]:
        """Return every asset that was ever held, by name."""
        return sorted(self._balances.items())

    def lock(self, asset: str, amount: Decimal) -> None:
        """Move `amount` from free to locked; -2010 when that much is not free, and nothing changes."""
        balance = self.balance(asset)
        if amount > balance.free:
            raise RefusedRequestError(-2010, "Account has insufficient balance for requested action.")
        balance.free -= amount
        balance.locked += amount

    def unlock(self, asset: str, amount: Decimal) -> None:
        """Move `amount` back from locked to free."""
        self.pay_locked(asset, amount)
        self.receive(asset, amount)

    def pay_locked(self, asset: str, amount: Decimal) -> None:
        """Take `amount` out of what is locked; it must have been locked before."""
        balance = self.balance(asset)
        assert amount <= balance.locked, f"{amount} {asset} paid, {balance.locked} locked"
        balance.locked -= amount

    def receive(self, asset: str, amount: Decimal) -> None:
        """Add `amount` to what is free."""
        self._balances.setdefault(asset, Balance()).free += amount
