import pytest

from outgate.actions.action import Money
from outgate.policy.amounts import amount, micros, under, written


@pytest.mark.parametrize(
    ("text", "minor"),
    [("10000 GBP", 1_000_000), ("99.50 EUR", 9950), ("99.5 EUR", 9950), ("1500 JPY", 1500), ("1.234 KWD", 1234), ("0 USD", 0)],
)
def test_an_amount_is_read_in_the_minor_unit_of_its_currency(text, minor):
    assert amount(text) == Money(minor=minor, currency=text[-3:])


@pytest.mark.parametrize(
    "text",
    ["10,000 GBP", "10000GBP", "10000 gbp", "GBP 10000", "-5 GBP", "1.5 JPY", "1.234 GBP", "1e3 GBP", "\u0661 GBP", "5 GBP\n"],
)
def test_anything_else_is_no_amount(text):
    with pytest.raises(ValueError, match="no amount"):
        amount(text)


def test_under_is_less_in_the_same_currency():
    cap = amount("100 GBP")
    assert under(Money(minor=9999, currency="GBP"), cap)
    assert not under(Money(minor=10000, currency="GBP"), cap)
    assert not under(Money(minor=1, currency="EUR"), cap)


def test_a_negative_sum_is_under_nothing():
    assert not under(Money(minor=-1, currency="GBP"), amount("100 GBP"))


@pytest.mark.parametrize("text", ["10000.00 GBP", "0.05 EUR", "0 JPY", "1500 JPY", "1.234 KWD", "0.0001 CLF"])
def test_what_is_written_reads_back(text):
    assert written(amount(text)) == text


def test_what_is_owed_to_us_is_written_with_its_sign():
    assert written(Money(minor=-5, currency="GBP")) == "-0.05 GBP"


@pytest.mark.parametrize(("text", "millionths"), [("19.99 GBP", 19_990_000), ("5 JPY", 5_000_000), ("1.234 KWD", 1_234_000)])
def test_limits_count_in_millionths_of_the_major_unit(text, millionths):
    assert micros(amount(text)) == millionths
