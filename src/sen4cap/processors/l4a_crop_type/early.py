"""How well the crops are known at each month end of a season."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from sen4cap.domain import Product, Season
from sen4cap.errors import NoInput
from sen4cap.kernels.accuracy import confusion_matrix, f1_score, overall_accuracy
from sen4cap.processing import Context
from sen4cap.processors.l4a_crop_type.model import out_of_fold
from sen4cap.processors.l4a_crop_type.params import CropTypeParams
from sen4cap.processors.l4a_crop_type.run import prepare


@dataclass(frozen=True)
class Known:
    """What is known by a day."""

    day: date
    """Last day whose acquisitions count."""
    parcels: int
    """That could be judged by then."""
    overall: float
    """Overall accuracy of these, out of fold."""
    macro_f1: float
    """Mean over the classes that were learnt."""


def accuracy_by_date(
    ctx: Context, params: CropTypeParams, inputs: Sequence[Product]
) -> Iterator[Known]:
    """Accuracy by each month end of the season, and by its end, as soon as it is known.

    Models learn anew from what there was by that day, as a run on it would. Days by which there
    was nothing to learn from are left out.
    """
    for day in month_ends(ctx.season):
        after = datetime.combine(day + timedelta(days=1), time(), UTC)
        seen = [product for product in inputs if product.start < after]
        if not seen:
            continue
        try:
            yield _known(ctx, params, seen, day)
        except NoInput:
            continue


def month_ends(season: Season) -> list[date]:
    """Last days of the months of a season, the last one its end."""
    days = [season.start + timedelta(days=n) for n in range((season.end - season.start).days + 1)]
    return [day for day in days if (day + timedelta(days=1)).day == 1 or day == season.end]


def _known(ctx: Context, params: CropTypeParams, inputs: Sequence[Product], day: date) -> Known:
    prepared = prepare(ctx, params, inputs)
    sample = prepared.sample
    predicted = out_of_fold(sample, params, ctx.cores).argmax(axis=1)
    matrix = confusion_matrix(predicted, sample.target, sample.classes)
    macro = float(np.nan_to_num(f1_score(matrix)).mean())
    return Known(day, len(sample.target), overall_accuracy(matrix), macro)
