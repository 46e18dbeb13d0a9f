"""What a job has to do: the steps whose product does not stand in its slot yet.

A step's revision is the hash of all it is made from. Where the slot holds that revision there is
nothing to do, so that a job that is run again does only what is new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sen4cap.domain import Product, StepRecord, revision_of
from sen4cap.processing import Params, Processor, Scope, Step


@dataclass(frozen=True)
class Plan:
    """Steps of a job."""

    steps: tuple[Step, ...]
    """To run, in order."""
    done: tuple[Step, ...]
    """Nothing to do: the slot holds the same revision."""

    @property
    def is_empty(self) -> bool:
        """Whether the processor found nothing to work on at all."""
        return not self.steps and not self.done


def plan(
    processor: Processor,
    params: Params,
    scope: Scope,
    products: Sequence[Product],
    surroundings: Sequence[Any],
    standing: Mapping[str, Product],
) -> Plan:
    """Plan a job.

    `products` are the current ones of the consumed types in the season, `surroundings` the
    digests of whatever else a step reads (parcels, grids, crop table), `standing` the products
    that stand in the slots now, by slot.
    """
    selected = [
        _identified(step, processor, params, surroundings, standing)
        for step in processor.select(params, scope, products)
    ]
    done = tuple(step for step in selected if _stands(step))
    return Plan(tuple(step for step in selected if not _stands(step)), done)


def records(planned: Plan, *, finishes: bool) -> tuple[StepRecord, ...]:
    """The steps of a plan as they are kept; with `finishes`, a last one that tidies."""
    steps = [
        StepRecord(
            job_id=0,
            position=position,
            label=label_of(step.slot),
            slot=step.slot,
            revision=step.revision,
            inputs=tuple(product.name for product in step.inputs),
        )
        for position, step in enumerate(planned.steps)
    ]
    if finishes and steps:
        steps.append(StepRecord(0, len(steps), "finish", "", finish=True))
    return tuple(steps)


def label_of(slot: str) -> str:
    """Grid and days of a slot, for people."""
    _site, _kind, grid, period, *_ = [*slot.split("/"), "", "", ""]
    days = [f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}" for stamp in period.split("_") if stamp]
    return " ".join([*([grid] if grid != "-" else []), " to ".join(days)]) if days else slot


def _identified(
    step: Step,
    processor: Processor,
    params: Params,
    surroundings: Sequence[Any],
    standing: Mapping[str, Product],
) -> Step:
    revision = revision_of(
        processor.tag,
        params.model_dump(mode="json", by_alias=True),
        [(product.name, product.revision) for product in step.inputs],
        list(surroundings),
    )
    return replace(step, revision=revision, previous=standing.get(step.slot))


def _stands(step: Step) -> bool:
    return step.previous is not None and step.previous.revision == step.revision
