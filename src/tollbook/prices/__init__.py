"""The catalogue's data: appended, never edited.

``claude/*.toml`` is what people write; ``catalogue.json`` is made from it by
``python -m tollbook.prices.build``.
"""

from __future__ import annotations

import os

from tollbook.core.catalogue import PriceCatalogue
from tollbook.formats.price_list import catalogue_of, parse_price_list
from tollbook.ports import StrPath

CATALOGUE = os.path.join(os.path.dirname(__file__), "catalogue.json")


def load_catalogue(path: StrPath = CATALOGUE) -> PriceCatalogue:
    """Read the catalogue that is part of this release, or one of your own.

    Raises:
        CatalogueError: It cannot be understood, or contradicts itself.
        OSError: The file cannot be read.
    """
    origin = os.path.basename(path)
    with open(path, "rb") as file:
        listed = parse_price_list(file.read(), origin=origin)
    return catalogue_of(listed, origin=origin)
