"""The exchange's one account: a key pair, a spot wallet, a USD-M wallet and the fees it pays."""

from dataclasses import dataclass, field
from decimal import Decimal

from paper_exchange.fees import BNB, Fees
from paper_exchange.perp_wallet import PerpWallet
from paper_exchange.signing import REHEARSAL, Credentials
from paper_exchange.spot_wallet import SpotWallet

DEFAULT_BALANCE = Decimal(100_000)
QUOTE_ASSET = "USDT"


@dataclass(frozen=True, slots=True)
class Account:
    """Who may sign, what they own, and what they pay."""

    credentials: Credentials
    spot: SpotWallet
    perp: PerpWallet
    fees: Fees = field(default_factory=Fees)

    @classmethod
    def funded(
        cls,
        opened_ms: int,
        *,
        spot: Decimal = DEFAULT_BALANCE,
        perp: Decimal = DEFAULT_BALANCE,
        bnb: Decimal = Decimal(0),
        credentials: Credentials = REHEARSAL,
        fees: Fees | None = None,
        hedge_mode: bool = False,
        multi_assets: bool = False,
    ) -> "Account":
        """Open an account with `spot` and `perp` USDT, and `bnb` BNB in either wallet (each >= 0)."""
        gift = {BNB: bnb} if bnb else {}
        futures = PerpWallet({QUOTE_ASSET: perp} | gift, opened_ms)
        futures.hedge_mode, futures.multi_assets = hedge_mode, multi_assets
        return cls(credentials, SpotWallet({QUOTE_ASSET: spot} | gift), futures, fees or Fees())
