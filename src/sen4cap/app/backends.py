"""Processors that make L2A with programs of others, MAJA and Sen2Cor.

None of them does anything until its setting `program` names the program. What a program says is
kept in `<archive>/<site>/log/<processor>/`, also where it fails.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sen4cap.acquisition.backends import maja, sen2cor
from sen4cap.acquisition.backends.program import located
from sen4cap.domain import Asset, Product, ProductType, Role, slot_of
from sen4cap.domain.found import Found
from sen4cap.errors import InputRefused
from sen4cap.processing import Context, Params, Processor, Scope, Step, parameter
from sen4cap.processing.acquisition import acquisition_properties

RAW = "product"
"""Asset of a product that is a folder, as it was fetched."""
CLOUD = "eo:cloud_cover"
ORBIT = "sat:relative_orbit"
CATEGORY = "L2A"
POOL = "programs"


def program_parameter(name: str, example: str) -> str:
    """Declare the parameter that names a program."""
    given: str = parameter(
        "",
        title=f"{name} program",
        description=f"Path of {example}; empty leaves {name} out.",
    )
    return given


def _folder(title: str, description: str) -> str:
    given: str = parameter("", title=title, description=description, advanced=True)
    return given


def _max_cloud() -> float:
    given: float = parameter(
        90.0,
        title="Maximum cloud cover",
        description="Level 1C products with more cloud are left out.",
        unit="%",
        ge=0,
        le=100,
    )
    return given


class MajaParams(Params):
    """Where MAJA and what it reads are."""

    program: str = program_parameter("MAJA", "the program 'maja'")
    gipp_folder: str = _folder("Parameters", "Folder of MAJA's parameters (GIPP).")
    configuration_folder: str = _folder("Configuration", "Folder of MAJA's user configuration.")
    dem_folder: str = _folder("Elevation and water", "Folder of the tiles' '*_AUX_REFDE2_*'.")
    max_cloud: float = _max_cloud()


class Sen2CorParams(Params):
    """Where Sen2Cor and what it reads are."""

    program: str = program_parameter("Sen2Cor", "the program 'L2A_Process'")
    gipp_file: str = _folder("Parameters", "File of parameters (L2A_GIPP.xml); empty is its own.")
    dem_folder: str = _folder("Elevation", "Folder of elevation, put into the file of parameters.")
    max_cloud: float = _max_cloud()


@dataclass(frozen=True)
class Work:
    """Where a step works."""

    hidden: Path
    log: Path
    name: str


def fetched(products: Sequence[Product], kind: ProductType, scope: Scope) -> list[Product]:
    """Products of a kind in a season, sorted by grid and time."""
    found = [item for item in products if item.type is kind]
    inside = [item for item in found if scope.start <= item.start < scope.end]
    return sorted(inside, key=lambda item: (item.grid, item.start, item.name))


def _bright(l1c: Product, max_cloud: float) -> bool:
    return float(l1c.properties.get(CLOUD, 0.0)) <= max_cloud


def select_sen2cor(
    params: Sen2CorParams, scope: Scope, products: Sequence[Product]
) -> tuple[Step, ...]:
    """One step per L1C product that is not too cloudy."""
    if not params.program:
        return ()
    found = fetched(products, ProductType.L1C, scope)
    return tuple(
        Step((item,), slot_at(scope, ProductType.L2A, item))
        for item in found
        if _bright(item, params.max_cloud)
    )


def select_maja(params: MajaParams, scope: Scope, products: Sequence[Product]) -> tuple[Step, ...]:
    """One step per L1C product whose predecessor of the tile and orbit has its L2A already.

    The rest follow one by one, as each new L2A leads to the next step.
    """
    if not params.program:
        return ()
    chains: dict[tuple[str, object], list[Product]] = defaultdict(list)
    for item in fetched(products, ProductType.L1C, scope):
        if _bright(item, params.max_cloud):
            chains[item.grid, item.properties.get(ORBIT)].append(item)
    made = {
        item.slot: item
        for item in products
        if item.type is ProductType.L2A and item.processor == l2a_maja.tag
    }
    return tuple(step for chain in chains.values() for step in _chain(chain, made, scope))


def _chain(chain: Sequence[Product], made: dict[str, Product], scope: Scope) -> Iterator[Step]:
    before: tuple[Product, ...] = ()
    for item in chain:
        slot = slot_at(scope, ProductType.L2A, item)
        yield Step(tuple(sorted((item, *before), key=lambda product: product.name)), slot)
        if slot not in made:
            return
        before = (made[slot],)


def slot_at(scope: Scope, kind: ProductType, item: Product) -> str:
    """Slot of what is made of a product, at its own grid and time."""
    return slot_of(scope.site, kind, item.grid, item.start, item.start)


def run_sen2cor(ctx: Context, params: Sen2CorParams, step: Step) -> Product:
    """Make the L2A product of one L1C product with Sen2Cor."""
    (l1c,) = step.inputs
    program = located(params.program, "processor.l2a_sen2cor.program")

    def make(work: Work) -> Path:
        gipp = _gipp(params, work.hidden)
        outputs, temporary = work.hidden / "out", work.hidden / "work"
        command = sen2cor.arguments(program, safe_of(l1c), outputs, temporary, gipp)
        made = sen2cor.run(command, outputs, work.log)
        shutil.rmtree(temporary, ignore_errors=True)
        return made

    return _l2a(ctx, step, l1c, make, l2a_sen2cor)


def _gipp(params: Sen2CorParams, folder: Path) -> Path | None:
    """The file of parameters, with the folder of elevation where one is given."""
    if not params.gipp_file:
        return None
    given = Path(params.gipp_file)
    if not params.dem_folder:
        return given
    path = folder / given.name
    text = sen2cor.with_dem(given.read_text("utf-8"), Path(params.dem_folder))
    path.write_text(text, "utf-8")
    return path


def run_maja(ctx: Context, params: MajaParams, step: Step) -> Product:
    """Make the L2A product of one L1C product with MAJA, from the L2A of the date before."""
    l1c = next(item for item in step.inputs if item.type is ProductType.L1C)
    before = [item for item in step.inputs if item is not l1c]
    program = located(params.program, "processor.l2a_maja.program")
    given = [
        safe_of(l1c),
        *(path for item in before for path in _delivered(item)),
        *sorted(Path(params.gipp_folder).glob("*")),
        *maja.auxiliary_of(l1c.grid, Path(params.dem_folder)),
    ]

    def make(work: Work) -> Path:
        inputs, outputs = work.hidden / "in", work.hidden / "out"
        configuration = Path(params.configuration_folder)
        command = maja.arguments(
            program, inputs, outputs, l1c.grid, configuration, first=not before
        )
        made = maja.run(command, inputs, outputs, given, work.log)
        shutil.rmtree(inputs)
        return made

    return _l2a(ctx, step, l1c, make, l2a_maja)


def _delivered(l2a: Product) -> tuple[Path, ...]:
    """What MAJA wrote for a date: a folder, or in MACCS's format a header and a folder."""
    path = Path(l2a.properties["sen4cap:folder"])
    return (path,) if path.is_dir() else (path, path.with_suffix(".DBL.DIR"))


