"""Accuracy by date on De Marke: what models know that learn at each month end.

    python benchmarks/crop_type_dates.py ../shared/data/nl_demarke_brp2017_ndvi

Parcels, folds and crops as in `crop_type.py`, fold seed 0.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from sen4cap.processors.l4a_crop_type.early import accuracy_by_date
from sen4cap.processors.l4a_crop_type.params import CropTypeParams
from sen4cap.testing.crop_type import crop_step
from sen4cap.testing.demarke import demarke_context


def main(data: Path) -> None:
    params = CropTypeParams(block_size=1000, pa_min=1, min_s2_pix=0, seed=0)
    with tempfile.TemporaryDirectory() as archive:
        ctx = demarke_context(data, Path(archive))
        for known in accuracy_by_date(ctx, params, crop_step(ctx).inputs):
            print(
                f"{known.day}: {known.parcels} parcels, overall {known.overall:.3f}, "
                f"macro-F1 {known.macro_f1:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
