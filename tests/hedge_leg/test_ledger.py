"""Entries balance per asset or are refused; profit is a query over them."""

from decimal import Decimal

import pytest

from hedge_leg.core.amounts import Bps, exact, lots_down
from hedge_leg.core.ledger import Account, Ledger
from hedge_leg.errors import LedgerImbalance


def test_exact_keeps_the_decimal_that_was_written() -> None:
    assert exact(0.1) == Decimal("0.1")
    assert exact("0.30000") == Decimal("0.3")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), "-inf"])
def test_exact_refuses_what_is_no_amount(number: float | str) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        exact(number)


@pytest.mark.parametrize(
    ("quantity", "lot", "expected"),
    [("0.003", "0.001", "0.003"), ("0.0039999", "0.001", "0.003"), ("7", "2", "6"), ("0.5", "1", "0")],
)
def test_lots_are_rounded_down(quantity: str, lot: str, expected: str) -> None:
    assert lots_down(Decimal(quantity), Decimal(lot)) == Decimal(expected)


def test_bps_of_an_amount() -> None:
    assert Bps(Decimal("7.5")).of(Decimal(20_000)) == Decimal(15)


def test_an_entry_that_creates_money_is_refused_and_the_books_stay_as_they_were() -> None:
    ledger = Ledger(quote="USDT", base="BTC")
    with pytest.raises(LedgerImbalance, match="leaves 1 USDT"):
        ledger.record(1, "gift", ((Account.CASH, "USDT", Decimal(1)),))
    assert ledger.entries == []
    assert ledger.balance(Account.CASH) == 0


def test_assets_are_balanced_one_by_one() -> None:
    ledger = Ledger(quote="USDT", base="BTC")
    with pytest.raises(LedgerImbalance):
        ledger.record(1, "swap", ((Account.CASH, "USDT", Decimal(-1)), (Account.SPOT, "BTC", Decimal(1))))


def test_net_is_income_minus_every_cost() -> None:
    ledger = Ledger(quote="USDT", base="BTC")
    ledger.transfer(1, "price", Account.PRICE_PNL, Decimal(-10))
    ledger.transfer(2, "funding", Account.FUNDING, Decimal(-5))
    for cost in (Account.FEES_PERP, Account.FEES_SPOT, Account.BORROW, Account.FIXED):
        ledger.transfer(3, "cost", cost, Decimal(1))
    assert (ledger.basis_pnl, ledger.funding, ledger.net) == (Decimal(10), Decimal(5), Decimal(11))
    assert ledger.balance(Account.CASH) == ledger.net