def safe_of(product: Product) -> Path:
    """The SAFE folder of a product as it was fetched."""
    folder = Path(product.asset(RAW).href)
    found = [folder] if folder.suffix == ".SAFE" else sorted(folder.glob("*.SAFE"))
    if not found:
        raise InputRefused(f"'{folder}' holds no SAFE folder: fetch '{product.name}' again.")
    return found[0]


def _l2a(
    ctx: Context, step: Step, l1c: Product, make: Callable[[Work], Path], by: Processor
) -> Product:
    from sen4cap.acquisition import dark_pixels, radiometry_of, to_product
    from sen4cap.sources import discover

    name = f"{_level_2a(l1c.name)}_r{step.revision[:8]}"
    folder, log = made_by(ctx, ProductType.L2A, name, make, by)
    (found,) = (item for item in discover(folder) if isinstance(item, Found))
    made = to_product(found, ctx.site.short_name, radiometry_of(found, dark_pixels(found)))
    return replace(
        made,
        name=name,
        grid=l1c.grid,
        start=l1c.start,
        end=l1c.start,
        revision=step.revision,
        processor=by.tag,
        parents=tuple(item.name for item in step.inputs),
        assets=(*made.assets, log_asset(log)),
        properties={
            **acquisition_properties([l1c]),
            **made.properties,
            "sen4cap:folder": str(found.path),
        },
    )


def _level_2a(name: str) -> str:
    """Name of what is made of an L1C product, without its revision."""
    return name.rpartition("_r")[0].replace("MSIL1C", "MSIL2A")


def log_asset(log: Path) -> Asset:
    """The log of a program as a file of a product."""
    return Asset("log", str(log), Role.METADATA, "text/plain")


def made_by(
    ctx: Context, kind: ProductType, name: str, make: Callable[[Work], Path], by: Processor
) -> tuple[Path, Path]:
    """Folder that a program filled, there whole or not at all, and its log."""
    final, log = ctx.folder(kind, name), ctx.folder("log", by.id, f"{name}.log")
    if not final.is_dir():
        hidden = final.with_name(f".{name}.part")
        shutil.rmtree(hidden, ignore_errors=True)
        hidden.mkdir(parents=True)
        make(Work(hidden, log, name))
        hidden.replace(final)
    return final, log


l2a_maja = Processor(
    id="l2a_maja",
    version="1",
    title="L2A by MAJA",
    description="Makes surface reflectance of level 1C with MAJA, date by date for each tile.",
    category=CATEGORY,
    params=MajaParams,
    consumes=(ProductType.L1C, ProductType.L2A),
    produces=ProductType.L2A,
    needs_parcels=False,
    per_season=False,
    select=select_maja,
    run=run_maja,
    pool=POOL,
    triggered_by=(ProductType.L1C, ProductType.L2A),
)
l2a_sen2cor = Processor(
    id="l2a_sen2cor",
    version="1",
    title="L2A by Sen2Cor",
    description="Makes surface reflectance of level 1C with Sen2Cor.",
    category=CATEGORY,
    params=Sen2CorParams,
    consumes=(ProductType.L1C,),
    produces=ProductType.L2A,
    needs_parcels=False,
    per_season=False,
    select=select_sen2cor,
    run=run_sen2cor,
    pool=POOL,
    triggered_by=(ProductType.L1C,),
)
