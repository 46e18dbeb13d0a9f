"""The STAC Item that lies beside the files of a product, for those who read folders."""

from __future__ import annotations

import json
from pathlib import Path

from sen4cap.domain import Product
from sen4cap.processing import write_whole


def own_folder(archive: Path, product: Product) -> Path:
    """Folder of a product alone; markers and parcels have none, and it may not be there."""
    return archive / product.site / product.type / product.name


def write_item(archive: Path, product: Product) -> None:
    """Write the STAC Item of a product into its folder, where it has one of its own."""
    from sen4cap.catalog import to_dict

    folder = own_folder(archive, product)
    if folder.is_dir():
        with write_whole(folder / f"{product.name}.json") as temporary:
            temporary.write_text(json.dumps(to_dict(product), indent=1), "utf-8")
