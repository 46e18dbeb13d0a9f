"""Models on disk: the same bits back, and nothing that was changed."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sen4cap.errors import InputRefused, UnreadableFile
from sen4cap.processors.l4a_crop_type.model import Sample
from sen4cap.processors.l4a_crop_type.params import CropTypeParams, Method
from sen4cap.processors.l4a_crop_type.saved import SavedModel, load, save, signed, trained

NAMES = ("ndvi_mean_d10", "ndvi_mean_d20", "amp_vv_asc_mean_d10")
CLASSES = ((10, "Maïs"), (20, "Grass"), (30, "Beet"))


def sample() -> Sample:
    draw = np.random.default_rng(0)
    target = draw.choice(3, 300, p=[0.5, 0.4, 0.1])
    values = draw.normal(target[:, None] * [1.0, -1.0, 0.5], 1.0).astype(np.float32)
    return Sample(values, target, 3, np.arange(300) > 20, np.arange(300) % 5)


def model(method: Method = Method.BOOSTED, trees: int = 30) -> SavedModel:
    params = CropTypeParams(method=method, num_trees=trees, smote_target=100)
    return trained(sample(), NAMES, CLASSES, params, {"season": "2017"})


@pytest.mark.parametrize(
    ("method", "trees"), [(Method.BOOSTED, 30), (Method.BOOSTED, 0), (Method.SEN4CAP, 20)]
)
def test_the_same_bits_come_back(tmp_path: Path, method: Method, trees: int) -> None:
    made = model(method, trees)
    save(tmp_path / "one.model", made)
    save(tmp_path / "two.model", model(method, trees))
    assert (tmp_path / "one.model").read_bytes() == (tmp_path / "two.model").read_bytes()
    again = load(tmp_path / "one.model")
    values = sample().values
    before, after = (item.probability(NAMES, values) for item in (made, again))
    assert before.tobytes() == after.tobytes()
    assert again.columns == NAMES
    assert again.classes == CLASSES
    assert again.summary["season"] == "2017"
    assert sum(again.summary["teachers"].values()) == 279
    assert again.parameters["num-trees"] == trees


def test_a_file_is_data_alone(tmp_path: Path) -> None:
    save(tmp_path / "a.model", model())
    with zipfile.ZipFile(tmp_path / "a.model") as archive:
        names = archive.namelist()
        arrays = [archive.read(name) for name in names if name.endswith(".npy")]
    assert {Path(name).suffix for name in names} == {".json", ".txt", ".npy", ""}
    assert all(b"'|O'" not in array[:128] for array in arrays)


def test_columns_go_by_name_and_may_be_missing(tmp_path: Path) -> None:
    save(tmp_path / "a.model", model())
    found, values = load(tmp_path / "a.model"), sample().values
    turned = found.probability(NAMES[::-1], values[:, ::-1])
    np.testing.assert_array_equal(turned, found.probability(NAMES, values))
    assert found.missing(NAMES[:2]) == NAMES[2:]
    blind = values.copy()
    blind[:, 2] = np.nan
    without = found.probability((*NAMES[:2], "lai_mean_d01"), values)
    np.testing.assert_array_equal(without, found.probability(NAMES, blind))
    with pytest.raises(InputRefused, match="3 of which are not here"):
        found.probability(("other",), values[:, :1])


def test_complete_features_are_asked_for_by_the_originals_forest() -> None:
    with pytest.raises(InputRefused, match="1 of which are not here"):
        model(Method.SEN4CAP, 10).probability(NAMES[:2], sample().values[:, :2])


def changed(path: Path, name: str, content: bytes) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = {item: archive.read(item) for item in archive.namelist()}
    entries[name] = content
    with zipfile.ZipFile(path, "w") as archive:
        for item, value in entries.items():
            archive.writestr(item, value)


@pytest.mark.parametrize("name", ["model.json", "booster.txt", "share.npy", "digest"])
def test_what_was_changed_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.model"
    save(path, model())
    changed(path, name, b"{}")
    with pytest.raises(UnreadableFile, match="changed since it was saved"):
        load(path)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.model").write_bytes(b"PK no zip")
    with pytest.raises(UnreadableFile, match="cannot be read as a crop type model"):
        load(tmp_path / "a.model")
    with pytest.raises(UnreadableFile):
        load(tmp_path / "none.model")


def test_signatures(tmp_path: Path) -> None:
    path, made = tmp_path / "a.model", model()
    save(path, made, b"our key")
    assert load(path, b"our key").columns == NAMES
    assert load(path).columns == NAMES, "who asks for no signature gets whole files"
    with pytest.raises(InputRefused, match="bears no signature"):
        load(path, b"another key")
    save(path, replace(made, summary={}))
    with pytest.raises(InputRefused, match="bears no signature"):
        load(path, b"our key")
    signed(path, b"our key")
    assert json.loads(json.dumps(dict(load(path, b"our key").summary))) == {}
