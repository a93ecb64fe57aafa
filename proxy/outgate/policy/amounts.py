"""Amounts: what an operator writes as `10000 GBP`, compared with the money in an action."""

from __future__ import annotations

import re
from functools import lru_cache

from outgate.actions.action import Money

FORM = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,4}))? ([A-Z]{3})")

_DIGITS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV"), 0),
    **dict.fromkeys(("XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
"""Digits of the minor unit where they are not two (ISO 4217, list one)."""


@lru_cache(maxsize=256)
def amount(text: str) -> Money:
    """Read `10000 GBP` or `99.50 EUR`. Raises ValueError for anything else, also for `1.5 JPY`."""
    found = FORM.fullmatch(text)
    if not found:
        raise ValueError(f"'{text}' is no amount, write it like '10000 GBP'")
    whole, fraction, currency = found[1], found[2] or "", found[3]
    digits = _DIGITS.get(currency, 2)
    if len(fraction) > digits:
        raise ValueError(f"'{text}' is no amount, {currency} has {digits} digits after the point")
    return Money(minor=int(whole + fraction.ljust(digits, "0")), currency=currency)


def micros(money: Money) -> int:
    """Millionths of the currency's major unit."""
    scale: int = 10 ** (6 - _DIGITS.get(money.currency, 2))
    return money.minor * scale


def under(money: Money, cap: Money) -> bool:
    """Whether money is less than a cap of the same currency. Another currency is not under it; neither is a negative sum."""
    return money.currency == cap.currency and 0 <= money.minor < cap.minor


def written(money: Money) -> str:
    """As `amount` reads it: `99.50 EUR`."""
    digits = _DIGITS.get(money.currency, 2)
    sign, figures = "-" if money.minor < 0 else "", str(abs(money.minor)).rjust(digits + 1, "0")
    whole, fraction = figures[: len(figures) - digits], figures[len(figures) - digits :]
    return f"{sign}{whole}{'.' if fraction else ''}{fraction} {money.currency}"
