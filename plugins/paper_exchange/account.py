"""The exchange's one account: a key pair, a spot wallet and a USD-M wallet."""

from dataclasses import dataclass
from decimal import Decimal

from paper_exchange.perp_wallet import PerpWallet
from paper_exchange.signing import REHEARSAL, Credentials
from paper_exchange.spot_wallet import SpotWallet

DEFAULT_BALANCE = Decimal(100_000)
QUOTE_ASSET = "USDT"


@dataclass(frozen=True, slots=True)
class Account:
    """Who may sign, and what they own."""

    credentials: Credentials
    spot: SpotWallet
    perp: PerpWallet

    @classmethod
    def funded(
        cls,
        opened_ms: int,
        *,
        spot: Decimal = DEFAULT_BALANCE,
        perp: Decimal = DEFAULT_BALANCE,
        credentials: Credentials = REHEARSAL,
    ) -> "Account":
        """Open an account with `spot` and `perp` USDT (>= 0) at `opened_ms`."""
        return cls(
            credentials,
            SpotWallet({QUOTE_ASSET: spot}),
            PerpWallet({QUOTE_ASSET: perp}, opened_ms),
        )
