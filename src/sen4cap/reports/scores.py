"""How good a crop type map is against what truly grew, and what it found of wrong declarations.

Agreement with the declarations is not accuracy: some of them are wrong. Where the truth is known,
a parcel is *wrong* if its declaration differs from the truth, *flagged* if its prediction differs
from the declaration.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sen4cap.errors import MissingColumn

Codes = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Counts of parcels that have a declaration, a prediction and a known truth."""

    parcels: int
    right: int
    """Predicted as what grew."""
    wrong: int
    """Declared as something else than what grew."""
    flagged: int
    """Predicted as something else than declared."""
    caught: int
    """Wrong and flagged."""
    corrected: int
    """Wrong and predicted as what grew."""

    @property
    def accuracy(self) -> float:
        """Share predicted as what grew, 0-1; NaN without parcels."""
        return _share(self.right, self.parcels)

    @property
    def recall(self) -> float:
        """Of the wrong declarations, the share that is flagged; NaN if none is wrong."""
        return _share(self.caught, self.wrong)

    @property
    def precision(self) -> float:
        """Of the flagged parcels, the share that is wrong; NaN if none is flagged."""
        return _share(self.caught, self.flagged)

    @property
    def false_alarms(self) -> int:
        """Flagged, but declared rightly."""
        return self.flagged - self.caught

    @property
    def missed(self) -> int:
        """Wrong, but not flagged."""
        return self.wrong - self.caught


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def score(declared: Codes, predicted: Codes, truth: Codes) -> Scores:
    """Scores of predictions; class codes of shape (parcel,), NaN where there is none.

    Only parcels that have all three count.
    """
    known = ~(np.isnan(declared) | np.isnan(predicted) | np.isnan(truth))
    said, found, grew = declared[known], predicted[known], truth[known]
    wrong, flagged = said != grew, found != said
    return Scores(
        parcels=int(known.sum()),
        right=int((found == grew).sum()),
        wrong=int(wrong.sum()),
        flagged=int(flagged.sum()),
        caught=int((wrong & flagged).sum()),
        corrected=int((wrong & (found == grew)).sum()),
    )


def codes(column: pd.Series) -> Codes:
    """A column of class codes as floats, NaN where missing."""
    return np.asarray(pd.to_numeric(column).to_numpy(dtype="float64", na_value=np.nan))


def with_truth(
    parcels: pd.DataFrame, truth: pd.DataFrame, *, parcel_id: str = "PARCEL_ID"
) -> pd.DataFrame:
    """The parcels with a further column `CT_true`: what truly grew, missing where unknown.

    `truth` has one row per parcel id, as text equal to `ori_id`, with the class code in `CTnumL4A`.

    Raises
    ------
    MissingColumn
        If the truth lacks one of them.
    """
    for column in (parcel_id, "CTnumL4A"):
        if column not in truth:
            raise MissingColumn(f"The truth has no column '{column}': it is needed to compare.")
    known = truth.astype({parcel_id: str}).set_index(parcel_id)["CTnumL4A"]
    return parcels.assign(CT_true=parcels["ori_id"].astype(str).map(known).astype("Int64"))
