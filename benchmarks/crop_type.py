"""Crop groups of De Marke out of fold: the default method, the original's and a plain forest.

    python benchmarks/crop_type.py ../shared/data/nl_demarke_brp2017_ndvi

Dates of 2017, parcels of 1,000 m² and more, margins left out, five folds of 1 km blocks, fold seeds
0-9. All parcels count, also those of groups that no model ever names; the macro-F1 is over groups
of at least 30 parcels. Gains are paired by seed, with the 95 % interval of their mean (t, 9 degrees
of freedom); the seeds share their parcels, so that it tells how far the gain depends on the folds
and on chance in the model, not how it would be elsewhere. The plain forest has 500 trees of
scikit-learn on means and standard deviations per dekad.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student
from sklearn.ensemble import RandomForestClassifier

from sen4cap.kernels.accuracy import confusion_matrix, f1_score, kappa, overall_accuracy
from sen4cap.processing import Context
from sen4cap.processors.l4a_crop_type.model import out_of_fold
from sen4cap.processors.l4a_crop_type.params import CropTypeParams, Method
from sen4cap.processors.l4a_crop_type.run import Prepared, prepare
from sen4cap.testing.crop_type import crop_step
from sen4cap.testing.demarke import demarke_context

SEEDS = range(10)
LARGE = 30

Predict = Callable[[Prepared, CropTypeParams], NDArray[np.integer]]


def processor(prepared: Prepared, params: CropTypeParams) -> NDArray[np.integer]:
    return out_of_fold(prepared.sample, params, cores=2).argmax(axis=1)


def forest(prepared: Prepared, params: CropTypeParams) -> NDArray[np.integer]:
    sample, names = prepared.sample, np.array(prepared.features.names)
    plain = (np.char.find(names, "_mean_d") > 0) | (np.char.find(names, "_stdev_d") > 0)
    values = sample.values[:, plain]
    predicted = np.empty(len(values), np.int64)
    for fold in range(params.folds):
        judged = sample.fold == fold
        taught = sample.teaches & ~judged
        model = RandomForestClassifier(500, random_state=params.seed, n_jobs=2)
        model.fit(values[taught], sample.target[taught])
        predicted[judged] = model.predict(values[judged])
    return predicted


def figures(ctx: Context, method: Method, predict: Predict) -> dict[str, NDArray[np.float64]]:
    """Figures by name, shape (seeds,) each."""
    rows = []
    for seed in SEEDS:
        params = CropTypeParams(method=method, block_size=1000, pa_min=1, min_s2_pix=0, seed=seed)
        prepared = prepare(ctx, params, crop_step(ctx).inputs)
        target, count = prepared.sample.target, len(prepared.classes)
        matrix = confusion_matrix(predict(prepared, params), target, count)
        f1 = np.nan_to_num(f1_score(matrix))
        macro = f1[matrix.sum(axis=0) >= LARGE].mean()
        rows.append([overall_accuracy(matrix), macro, kappa(matrix), *f1])
    names = ["overall", "macro-F1", "kappa", *(f"F1 {name}" for _, name in prepared.classes)]
    print(f"{len(target)} parcels, {prepared.sample.values.shape[1]} features")
    return dict(zip(names, np.array(rows).T, strict=True))


def main(data: Path) -> None:
    found = {}
    with tempfile.TemporaryDirectory() as archive:
        ctx = demarke_context(data, Path(archive))
        for title, method, predict in (
            ("boosted", Method.BOOSTED, processor),
            ("sen4cap", Method.SEN4CAP, processor),
            ("plain forest", Method.BOOSTED, forest),
        ):
            begin = time.perf_counter()
            found[title] = figures(ctx, method, predict)
            print(f"{title}: {(time.perf_counter() - begin) / len(SEEDS):.1f} s per seed")
            for name, values in found[title].items():
                print(f"  {name:18s} {values.mean():.4f} ± {values.std():.4f}")
    for name in ("overall", "macro-F1"):
        gain = found["boosted"][name] - found["sen4cap"][name]
        error = gain.std(ddof=1) / np.sqrt(len(gain)) * student.ppf(0.975, len(gain) - 1)
        print(f"gain in {name}: {gain.mean():.4f}, {gain.mean() - error:.4f} to "
              f"{gain.mean() + error:.4f}")  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
