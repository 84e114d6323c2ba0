"""What type checkers see of the package; ``__init__.py`` loads it when it is used."""  # noqa: PYI021 - a file that explains nothing is worse

from tollbook.sdk.client import AsyncClient as AsyncClient
from tollbook.sdk.client import Client as Client
from tollbook.sdk.stats import Limits as Limits
from tollbook.sdk.stats import Stats as Stats

__version__: str
