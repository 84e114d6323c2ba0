"""The ledger of what Claude costs: every response counted once, priced exactly.

``from tollbook import Client`` loads the client; ``import tollbook`` alone, which every
command does, loads nothing.
"""

from importlib import import_module

__version__ = "0.1.0"

_LATER = {
    "AsyncClient": "tollbook.sdk.client",
    "Client": "tollbook.sdk.client",
    "Limits": "tollbook.sdk.stats",
    "Stats": "tollbook.sdk.stats",
}
__all__ = ["AsyncClient", "Client", "Limits", "Stats", "__version__"]


def __getattr__(name: str) -> object:
    """Load what an application imports, now that it does."""
    if name not in _LATER:
        text = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(text)
    return getattr(import_module(_LATER[name]), name)
