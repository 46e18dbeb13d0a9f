"""What a job has to do, decided without running anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sen4cap.domain import Product, ProductType, slot_of
from sen4cap.engine import plan
from sen4cap.processing import Params, Processor, Scope, Step, parameter

MAY = datetime(2023, 5, 4, 10, 50, tzinfo=UTC)
SCOPE = Scope("site", "2023", datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))


class Nothing(Params):
    level: int = parameter(1, title="Level", description="Of nothing.")


def select(_params: Any, scope: Scope, products: Sequence[Product]) -> Sequence[Step]:
    return [
        Step((item,), slot_of(scope.site, ProductType.L3B, item.grid, item.start, item.end))
        for item in products
    ]


def made(_context: Any, _params: Any, step: Step) -> Product:
    source = step.inputs[0]
    return replace(
        source, name=f"l3b-{step.revision}", type=ProductType.L3B, revision=step.revision
    )


PROCESSOR = Processor(
    id="x",
    version="1",
    title="X",
    description="X.",
    category="X",
    params=Nothing,
    consumes=(ProductType.L2A,),
    produces=ProductType.L3B,
    needs_parcels=False,
    select=select,
    run=made,
)
SOURCE = Product("l2a", "site", ProductType.L2A, "31UDS", MAY, MAY, "a" * 32)


def standing(product: Product) -> dict[str, Product]:
    return {product.slot: product}


def test_the_same_revision_is_not_made_again() -> None:
    first = plan(PROCESSOR, Nothing(), SCOPE, [SOURCE], [], {})
    product = made(None, None, first.steps[0])
    again = plan(PROCESSOR, Nothing(), SCOPE, [SOURCE], [], standing(product))
    assert (len(first.steps), len(first.done)) == (1, 0)
    assert (len(again.steps), len(again.done)) == (0, 1)


def test_anything_that_counts_gives_a_new_revision_and_knows_what_stood() -> None:
    product = made(None, None, plan(PROCESSOR, Nothing(), SCOPE, [SOURCE], [], {}).steps[0])
    newer = replace(SOURCE, revision="b" * 32)
    changed = [
        plan(PROCESSOR, Nothing(level=2), SCOPE, [SOURCE], [], standing(product)),
        plan(PROCESSOR, Nothing(), SCOPE, [newer], [], standing(product)),
        plan(PROCESSOR, Nothing(), SCOPE, [SOURCE], ["parcels-2"], standing(product)),
        plan(replace(PROCESSOR, version="2"), Nothing(), SCOPE, [SOURCE], [], standing(product)),
    ]
    assert [len(item.steps) for item in changed] == [1, 1, 1, 1]
    assert all(item.steps[0].previous == product for item in changed)
    assert len({item.steps[0].revision for item in changed} | {product.revision}) == 5


def test_no_input_is_an_empty_plan() -> None:
    assert plan(PROCESSOR, Nothing(), SCOPE, [], [], {}).is_empty
