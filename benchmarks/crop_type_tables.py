"""Real tables of crops out of fold: the default method against plain forests, and without radar.

    python benchmarks/crop_type_tables.py ../shared/data [set ...]

Sets: `france`, `central_asia`, `toulouse` (see `sen4cap.testing.crop_tables`). Five folds of 10 km
blocks, of Toulouse of pixels; mean of fold seeds 0-9; macro-F1 over all classes. The plain forest
has 500 trees of scikit-learn on the series, in the same folds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from sen4cap.kernels.accuracy import confusion_matrix, f1_score, overall_accuracy
from sen4cap.processors.l4a_crop_type.model import Sample, out_of_fold
from sen4cap.processors.l4a_crop_type.params import CropTypeParams
from sen4cap.testing.crop_tables import CropTable, central_asia, france, toulouse

SEEDS = range(10)
SETS = {
    "france": ("fr_be_lpis_s1s2_timeseries", france),
    "central_asia": ("uz_tj_cawa_croptype_ndvi", central_asia),
    "toulouse": ("fr_toulouse_formosat2006_crop24", toulouse),
}


def boosted(sample: Sample, seed: int) -> NDArray[np.integer]:
    return out_of_fold(sample, CropTypeParams(seed=seed), cores=2).argmax(axis=1)


def forest(sample: Sample, values: NDArray[np.float32], seed: int) -> NDArray[np.integer]:
    predicted = np.empty(len(values), np.int64)
    for fold in np.unique(sample.fold):
        judged = sample.fold == fold
        model = RandomForestClassifier(500, random_state=seed, n_jobs=2)
        model.fit(values[~judged], sample.target[~judged])
        predicted[judged] = model.predict(values[judged])
    return predicted


def scores(table: CropTable, seed: int) -> dict[str, tuple[float, float]]:
    sample = table.sample(seed)
    predicted = {
        "boosted": boosted(sample, seed),
        "plain forest": forest(sample, table.plain(), seed),
    }
    if "amp_vv" in table.series:
        alone = table.sample(seed, lambda name: not name.startswith("amp_"))
        predicted["boosted, S2 only"] = boosted(alone, seed)
    matrices = {
        name: confusion_matrix(found, sample.target, sample.classes)
        for name, found in predicted.items()
    }
    return {
        name: (overall_accuracy(matrix), float(np.nan_to_num(f1_score(matrix)).mean()))
        for name, matrix in matrices.items()
    }


def main(data: Path, names: list[str]) -> None:
    for name in names or SETS:
        folder, read = SETS[name]
        table = read(data / folder)
        crops, fields = len(np.unique(table.crop)), len(table.crop)
        print(f"{name}: {fields} samples, {crops} crops", flush=True)
        found = [scores(table, seed) for seed in SEEDS]
        for title in found[0]:
            values = np.array([item[title] for item in found])
            (overall, macro), (spread, _) = values.mean(axis=0), values.std(axis=0)
            print(f"  {title:18s} overall {overall:.4f} ± {spread:.4f}, macro-F1 {macro:.4f}")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
