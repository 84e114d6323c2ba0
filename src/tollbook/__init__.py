"""The ledger of what Claude costs: every response counted once, priced exactly."""

__version__ = "0.1.0"
