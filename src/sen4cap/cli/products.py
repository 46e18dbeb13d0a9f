"""`sen4cap product`: rasters in, and what was made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sen4cap.cli.output import AsJson, emit, progress_bar, table

if TYPE_CHECKING:
    from sen4cap.domain import Product

app = typer.Typer(help="Rasters in, and what was made of them.", no_args_is_help=True)


@app.command("ingest")
def ingest(
    site: Annotated[str, typer.Argument(help="Short name of the site.")],
    folder: Annotated[Path, typer.Argument(help="SAFE folders, STAC Items or GeoTIFFs.")],
    pattern: Annotated[
        str | None,
        typer.Option(help="File names of a plain series, such as 'NDVI_{date}.tif'."),
    ] = None,
    grid: Annotated[str | None, typer.Option(help="Name of the grid of a plain series.")] = None,
    band: Annotated[
        list[str] | None, typer.Option(help="Band in each file of a series; repeatable, in order.")
    ] = None,
    scale: Annotated[float | None, typer.Option(help="Value per stored unit, if known.")] = None,
    offset: Annotated[float | None, typer.Option(help="Value of a stored 0, if known.")] = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Leave out what cannot be used, with its reason.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take rasters into the catalog, where they lie."""
    from sen4cap.app import products, system

    with progress_bar() as progress, system.session() as here:
        done = products.ingest(
            here,
            site,
            folder,
            pattern=pattern,
            grid=grid,
            bands=tuple(band or ()),
            scale=scale,
            offset=offset,
            keep_going=keep_going,
            progress=progress,
        )
    lines = [f"Took in {len(done.made)} products; {done.standing} were there already."]
    lines += [f"  left out {item.path}: {item.reason}" for item in done.skipped]
    value = {
        "made": [item.name for item in done.made],
        "standing": done.standing,
        "skipped": [{"path": str(item.path), "reason": item.reason} for item in done.skipped],
    }
    emit(value, as_json, "\n".join(lines))


@app.command("list")
def list_products(
    site: Annotated[str, typer.Argument(help="Short name of the site.")],
    kind: Annotated[str | None, typer.Option("--type", help="Only this type, e.g. l3b.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the current products of a site, and why some are out of date."""
    from sen4cap.app import products, system

    with system.session() as here:
        found = products.search(here, site, kind)
        old = products.outdated_products(here, site)
    rows = [
        (item.type, item.grid, f"{item.start:%Y-%m-%d %H:%M}", item.name, old.get(item.name, ""))
        for item in found
    ]
    columns = ["type", "grid", "start (UTC)", "name", "out of date"]
    emit([_item(item, old) for item in found], as_json, table(columns, rows))


def _item(product: Product, old: Mapping[str, str]) -> dict[str, Any]:
    """A product as a STAC Item, with why it is out of date, if it is."""
    from sen4cap.app import products

    item = products.item_of(product)
    if product.name in old:
        item["properties"]["sen4cap:outdated"] = old[product.name]
    return item


@app.command("remove")
def remove(
    names: Annotated[list[str], typer.Argument(help="Names of products.")], as_json: AsJson = False
) -> None:
    """Forget products and remove their folders; files taken in where they lie stay."""
    from sen4cap.app import removal, system

    told: dict[str, str] = {}
    with system.session() as here:
        for name in names:
            told |= removal.remove_product(here, name)
    lines = [f"Removed {len(names)} products."]
    lines += [f"  '{name}' is out of date now: {reason}" for name, reason in told.items()]
    emit({"removed": names, "outdated": told}, as_json, "\n".join(lines))


@app.command("show")
def show_product(
    name: Annotated[str, typer.Argument(help="Name of the product.")], as_json: AsJson = False
) -> None:
    """Show a product; with --json as a STAC Item."""
    from sen4cap.app import products, system

    with system.session() as here:
        found = products.get_product(here, name)
    rows: list[tuple[str, object]] = [
        ("name", found.name),
        ("type", found.type),
        ("start (UTC)", found.start),
        ("made by", found.processor or "delivered"),
        *((f"file {asset.name}", asset.href) for asset in found.assets),
        *found.properties.items(),
        *(("made from", parent) for parent in found.parents),
    ]
    emit(products.item_of(found), as_json, table(["what", "value"], rows))
