"""Train the model of the default mowing method: `python tools/train_mowing.py DATA [OUT]`.

DATA is the folder that holds `ch_sk_grassland_mowing`; OUT is the model's folder in the package, if
it is not given. A fifth of the places is left out, to test what ships; the same data give the same
bytes. Takes about a minute on one core.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from sen4cap.kernels.mowing import Kind
from sen4cap.processors.l4b_mowing import learning
from sen4cap.processors.l4b_mowing.model import write_model
from sen4cap.testing import mowing
from sen4cap.testing.meadows import Field, cameras, points

SEED = 0
OUT = Path(__file__).parents[1] / "src" / "sen4cap" / "processors" / "l4b_mowing" / "model"


def main(data: Path, out: Path = OUT) -> None:
    """Learn from the training part, and write the model."""
    folder = data / "ch_sk_grassland_mowing"
    sets = {"cameras": cameras(folder), "points": points(folder)}
    kept = {name: field.take(~mowing.held_out(field)) for name, field in sets.items()}
    lessons = mowing.lessons(kept["cameras"], kept["points"])
    trained = {
        "data": "ch_sk_grassland_mowing: github.com/simonopravil/gee-mowing-detection ab7c3be, MIT",
        "seed": SEED,
        "trees": learning.TREES,
        "settings": learning.SETTINGS,
        "lessons": [{"name": item.name, "weight": item.weight, "parcels": len(item.first)}
                    for item in lessons],
        "columns": ["region", "plot", "year", "kind", "first day", "last day", "used"],
        "events": {name: events_of(field) for name, field in sets.items()},
    }  # fmt: skip
    write_model(out, learning.learn(lessons, SEED, trained))
    print(f"Written to {out}.")


def events_of(field: Field) -> list[list[Any]]:
    """Each event of a set, and whether it was learnt from or held out."""
    held, truth = mowing.held_out(field), field.truth
    days = [day.astype("datetime64[D]").astype(str) for day in (truth.first, truth.last)]
    return [
        [field.region[parcel], field.plot[parcel], int(field.year[parcel]),
         Kind(kind).name.lower(), first, last, "held out" if held[parcel] else "training"]
        for parcel, kind, first, last in zip(truth.parcel, truth.kind, *np.array(days), strict=True)
    ]  # fmt: skip


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:3]))
