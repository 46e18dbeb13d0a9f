"""Fetching: from the record of a scene at its source to a product in the archive.

A scene is brought into a hidden folder, looked into there, and gets its name when all is well; a
run that failed is gone on with by the next one. The folder of a product holds what the source
delivered, a picture and the STAC Item.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from sen4cap.acquisition.params import CATEGORY, Mode
from sen4cap.acquisition.ports import Source
from sen4cap.acquisition.records import recorded
from sen4cap.domain import MGRS_TILE, Asset, Product, ProductType, Role, slot_of
from sen4cap.domain.found import Found
from sen4cap.domain.ledger import NO_ROOM, REFUSED
from sen4cap.domain.scene import Scene
from sen4cap.errors import (
    EmptyLayer,
    InputRefused,
    ServiceUnavailable,
    SourceRefused,
    UnreadableFile,
)
from sen4cap.processing import (
    Context,
    Params,
    Processor,
    Scope,
    Step,
    parameter,
    write_whole,
)

VERSION = "1"
POOL = "download"
OF_THE_ITEM = ("sen4cap:fields", "sen4cap:item")
"""Properties of a scene that serve to write its item only."""
DELIVERED = "delivered"
"""Folder, within a product's, of what the source delivered."""
PACKED = (ProductType.L1C, ProductType.SLC, ProductType.S1_AMP, ProductType.S1_COHE)
"""Kinds that are handed on as they came: a program, or the mosaic of a pass, comes next."""
OTHER_DAY = timedelta(days=1)
"""A product that is farther from what the source said is another one."""


class FetchParams(Params):
    """How scenes are fetched."""

    mode: Mode = parameter(
        Mode.AUTO,
        title="Stream or mirror",
        description="Whether files are read where they lie (stream), fetched into the archive "
        "(mirror), or read in place only where the source serves cloud-optimised files (auto).",
        advanced=True,
    )


@dataclass(frozen=True)
class Place:
    """Where a scene is brought to."""

    final: Path
    hidden: Path

    @classmethod
    def of(cls, ctx: Context, kind: ProductType, step: Step) -> Place:
        """The folders of a step."""
        name = name_of(recorded(step.inputs[0]), step.revision)
        return cls(ctx.folder(kind, name), ctx.folder(kind, hidden_name(step.inputs[0].name)))


def name_of(scene: Scene, revision: str) -> str:
    """Name of the product of a scene, and of its folder."""
    return f"{scene.name}_r{revision[:8]}"


def hidden_name(record: str) -> str:
    """Name of the folder in which a scene is brought together, from that of its record."""
    return f".{record}.part"


def source_of(ctx: Context, name: str) -> Source:
    """The source of a name, with its endpoint and credentials.

    Raises
    ------
    NotFound, SourceRefused
        If there is none of that name, or it lacks what it needs.
    """
    from sen4cap.app.sources import open_source

    return open_source(name, ctx)


def select(
    kind: ProductType, _params: FetchParams, scope: Scope, products: Sequence[Product]
) -> tuple[Step, ...]:
    """One step per scene of a kind, the oldest first."""
    return tuple(
        Step((item,), slot_of(scope.site, kind, recorded(item).place, item.start, item.end))
        for item in sorted(products, key=lambda item: (item.start, item.grid, item.name))
        if item.type is ProductType.SCENE
        and item.properties.get("sen4cap:kind") == kind
        and scope.start <= item.start < scope.end
    )


def run(kind: ProductType, ctx: Context, params: FetchParams, step: Step) -> Product:
    """Fetch a scene; its folder appears whole, or not at all.

    Raises
    ------
    SourceRefused, ServiceUnavailable, UnreadableFile
        If it could not be brought: the next run goes on.
    InputRefused
        If it was brought and cannot be used; its sentence begins with `Refused`.
    """
    record = step.inputs[0]
    scene, place = recorded(record), Place.of(ctx, kind, step)
    if place.final.is_dir():  # a run that ended between naming the folder and being recorded
        return _product(kind, ctx, step, _inside(place.final / DELIVERED), place.final)
    check_room(ctx.archive, scene.size or 0)
    (place.hidden / DELIVERED).mkdir(parents=True, exist_ok=True)
    inside = _brought(source_of(ctx, scene.source), scene, place, params.mode, ctx)
    with _refusing(place.hidden):
        product = _product(kind, ctx, step, inside, place.hidden)
    place.hidden.replace(place.final)
    return _moved(product, place)


