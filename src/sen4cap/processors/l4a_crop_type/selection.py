"""Who is judged, who teaches, and in which fold."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from sen4cap.domain import Reason
from sen4cap.errors import InvalidParameter, NoInput
from sen4cap.kernels.blocks import balanced_folds, blocks_of_holdings
from sen4cap.processors.l4a_crop_type.declarations import blocks_of, holdings_of, mark
from sen4cap.processors.l4a_crop_type.features import Features
from sen4cap.processors.l4a_crop_type.model import Sample
from sen4cap.processors.l4a_crop_type.params import CropTypeParams, Method, Mode
from sen4cap.processors.l4a_crop_type.table import Classes


@dataclass(frozen=True)
class Selection:
    """What became of the candidates, the parcels that had no reason so far; shape (n,) each."""

    reason: NDArray[np.str_]
    """Empty where the parcel is judged."""
    teaches: NDArray[np.bool_]
    """Whether it is judged and large enough to be learnt from."""

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Whether the parcel gets a result."""
        return np.equal(self.reason, "")


def choose(declared: NDArray[np.integer], features: Features, params: CropTypeParams) -> Selection:
    """Find out which candidates are too small, unseen or of a crop too rare to learn.

    `declared`: class codes, shape (n,). A parcel without optical data is not judged by its number
    of optical pixels. The original's method judges complete parcels alone: of these a sensor that
    feeds it must have seen enough.
    """
    reason = np.full(len(declared), "", "<U16")
    reason = mark(reason, features.pixels < params.min_s2_pix, Reason.TOO_SMALL)
    reason = mark(reason, ~features.seen, Reason.NO_DATA)
    if params.method is Method.SEN4CAP:
        incomplete = np.isnan(features.values).any(axis=1)
        if params.mode is not Mode.S2_ONLY:
            reason = mark(reason, features.radar_pixels < params.min_s1_pix, Reason.TOO_SMALL)
        reason = mark(reason, incomplete, Reason.NO_DATA)
    large = (reason == "") & ~(features.pixels < params.best_s2_pix)
    codes, count = np.unique(declared[large], return_counts=True)
    common = np.isin(declared, codes[count >= params.pa_min])
    reason = mark(reason, ~common, Reason.RARE_CLASS)
    return Selection(reason, large & common)


def sample_of(
    candidates: gpd.GeoDataFrame, features: Features, chosen: Selection, params: CropTypeParams
) -> tuple[Sample, Classes]:
    """The judged candidates as numbers, and code and name of their classes in order of code.

    Raises
    ------
    NoInput
        If fewer than two crops are common enough to learn.
    InvalidParameter
        If the parcels lie in fewer blocks than there are folds.
    """
    judged = candidates[chosen.judged]
    names = judged.drop_duplicates("CT_decl").set_index("CT_decl")["CT_decl_name"].sort_index()
    if len(names) < 2:
        raise NoInput(
            f"Fewer than two crops have {params.pa_min} parcels to learn from: "
            "lower processor.s4c_l4a.pa-min or best-s2-pix."
        )
    classes = [(int(code), str(name)) for code, name in names.items()]
    target = np.searchsorted(names.index.to_numpy(np.int64), judged["CT_decl"].to_numpy(np.int64))
    sample = Sample(
        values=features.values[chosen.judged],
        target=target,
        classes=len(classes),
        teaches=chosen.teaches[chosen.judged],
        fold=_folds(judged, params),
    )
    return sample, classes


def _folds(judged: gpd.GeoDataFrame, params: CropTypeParams) -> NDArray[np.int64]:
    """Fold of each parcel: that of its block, or of the block of most parcels of its holding."""
    block = blocks_of(judged, params.block_size)
    shared = blocks_of_holdings(block, holdings_of(judged), params.folds)
    _, block = np.unique(shared, return_inverse=True)
    blocks = int(block.max()) + 1
    if blocks < params.folds:
        raise InvalidParameter(
            f"processor.s4c_l4a.block-size = {params.block_size:g} m puts all parcels into "
            f"{blocks} block{'s' if blocks > 1 else ''}, too few for {params.folds} folds: "
            "choose a smaller block-size."
        )
    return balanced_folds(block, params.folds, params.seed)
