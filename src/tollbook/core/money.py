"""Exact money: whole picodollars (1 USD = 10**12) in an ``int``, never a float.

A rate of 3.00 USD per million tokens is 3_000_000 picodollars per token, and stays a
whole number after every published multiplier (0.5, 1.1, 1.25, 2). So a charge is an
integer product and a sum of charges is exact in any order. Names of variables that hold
such an amount end in ``_pico``, or are typed ``Money``.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

from tollbook.core.errors import InexactAmountError

Money = int  # whole picodollars; may be negative

PICO_PER_USD = 10**12
TOKENS_PER_MTOK = 1_000_000
_PLACES = 12
# Enough digits that no amount a ledger can hold is ever rounded behind our back.
_CONTEXT = Context(prec=60)


def parse_usd(text: str, *, per_usd: int = 1) -> Money:
    """Read a decimal string exactly.

    Args:
        text: Digits as the source wrote them, e.g. ``"123.45"``.
        per_usd: How many of the text's units make one dollar. A price list counts
            dollars per million tokens (``TOKENS_PER_MTOK``), the cost report cents (100).

    Returns:
        The amount in picodollars.

    Raises:
        InexactAmountError: Not a number, or finer than a picodollar.
    """
    try:
        amount = Decimal(text)
        numerator, denominator = amount.as_integer_ratio()
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise InexactAmountError(text) from error
    pico, rest = divmod(numerator * PICO_PER_USD, denominator * per_usd)
    if rest:
        raise InexactAmountError(text)
    return pico


def nearest_pico(usd: Decimal) -> Money:
    """Hold somebody else's stated dollars, to the nearest picodollar.

    Only for statements that other programs computed in floating point
    (``totalCostUSD``): they are shown as a check and never enter a charge.
    """
    return int(
        usd.scaleb(_PLACES, _CONTEXT).to_integral_value(ROUND_HALF_EVEN, _CONTEXT)
    )


def usd(amount: Money, places: int = 2) -> Decimal:
    """Dollars for a reader, rounded half to even. The only rounding we do."""
    dollars = Decimal(amount).scaleb(-_PLACES, _CONTEXT)
    return dollars.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN, _CONTEXT)


def usd_exact(amount: Money) -> str:
    """Dollars as the shortest exact decimal string, for JSON and CSV."""
    whole, rest = divmod(abs(amount), PICO_PER_USD)
    digits = f"{rest:0{_PLACES}d}".rstrip("0")
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"