def check_room(archive: Path, needed: int, margin: int = 0) -> None:
    """Refuse to fetch what the disk has no room for; sizes in bytes.

    Raises
    ------
    ServiceUnavailable
        With how much is needed and how much there is.
    """
    archive.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(archive).free
    if free < needed + margin:
        raise ServiceUnavailable(
            f"{NO_ROOM}{needed / 1e9:.1f} GB are to be fetched, {margin / 1e9:.1f} GB kept free, "
            f"and '{archive}' has {free / 1e9:.1f} GB: make room, or lower source.disk-margin."
        )


def _brought(source: Source, scene: Scene, place: Place, mode: Mode, ctx: Context) -> Path:
    """Folder with what the source delivered, or with an Item that points to it."""
    if mode is not Mode.MIRROR and scene.kind not in PACKED:
        try:
            return _linked(source, scene, place)
        except (SourceRefused, EmptyLayer) as error:
            if mode is Mode.STREAM:
                raise InputRefused(f"{REFUSED}{error}") from error
    try:
        path = source.fetch(scene, place.hidden / DELIVERED, ctx.progress)
    except UnreadableFile:
        raise
    except InputRefused as error:
        raise InputRefused(f"{REFUSED}{error}") from error
    return path if path.is_dir() else path.parent


def _inside(delivered: Path) -> Path:
    """The one folder, or link to one, that was delivered; or where all was."""
    folders = [path for path in delivered.glob("[!.]*") if path.is_dir()]
    return folders[0] if len(folders) == 1 else delivered


def _linked(source: Source, scene: Scene, place: Place) -> Path:
    """Folder with an Item that can be read in place."""
    path = source.link(scene, place.hidden / DELIVERED)
    folder = path if path.is_dir() else path.parent
    try:
        _found(folder)
    except EmptyLayer:
        path.unlink(missing_ok=True)
        raise
    return folder


@contextmanager
def _refusing(hidden: Path) -> Iterator[None]:
    """What cannot be read is fetched from the start; what cannot be used is not fetched again."""
    try:
        yield
    except UnreadableFile:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    except InputRefused as error:
        shutil.rmtree(hidden, ignore_errors=True)
        raise InputRefused(f"{REFUSED}{error}") from error


def _product(kind: ProductType, ctx: Context, step: Step, inside: Path, root: Path) -> Product:
    """The product of what lies in a folder, its picture made."""
    scene = recorded(step.inputs[0])
    made = _packed(scene, ctx, inside) if kind in PACKED else _looked_into(kind, ctx, scene, inside)
    properties = {**_carried(scene), **made.properties, "sen4cap:source": scene.source}
    product = replace(
        made,
        name=name_of(scene, step.revision),
        grid=scene.place,
        start=scene.start,
        end=scene.start,
        revision=step.revision,
        processor=FETCHERS[kind].tag,
        parents=(step.inputs[0].name,),
        properties=properties,
    )
    return product if kind in PACKED else _with_picture(product, root)


def _carried(scene: Scene) -> Mapping[str, object]:
    """Properties of a scene that its product keeps; projection is the rasters' own."""
    return {
        key: value
        for key, value in scene.properties.items()
        if not key.startswith("proj:") and key not in OF_THE_ITEM
    }


