"""The account as the command line describes it: balances, fees, permissions of the key, modes."""

from decimal import Decimal

from paper_exchange.account import Account
from paper_exchange.errors import UsageError
from paper_exchange.fees import PERP_RATES, Fees, Rates
from paper_exchange.signing import REHEARSAL, Credentials, Permission


def open_account(
    opened_ms: int,
    *,
    spot_usdt: float,
    futures_usdt: float,
    bnb: float,
    fees: Fees,
    permissions: frozenset[Permission],
    hedge_mode: bool,
    multi_assets: bool,
) -> Account:
    """Open the account with the rehearsal key; amounts (>= 0) are kept to 8 decimals."""
    return Account.funded(
        opened_ms,
        spot=_amount(spot_usdt),
        perp=_amount(futures_usdt),
        bnb=_amount(bnb),
        credentials=Credentials(REHEARSAL.key, REHEARSAL.secret, permissions),
        fees=fees,
        hedge_mode=hedge_mode,
        multi_assets=multi_assets,
    )


def fees_of(
    spot_bps: float,
    spot_maker_bps: float | None,
    perp_bps: float,
    perp_maker_bps: float | None,
    bnb: float,
    bnb_px: float | None,
) -> Fees:
    """Return the fees; a maker's are by default spot's, and on USD-M Binance's 2 bps where that is less.

    With some `bnb` in the wallets they are paid in BNB; `bnb_px` in quote per BNB.
    """
    spot, perp = _rate(spot_bps), _rate(perp_bps)
    return Fees(
        spot=Rates(spot if spot_maker_bps is None else _rate(spot_maker_bps), spot),
        perp=Rates(min(PERP_RATES.maker, perp) if perp_maker_bps is None else _rate(perp_maker_bps), perp),
        spot_in_bnb=bnb > 0,
        perp_in_bnb=bnb > 0,
        bnb_px=_amount(bnb_px) if bnb_px else None,
    )


def permissions_of(text: str) -> frozenset[Permission]:
    """Return the permissions that a text such as "read,spot,futures" names; UsageError for an unknown one."""
    words = {word.strip() for word in text.split(",") if word.strip()}
    unknown = words - set(Permission)
    if unknown:
        known = ", ".join(Permission)
        raise UsageError(f"--key-permissions {', '.join(sorted(unknown))} is not known: give some of {known}")
    return frozenset(Permission(word) for word in words)


def _amount(value: float) -> Decimal:
    return Decimal(f"{value:.8f}")


def _rate(bps: float) -> Decimal:
    return (Decimal(repr(bps)) / 10_000).normalize()
