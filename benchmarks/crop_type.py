"""Crop groups of De Marke out of fold: the processor's model and a plain random forest.

    python benchmarks/crop_type.py ../shared/data/nl_demarke_brp2017_ndvi

Dates of 2017, parcels of 1,000 m² and more, margins left out, five folds of 1 km blocks, mean over
fold seeds 0-4. All parcels count, also those of groups that no model ever names. The forest has
500 trees on means and standard deviations per dekad, the same folds and the same parcels.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from sen4cap.kernels.accuracy import confusion_matrix, f1_score, kappa, overall_accuracy
from sen4cap.processors.l4a_crop_type.model import out_of_fold
from sen4cap.processors.l4a_crop_type.params import CropTypeParams
from sen4cap.processors.l4a_crop_type.run import Prepared, prepare
from sen4cap.testing.crop_type import crop_step
from sen4cap.testing.demarke import demarke_context

SEEDS = range(5)


def boosted(prepared: Prepared, params: CropTypeParams) -> NDArray[np.integer]:
    return out_of_fold(prepared.sample, params).argmax(axis=1)


def forest(prepared: Prepared, params: CropTypeParams) -> NDArray[np.integer]:
    sample, names = prepared.sample, np.array(prepared.features.names)
    plain = np.char.find(names, "_mean_d") + np.char.find(names, "_stdev_d") > -2
    values = sample.values[:, plain]
    predicted = np.empty(len(values), np.int64)
    for fold in range(params.folds):
        judged = sample.fold == fold
        taught = sample.teaches & ~judged
        model = RandomForestClassifier(500, random_state=params.seed)
        model.fit(values[taught], sample.target[taught])
        predicted[judged] = model.predict(values[judged])
    return predicted


def main(data: Path) -> None:
    with tempfile.TemporaryDirectory() as archive:
        ctx = demarke_context(data, Path(archive))
        for title, model in (("LightGBM", boosted), ("random forest", forest)):
            begin = time.perf_counter()
            figures = []
            for seed in SEEDS:
                params = CropTypeParams(block_size=1000, pa_min=1, min_s2_pix=0, seed=seed)
                prepared = prepare(ctx, params, crop_step(ctx).inputs)
                target, count = prepared.sample.target, len(prepared.classes)
                matrix = confusion_matrix(model(prepared, params), target, count)
                figures.append([overall_accuracy(matrix), kappa(matrix), *f1_score(matrix)])
            spent = (time.perf_counter() - begin) / len(SEEDS)
            names = ["overall", "kappa", *(f"F1 {name}" for _, name in prepared.classes)]
            mean, spread = np.mean(figures, axis=0), np.std(figures, axis=0)
            print(f"{title}: {len(target)} parcels, {spent:.1f} s per seed")
            for name, value, deviation in zip(names, mean, spread, strict=True):
                print(f"  {name:18s} {value:.4f} ± {deviation:.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
