"""Models on disk: plain data in a zip archive, read without running anything of it.

| entry | content |
|---|---|
| `model.json` | columns, classes, parameters, training summary, SHA-256 of each other entry |
| `digest` | SHA-256 of `model.json` |
| `signature` | HMAC-SHA256 of `model.json` with the key of an installation, where there was one |
| `booster.txt` | LightGBM's own text of the boosted trees |
| `<name>.npy` | arrays of the trees of a forest, one tree behind the other |

The digests tell that a file is whole, the signature who made it. A key is a secret, and a step gets
none: it saves without, and whoever has the key signs the file (`signed`) or asks for the signature
when it is loaded. The same model gives the same bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from sen4cap.errors import InputRefused, UnreadableFile
from sen4cap.kernels.forest import Tree
from sen4cap.processing.context import write_whole
from sen4cap.processors.l4a_crop_type.boosted import Boosted, ClassShares
from sen4cap.processors.l4a_crop_type.model import Model, Sample, learn
from sen4cap.processors.l4a_crop_type.original_forest import Forest
from sen4cap.processors.l4a_crop_type.params import CropTypeParams

FORMAT = "sen4cap crop type model 1"
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""Time of the entries, so that the same model gives the same bytes."""
NODES = ("column", "threshold", "missing_left", "left")
ARRAYS = (*NODES, "share", "nodes", "leaves", "shares")


@dataclass(frozen=True)
class SavedModel:
    """A model with all that is needed to judge parcels of another season or site."""

    model: Model
    columns: tuple[str, ...]
    """Features, in the order that it was taught them."""
    classes: tuple[tuple[int, str], ...]
    """Code and name of each class, in the order of its probabilities."""
    parameters: Mapping[str, Any]
    """Of the run that taught it."""
    summary: Mapping[str, Any]
    """Site, season, number of teachers per class and what else is worth knowing; JSON values."""

    def missing(self, names: Sequence[str]) -> tuple[str, ...]:
        """Columns that it was taught and that are not among `names`."""
        present = set(names)
        return tuple(name for name in self.columns if name not in present)

    def probability(
        self, names: Sequence[str], values: NDArray[np.floating], threads: int = 1
    ) -> NDArray[np.float64]:
        """Probability of each of its classes, shape (n, classes).

        `values`: features under `names`, shape (n, k), in any order. Those that it was taught and
        that are not there are missing values; others are left alone.

        Raises
        ------
        InputRefused
            If none is there, or one is not and the model needs complete features.
        """
        lacking = self.missing(names)
        complete = isinstance(self.model, Forest)
        if len(lacking) == len(self.columns) or (complete and lacking):
            raise InputRefused(
                f"The model was taught {len(self.columns)} features, {len(lacking)} of which are "
                "not here: use markers and dekads as in its season, or another model."
            )
        place = {name: number for number, name in enumerate(names)}
        aligned = np.full((len(values), len(self.columns)), np.nan, np.float32)
        for number, name in enumerate(self.columns):
            if name in place:
                aligned[:, number] = values[:, place[name]]
        return self.model.probability(aligned, threads)


def trained(
    sample: Sample,
    columns: Sequence[str],
    classes: Sequence[tuple[int, str]],
    params: CropTypeParams,
    about: Mapping[str, Any],
    cores: int = 1,
) -> SavedModel:
    """A model of all parcels of a sample that teach, ready to be saved.

    `about`: what stands in the summary besides the teachers of each class. Errors as in `learn`.
    """
    learnt = learn(sample, params, cores)
    count = np.bincount(sample.target[sample.teaches], minlength=sample.classes)
    known = tuple(classes[place] for place in learnt.known)
    taught = {str(classes[place][0]): int(count[place]) for place in learnt.known}
    return SavedModel(
        model=learnt.model,
        columns=tuple(columns),
        classes=known,
        parameters=params.model_dump(mode="json", by_alias=True),
        summary={**about, "teachers": taught},
    )


def save(path: Path, saved: SavedModel, key: bytes | None = None) -> None:
    """Write a model, complete or not at all; signed where there is a key."""
    contents = _contents(saved.model)
    document = {
        "format": FORMAT,
        "kind": type(saved.model).__name__,
        "columns": list(saved.columns),
        "classes": [[code, name] for code, name in saved.classes],
        "parameters": dict(saved.parameters),
        "summary": dict(saved.summary),
        "digests": {name: _digest(content) for name, content in sorted(contents.items())},
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).encode()
    _write(path, {"model.json": text, **contents}, key)


