"""Crop type models that are kept: taught by one season, judging another; and how early they know.

A model file is plain data (`sen4cap.processors.l4a_crop_type.saved`). Where this installation has a
key (the token of source `crop-models` among its secrets), models are signed when they are taught,
and one without that signature is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sen4cap.app import secrets
from sen4cap.app.crop_validation import PROCESSOR, prepared_of, step_of
from sen4cap.app.planning import draft
from sen4cap.domain import Reason
from sen4cap.errors import Conflict, InvalidParameter
from sen4cap.processing import write_whole

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from sen4cap.app.system import System
    from sen4cap.processors.l4a_crop_type.early import Known
    from sen4cap.processors.l4a_crop_type.run import Looked
    from sen4cap.processors.l4a_crop_type.saved import SavedModel

SOURCE = "crop-models"
"""Under which the key is kept."""
TABLES = (".csv", ".parquet")


def teach(
    system: System, site: str, season: str, path: Path, overrides: Mapping[str, Any] | None = None
) -> SavedModel:
    """Teach a model by all parcels of a season that teach, and keep it in a file.

    Raises
    ------
    NotFound, InvalidParameter, NoInput
        As for a crop map of the season.
    Conflict
        If the file is there already.
    """
    from sen4cap.processors.l4a_crop_type.saved import save, trained

    if path.exists():
        raise Conflict(f"'{path}' is there already: give another name, or remove it first.")
    drafted = draft(system, PROCESSOR, site, season, overrides)
    prepared, params = prepared_of(drafted)
    chosen, cores = drafted.context.season, drafted.context.cores
    days = {"start": chosen.start.isoformat(), "end": chosen.end.isoformat()}
    about = {"site": site, "season": season, **days}
    names = prepared.features.names
    made = trained(prepared.sample, names, prepared.classes, params, about, cores)
    save(path, made, _key(system))
    return made


@dataclass(frozen=True)
class Judged:
    """What a kept model says of a season."""

    table: pl.DataFrame
    """`NewID, ori_id, CT_decl, CT_decl_name, CT_pred_1, CT_pred_1_name, CT_conf_1, CT_pred_2,
    CT_conf_2, reason`, a row per parcel; no prediction where there is a reason."""
    missing: tuple[str, ...]
    """Features that it was taught and that this season has not."""
    agreeing: int
    """Parcels that are declared as the model says."""
    known: int
    """Judged parcels whose declared crop the model knows."""


def judge(
    system: System,
    site: str,
    season: str,
    path: Path,
    output: Path,
    overrides: Mapping[str, Any] | None = None,
) -> Judged:
    """Let a kept model judge the parcels of a season, and write the table, CSV or Parquet.

    No declaration of this season teaches it, and crops of any number of parcels are judged. The
    probabilities are the model's own, not calibrated here.

    Raises
    ------
    NotFound, InvalidParameter, NoInput
        As for a crop map of the season.
    UnreadableFile, InputRefused
        If it is no whole model, is not signed by this installation's key, or has no feature in
        common with the season.
    """
    from sen4cap.processors.l4a_crop_type.params import CropTypeParams
    from sen4cap.processors.l4a_crop_type.run import look
    from sen4cap.processors.l4a_crop_type.saved import load

    if output.suffix.lower() not in TABLES:
        raise InvalidParameter(f"'{output}' is neither .csv nor .parquet: name it so.")
    model = load(path, _key(system))
    given = {"method": model.parameters["method"], **(overrides or {})}
    drafted = draft(system, PROCESSOR, site, season, given)
    params = drafted.parameters
    assert isinstance(params, CropTypeParams)
    looked = look(drafted.context, params, step_of(drafted).inputs)
    features, cores = looked.features, drafted.context.cores
    probability = model.probability(features.names, features.values, cores)
    table = _table(looked, model, probability)
    with write_whole(output) as temporary:
        write = table.write_csv if output.suffix.lower() == ".csv" else table.write_parquet
        write(temporary)
    return Judged(table, model.missing(features.names), *_agreement(table, model))


def by_date(
    system: System, site: str, season: str, overrides: Mapping[str, Any] | None = None
) -> Iterator[Known]:
    """How well the crops of a season are known at each month end, out of fold; one by one.

    Raises
    ------
    NotFound, InvalidParameter, NoInput
        As for a crop map of the season.
    """
    from sen4cap.processors.l4a_crop_type.early import accuracy_by_date
    from sen4cap.processors.l4a_crop_type.params import CropTypeParams

    drafted = draft(system, PROCESSOR, site, season, overrides)
    params = drafted.parameters
    assert isinstance(params, CropTypeParams)
    yield from accuracy_by_date(drafted.context, params, step_of(drafted).inputs)


def picture(known: Sequence[Known]) -> bytes:
    """PNG of what is known at each month end."""
    from sen4cap.reports.figures import share_by_day

    days = [item.day for item in known]
    curves = {
        "overall accuracy": [item.overall for item in known],
        "mean F1": [item.macro_f1 for item in known],
    }
    return share_by_day(days, curves)


def sign(system: System, path: Path) -> None:
    """Sign a model that is trusted with this installation's key.

    Raises
    ------
    InvalidParameter
        If there is no key.
    UnreadableFile
        If it is no whole model.
    """
    from sen4cap.processors.l4a_crop_type.saved import signed

    key = _key(system)
    if key is None:
        raise InvalidParameter(
            "This installation has no key to sign with: set SEN4CAP_SECRET_CROP_MODELS_TOKEN."
        )
    signed(path, key)


def _key(system: System) -> bytes | None:
    token = secrets.credentials(system.settings, SOURCE).token
    return token.encode() if token else None


def _table(looked: Looked, model: SavedModel, probability: NDArray[np.floating]) -> pl.DataFrame:
    import numpy as np
    import polars as pl

    columns = ["NewID", "ori_id", "CT_decl", "CT_decl_name", "reason"]
    table = pl.from_pandas(looked.parcels[columns])
    codes, names = (np.array(part) for part in zip(*model.classes, strict=True))
    order = np.argsort(-probability, axis=1, kind="stable")
    sure = np.take_along_axis(probability, order, axis=1).round(3)
    rows = np.flatnonzero(looked.looked_at)
    unseen = ~looked.features.seen
    found: dict[str, NDArray[Any]] = {"row": rows}
    for rank in range(min(2, len(codes))):
        found[f"CT_pred_{rank + 1}"] = codes[order[:, rank]]
        found[f"CT_pred_{rank + 1}_name"] = names[order[:, rank]]
        found[f"CT_conf_{rank + 1}"] = sure[:, rank]
    judged = pl.DataFrame(found).filter(pl.Series(~unseen))
    told = table.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    joined = told.join(judged, on="row", how="left").drop("row")
    nothing = (pl.col("reason") == "") & pl.col("CT_pred_1").is_null()
    return joined.with_columns(
        reason=pl.when(nothing).then(pl.lit(str(Reason.NO_DATA))).otherwise(pl.col("reason"))
    )


def _agreement(table: pl.DataFrame, model: SavedModel) -> tuple[int, int]:
    import polars as pl

    known = table.filter(
        pl.col("CT_pred_1").is_not_null(),
        pl.col("CT_decl").is_in([code for code, _ in model.classes]),
    )
    return int((known["CT_decl"] == known["CT_pred_1"]).sum()), len(known)
