"""Planning a job: its parameters, its surroundings, its steps. Nothing is recorded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from sen4cap.app.system import System
from sen4cap.domain import ParcelSet, Season, Site
from sen4cap.domain.time import day_bounds
from sen4cap.engine import Plan, plan
from sen4cap.engine.readiness import hopeless, left_out
from sen4cap.errors import InvalidParameter, NoInput, NotFound
from sen4cap.processing import (
    Context,
    Params,
    Processor,
    Scope,
    parameters_of,
    processor,
    validate,
)


@dataclass(frozen=True)
class Draft:
    """A job that could be submitted."""

    processor: Processor
    parameters: Params
    context: Context
    plan: Plan
    nominal: date | None
    """Last day of the inputs; None: the season's."""
    finishes: bool
    """Whether a last step tidies."""
    left_out: str = ""
    """What it leaves out because it failed too often, and why; one sentence."""

    def without(self, pending: Collection[tuple[str, str]]) -> Draft:
        """The draft without the steps of some slots and revisions."""
        steps = tuple(step for step in self.plan.steps if (step.slot, step.revision) not in pending)
        return replace(self, plan=replace(self.plan, steps=steps))

    def only(self, slot: str) -> Draft:
        """The draft with the step of one slot, without tidying after it.

        Raises
        ------
        NotFound
            If it has no step for that slot.
        """
        steps = tuple(step for step in self.plan.steps if step.slot == slot)
        done = tuple(step for step in self.plan.done if step.slot == slot)
        if not steps and not done:
            raise NotFound(
                f"'{self.processor.id}' makes nothing for slot '{slot}' in this season: "
                "'sen4cap job steps' shows the slots of a job."
            )
        return replace(self, plan=Plan(steps, done), finishes=False)


def parameters(
    system: System, chosen: Processor, site: str, overrides: Mapping[str, Any]
) -> Params:
    """Parameters of a job: job over site over global over declared default.

    Those of the job go by key, by name, or by the option of the command line.

    Raises
    ------
    InvalidParameter
        If one is unknown, of the wrong type or out of bounds, with its key.
    """
    prefix = f"processor.{chosen.id}."
    stored = system.store.config.values(site=site, prefix=prefix)
    keys = {item.key for item in parameters_of(chosen.params)}
    names = {
        name: item.key
        for item in parameters_of(chosen.params)
        for name in (item.name, item.name.replace("_", "-"))
    }
    configured = {key.removeprefix(prefix): value for key, value in stored.items()}
    given = {names.get(key, key): value for key, value in overrides.items()}
    layers = {**{key: configured[key] for key in keys & configured.keys()}, **given}
    return validate(chosen.id, chosen.params, layers)


def draft(
    system: System,
    processor_id: str,
    site: str,
    season: str,
    overrides: Mapping[str, Any] | None = None,
    nominal: date | None = None,
) -> Draft:
    """Plan a job without recording anything; its inputs go up to `nominal`, that day included.

    Raises
    ------
    NotFound, InvalidParameter, NoInput
        If it would be refused.
    """
    chosen = processor(processor_id)
    where, when = system.store.sites.get(site), system.store.seasons.get(site, season)
    if nominal is not None and not when.start <= nominal <= when.end:
        raise InvalidParameter(
            f"{nominal} lies outside season '{season}', {when.start} to {when.end}: give a day "
            "of the season."
        )
    used = parameters(system, chosen, site, overrides or {})
    context = context_of(system, chosen, where, when)
    planned = _plan(system, chosen, used, context, nominal)
    return Draft(chosen, used, context, planned, nominal, chosen.finish is not None)


def unasked(system: System, drafted: Draft) -> Draft:
    """A job that nobody asked for: without what open jobs make already or what fails each time."""
    site, season = drafted.context.site.short_name, drafted.context.season.name
    pending = system.store.steps.pending(site, season, drafted.processor.id)
    bad = hopeless(system.store.schedules.failed(site, season))
    wanted = [(step.slot, step.revision) for step in drafted.plan.steps]
    told = left_out([bad[key] for key in wanted if key in bad])
    return replace(drafted.without(pending | bad.keys()), left_out=told)


def context_of(system: System, chosen: Processor, site: Site, season: Season) -> Context:
    """What the steps of a processor may touch now.

    Raises
    ------
    NoInput
        If it needs parcels or a crop table and there are none.
    """
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
    )
    if chosen.needs_parcels:
        _ = context.parcels  # refused here, before anything is recorded
    return context


def _plan(
    system: System, chosen: Processor, used: Params, context: Context, nominal: date | None
) -> Plan:
    site, season = context.site.short_name, context.season
    first, after = day_bounds(season.start, nominal or season.end, context.site.zone)
    scope = Scope(site, season.name, first, after, context.site.timezone)
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
        told = chosen.refusal(used, scope, products) if chosen.refusal else ""
        raise NoInput(told or _nothing(chosen, scope))
    return planned


def _nothing(chosen: Processor, scope: Scope) -> str:
    wanted = " or ".join(f"'{kind}'" for kind in chosen.consumes)
    return (
        f"Season '{scope.season}' of site '{scope.site}' has no product of type {wanted} that "
        f"'{chosen.id}' can use: ingest or make some first ('sen4cap product list')."
    )


def _surroundings(chosen: Processor, context: Context) -> Sequence[Any]:
    season = context.season
    found: list[Any] = [season.name, season.start, season.end] if chosen.per_season else []
    if chosen.needs_parcels:
        found += [context.parcels.digest, [(grid.name, grid.key) for grid in context.grids]]
    if chosen.needs_lut and context.lut is not None:
        found.append(context.lut.stem)
    return found