def signed(path: Path, key: bytes) -> None:
    """Sign a saved model, in place.

    Raises
    ------
    UnreadableFile
        If it is no whole model.
    """
    entries = _entries(path)
    _check_whole(path, entries)
    _write(path, {name: entries[name] for name in entries if "." in name}, key)


def load(path: Path, key: bytes | None = None) -> SavedModel:
    """A saved model; its signature is checked where a key is given.

    Raises
    ------
    UnreadableFile
        If it is no model, or was cut or changed since it was saved.
    InputRefused
        If it bears no signature by the key.
    """
    entries = _entries(path)
    document = _check_whole(path, entries)
    if key is not None:
        _check_signed(path, entries, key)
    return SavedModel(
        model=_model(document["kind"], len(document["classes"]), entries),
        columns=tuple(document["columns"]),
        classes=tuple((code, name) for code, name in document["classes"]),
        parameters=document["parameters"],
        summary=document["summary"],
    )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, contents: Mapping[str, bytes], key: bytes | None) -> None:
    text = contents["model.json"]
    entries = {**contents, "digest": _digest(text).encode()}
    if key is not None:
        entries["signature"] = _signature(text, key)
    with write_whole(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name, LONG_AGO)
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)


def _signature(text: bytes, key: bytes) -> bytes:
    return hmac.new(key, text, "sha256").hexdigest().encode()


def _entries(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UnreadableFile(
            f"'{path}' cannot be read as a crop type model: give a file that was saved by "
            "the crop type processor."
        ) from error


def _check_whole(path: Path, entries: Mapping[str, bytes]) -> dict[str, Any]:
    """The document of a model all of whose entries are as they were saved."""
    text = entries.get("model.json", b"")
    whole = entries.get("digest") == _digest(text).encode()
    document: dict[str, Any] = json.loads(text) if whole else {}
    if document.get("format") != FORMAT or any(
        _digest(entries.get(name, b"")) != digest for name, digest in document["digests"].items()
    ):
        raise UnreadableFile(
            f"'{path}' is no whole crop type model, or was changed since it was saved: "
            "copy or train it again."
        )
    return document


def _check_signed(path: Path, entries: Mapping[str, bytes], key: bytes) -> None:
    expected = _signature(entries["model.json"], key)
    if not hmac.compare_digest(entries.get("signature", b""), expected):
        raise InputRefused(
            f"The model '{path}' bears no signature of this installation: "
            "use one that was trained here, or sign it if you trust it."
        )


def _contents(model: Model) -> dict[str, bytes]:
    """The entries of a model."""
    if isinstance(model, ClassShares):
        return {"shares.npy": _bytes(model.share)}
    if isinstance(model, Forest):
        return _forest(model.trees)
    assert isinstance(model, Boosted)
    return {"booster.txt": model.booster.model_to_string().encode(), **_forest(model.trees)}


def _forest(trees: Sequence[Tree]) -> dict[str, bytes]:
    arrays = {name: np.concatenate([getattr(tree, name) for tree in trees]) for name in NODES}
    arrays["share"] = np.concatenate([tree.share for tree in trees])
    arrays["nodes"] = np.array([len(tree.column) for tree in trees], np.int64)
    arrays["leaves"] = np.array([len(tree.share) for tree in trees], np.int64)
    return {f"{name}.npy": _bytes(array) for name, array in arrays.items()}


def _bytes(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _model(kind: str, classes: int, entries: Mapping[str, bytes]) -> Model:
    arrays = {
        name: np.load(io.BytesIO(entries[f"{name}.npy"]), allow_pickle=False)
        for name in ARRAYS
        if f"{name}.npy" in entries
    }
    if kind == ClassShares.__name__:
        return ClassShares(arrays["shares"])
    trees = _trees(arrays)
    if kind == Forest.__name__:
        return Forest(classes, trees)
    booster = lgb.Booster(model_str=entries["booster.txt"].decode())
    return Boosted(classes, booster, trees)


def _trees(arrays: Mapping[str, NDArray[Any]]) -> tuple[Tree, ...]:
    nodes, leaves = np.cumsum(arrays["nodes"])[:-1], np.cumsum(arrays["leaves"])[:-1]
    parts = [np.split(arrays[name], nodes) for name in NODES]
    return tuple(
        Tree(column, threshold, missing_left, left, share)
        for column, threshold, missing_left, left, share in zip(
            *parts, np.split(arrays["share"], leaves), strict=True
        )
    )
