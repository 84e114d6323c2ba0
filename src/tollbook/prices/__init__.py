"""The catalogue's data: appended, never edited.

``claude/*.toml`` is what people write; ``catalogue.json`` is made from it by
``python -m tollbook.prices.build``.
"""

from __future__ import annotations

from pathlib import Path

from tollbook.core.catalogue import PriceCatalogue
from tollbook.formats.price_list import catalogue_of, parse_price_list

CATALOGUE = Path(__file__).with_name("catalogue.json")


def load_catalogue(path: Path = CATALOGUE) -> PriceCatalogue:
    """Read the catalogue that is part of this release, or one of your own.

    Raises:
        CatalogueError: It cannot be understood, or contradicts itself.
        OSError: The file cannot be read.
    """
    origin = path.name
    return catalogue_of(
        parse_price_list(path.read_bytes(), origin=origin), origin=origin
    )
