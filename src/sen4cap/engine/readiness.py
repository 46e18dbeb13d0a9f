"""Whether the inputs of a processor are complete: their real parents exist or are accounted for.

What a processor consumes is made by others from what those consume, and so on. Complete means that
each step these makers would do for the period has its product, made from the very inputs the step
has now, or was tried and failed with a reason. So a map waits for the markers of the index of the
image of yesterday, and not for an image that cannot be read.

What fails is tried by the next jobs too, a few times; then those that nobody asked for leave it
out, so that one bad image does not keep the others waiting.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from sen4cap.domain import Product, StepRecord
from sen4cap.processing import Processor, Step

TRIES = 3
"""How often jobs that nobody asked for try what fails, before they leave it out."""


def makers(chosen: Processor, installed: Iterable[Processor]) -> tuple[Processor, ...]:
    """The processors that make what another one consumes, and what these consume; nearest last."""
    known = tuple(installed)
    found: dict[str, Processor] = {}
    wanted = [*chosen.consumes]
    while wanted:
        kind = wanted.pop(0)
        for item in known:
            if item.produces == kind and item.id not in {chosen.id, *found}:
                found[item.id] = item
                wanted += item.consumes
    return tuple(reversed(found.values()))


def outstanding(
    steps: Iterable[Step], standing: Mapping[str, Product], given_up: Collection[str]
) -> tuple[Step, ...]:
    """The steps without a product of their present inputs.

    `standing` holds the current product of each slot, `given_up` the slots whose step failed: what
    is missing there will not come by waiting.
    """
    return tuple(
        step for step in steps if step.slot not in given_up and not _stands(step, standing)
    )


def _stands(step: Step, standing: Mapping[str, Product]) -> bool:
    product = standing.get(step.slot)
    return product is not None and {item.name for item in step.inputs} <= {*product.parents}


def in_words(maker: Processor, missing: Sequence[Step], all_steps: int) -> str:
    """Which products of a maker are missing; one clause."""
    first = min(missing, key=lambda step: step.slot).inputs[0]
    where = f"{first.grid} of {first.date}" if first.grid else f"{first.date}"
    return f"{len(missing)} of {all_steps} '{maker.produces}' to be made, first {where}"


def hopeless(failed: Iterable[StepRecord]) -> dict[tuple[str, str], StepRecord]:
    """What failed too often to be tried again unasked: last failure by slot and revision."""
    tries: dict[tuple[str, str], list[StepRecord]] = defaultdict(list)
    for step in failed:
        tries[step.slot, step.revision].append(step)
    return {key: steps[-1] for key, steps in tries.items() if len(steps) >= TRIES}


def left_out(steps: Sequence[StepRecord]) -> str:
    """What is left out, given its last failures, why, and how to try it again; a sentence."""
    if not steps:
        return ""
    last = steps[-1]
    others = f" and {len(steps) - 1} more" if len(steps) > 1 else ""
    return (
        f"Left out after {TRIES} failures: {last.label}{others} ({last.reason.rstrip('.')}); "
        f"'sen4cap job retry {last.job_id}' tries again."
    )