def _packed(scene: Scene, ctx: Context, inside: Path) -> Product:
    """The product of a folder that nobody looks into yet."""
    from sen4cap.sources import radar

    footprint = scene.footprint or radar.covered(inside)
    return Product(
        name=scene.name,
        site=ctx.site.short_name,
        type=scene.kind,
        grid=scene.place,
        start=scene.start,
        end=scene.start,
        revision="",
        assets=(Asset("product", str(inside), Role.DATA, "application/x-directory"),),
        footprint=footprint,
    )


def _looked_into(kind: ProductType, ctx: Context, scene: Scene, inside: Path) -> Product:
    from sen4cap.acquisition import dark_pixels, radiometry_of, to_product
    from sen4cap.sources import check_meets

    found = _found(inside)
    _check_same(found, scene, kind)
    if ctx.site.footprint is not None:
        check_meets(found, ctx.site.footprint)
    return to_product(found, ctx.site.short_name, radiometry_of(found, dark_pixels(found)))


def _found(inside: Path) -> Found:
    """The one product in a folder."""
    from sen4cap.sources import discover

    found = [item for item in discover(inside) if isinstance(item, Found)]
    if len(found) != 1:
        raise InputRefused(f"'{inside.name}' holds {len(found)} products and not one.")
    return found[0]


def _check_same(found: Found, scene: Scene, kind: ProductType) -> None:
    """Refuse what is not what the source said."""
    tiles = (found.grid.name, scene.place)
    if found.type is not kind:
        raise InputRefused(f"'{scene.name}' holds '{found.type}' and not '{kind}'.")
    if all(re.fullmatch(MGRS_TILE, tile) for tile in tiles) and tiles[0] != tiles[1]:
        raise InputRefused(f"'{scene.name}' lies on tile {tiles[0]} and not on {tiles[1]}.")
    if abs(found.start - scene.start) > OTHER_DAY:
        raise InputRefused(
            f"'{scene.name}' was seen on {found.start:%Y-%m-%d} and not on {scene.start:%Y-%m-%d}."
        )


def _with_picture(product: Product, root: Path) -> Product:
    """The product with a picture in its folder, where there is something to draw."""
    from sen4cap.acquisition.quicklook import NAME, write_picture

    path = root / f"{NAME}.png"
    if not path.is_file():
        with write_whole(path) as temporary:
            if not write_picture(temporary, product):
                return product
    asset = Asset(NAME, str(path), Role.OVERVIEW, "image/png")
    return replace(product, assets=(*product.assets, asset))


def _moved(product: Product, place: Place) -> Product:
    """The product, whose files lay in the hidden folder, with the paths in the final one."""
    before, after = str(place.hidden), str(place.final)
    return replace(
        product,
        assets=tuple(
            replace(asset, href=after + asset.href.removeprefix(before))
            if asset.href.startswith(before)
            else asset
            for asset in product.assets
        ),
    )


def _fetcher(kind: ProductType, short: str, what: str) -> Processor:
    return Processor(
        id=f"fetch_{short}",
        version=VERSION,
        title=f"Fetch {what}",
        description=f"Brings {what} from where the source keeps it into the archive, checked.",
        category=CATEGORY,
        params=FetchParams,
        consumes=(ProductType.SCENE,),
        produces=kind,
        needs_parcels=False,
        per_season=False,
        select=partial(select, kind),
        run=partial(run, kind),
        pool=POOL,
    )


fetch_l2a = _fetcher(ProductType.L2A, "l2a", "surface reflectance")
fetch_l1c = _fetcher(ProductType.L1C, "l1c", "top-of-atmosphere reflectance")
fetch_slc = _fetcher(ProductType.SLC, "slc", "complex radar images")
fetch_s1_amp = _fetcher(ProductType.S1_AMP, "s1_amp", "radar backscatter")
fetch_s1_cohe = _fetcher(ProductType.S1_COHE, "s1_cohe", "radar coherence")

FETCHERS: Mapping[ProductType, Processor] = {
    item.produces: item for item in (fetch_l2a, fetch_l1c, fetch_slc, fetch_s1_amp, fetch_s1_cohe)
}
"""The processor that fetches each kind."""
