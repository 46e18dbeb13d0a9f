"""Whether the inputs of a processor are complete: their real parents exist or are accounted for.

What a processor consumes is made by others from what those consume, and so on. Complete means that
each step these makers would do for the period has its product, made from the very inputs the step
has now, or was tried and failed with a reason. So a map waits for the markers of the index of the
image of yesterday, and not for an image that cannot be read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from sen4cap.domain import Product
from sen4cap.processing import Processor, Step


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
