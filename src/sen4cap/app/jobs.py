"""Jobs: run a processor over a season of a site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sen4cap.app.reports import with_report
from sen4cap.app.system import System
from sen4cap.domain import Job, ParcelSet, Product, Season, Site, Status
from sen4cap.engine import Plan, plan
from sen4cap.errors import NoInput, Sen4capError
from sen4cap.processing import (
    Context,
    Params,
    Processor,
    Progress,
    Scope,
    no_progress,
    parameters_of,
    processor,
    validate,
)


@dataclass(frozen=True)
class Outcome:
    """What a job came to."""

    job: Job
    made: tuple[Product, ...]
    standing: int
    """Steps with nothing to do, because their product stands already."""


def parameters(
    system: System, chosen: Processor, site: str, overrides: Mapping[str, Any]
) -> Params:
    """Parameters of a job: job over site over global over declared default.

    Raises
    ------
    InvalidParameter
        If one is unknown, of the wrong type or out of bounds, with its key.
    """
    prefix = f"processor.{chosen.id}."
    stored = system.store.config.values(site=site, prefix=prefix)
    keys = {item.key for item in parameters_of(chosen.params)}
    names = {item.name: item.key for item in parameters_of(chosen.params)}
    configured = {key.removeprefix(prefix): value for key, value in stored.items()}
    given = {names.get(key, key): value for key, value in overrides.items()}
    layers = {**{key: configured[key] for key in keys & configured.keys()}, **given}
    return validate(chosen.id, chosen.params, layers)


def run(
    system: System,
    processor_id: str,
    site: str,
    season: str,
    overrides: Mapping[str, Any] | None = None,
    progress: Progress = no_progress,
) -> Outcome:
    """Run a processor over a season: plan, then step by step, each committed when it is done.

    Raises
    ------
    NotFound, InvalidParameter, NoInput
        At submission, before anything is recorded or made.
    Sen4capError
        Whatever ended a step; the job is recorded as failed with the sentence, the products of
        earlier steps stay.
    """
    chosen = processor(processor_id)
    where, when = system.store.sites.get(site), system.store.seasons.get(site, season)
    used = parameters(system, chosen, site, overrides or {})
    context = _context(system, chosen, where, when, progress)
    planned = _plan(system, chosen, used, context)
    job = system.store.jobs.add(
        Job(
            chosen.id,
            site,
            season,
            used.model_dump(mode="json", by_alias=True),
            submitted=datetime.now(UTC),
        )
    )
    return _execute(system, chosen, used, context, planned, job)


def _context(
    system: System, chosen: Processor, site: Site, season: Season, progress: Progress
) -> Context:
    from sen4cap.app.lpis import lut_file

    parcels: ParcelSet | None = None
    lut: Path | None = None
    if chosen.needs_parcels:
        parcels = system.store.parcels.current(site.short_name, season.year)
    if chosen.needs_lut:
        lut = lut_file(system, site.short_name, season.year)
    context = Context(
        site=site,
        season=season,
        archive=system.archive,
        parcel_set=parcels,
        lut=lut,
        grids=tuple(system.store.grids.all(site.short_name)),
        cores=system.settings.cores,
        progress=progress,
    )
    if chosen.needs_parcels:
        _ = context.parcels  # refused here, before anything is recorded
    return context


def _plan(system: System, chosen: Processor, used: Params, context: Context) -> Plan:
    site = context.site.short_name
    first, after = context.season.bounds(context.site.zone)
    scope = Scope(site, context.season.name, first, after)
    products = system.store.products.search(site, types=chosen.consumes, start=first, end=after)
    standing = system.store.products.search(site, types=(chosen.produces,))
    planned = plan(
        chosen,
        used,
        scope,
        products,
        _surroundings(chosen, context),
        {product.slot: product for product in standing},
    )
    if planned.is_empty:
        wanted = " or ".join(f"'{kind}'" for kind in chosen.consumes)
        raise NoInput(
            f"Season '{scope.season}' of site '{site}' has no product of type {wanted} that "
            f"'{chosen.id}' can use: ingest or make some first ('sen4cap product list')."
        )
    return planned


def _surroundings(chosen: Processor, context: Context) -> Sequence[Any]:
    season = context.season
    found: list[Any] = [season.name, season.start, season.end] if chosen.per_season else []
    if chosen.needs_parcels:
        found += [context.parcels.digest, [(grid.name, grid.key) for grid in context.grids]]
    if chosen.needs_lut and context.lut is not None:
        found.append(context.lut.stem)
    return found


def _execute(
    system: System, chosen: Processor, used: Params, context: Context, planned: Plan, job: Job
) -> Outcome:
    job = system.store.jobs.update(replace(job, status=Status.RUNNING, started=datetime.now(UTC)))
    made: list[Product] = []
    try:
        for number, step in enumerate(planned.steps):
            share = number / len(planned.steps)
            context.progress(share, f"{chosen.title}: {number + 1} of {len(planned.steps)}")
            product = chosen.run(_part(context, share, len(planned.steps)), used, step)
            product = with_report(system, product, context.season)
            system.store.products.commit([product], job_id=job.id)
            made.append(product)
        if chosen.finish is not None:
            chosen.finish(context, used)
    except BaseException as error:
        status, reason = _ending(error)
        system.store.jobs.update(
            replace(job, status=status, reason=reason, ended=datetime.now(UTC))
        )
        raise
    context.progress(1.0, f"{chosen.title}: done")
    job = system.store.jobs.update(replace(job, status=Status.SUCCESSFUL, ended=datetime.now(UTC)))
    return Outcome(job, tuple(made), len(planned.done))


def _ending(error: BaseException) -> tuple[Status, str]:
    """What becomes of a job that an error ended, and why, in one sentence."""
    if isinstance(error, KeyboardInterrupt):
        return Status.DISMISSED, "It was interrupted; what was made stays."
    if isinstance(error, Sen4capError):
        return Status.FAILED, str(error)
    return Status.FAILED, f"{type(error).__name__}: {error}"


def _part(context: Context, share: float, steps: int) -> Context:
    """The context of one step of several: its progress is a part of the job's."""
    return replace(
        context,
        progress=lambda done, message: context.progress(share + done / steps, message),
    )
