"""Parameters of the crop type processor.

Keys, defaults and bounds are the original's where it has the parameter.

The settings of the learner are from general practice with small tables of many correlated columns
and few rows in some classes: shallow trees, few columns per tree, subsampling, shrinkage. README.md
says which variants were compared on which data.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import field_validator

from sen4cap.processing import Params, parameter

ID, VERSION = "s4c_l4a", "3"


class Method(StrEnum):
    """Ways to learn the crops."""

    BOOSTED = "boosted"
    """Gradient-boosted trees on features that may be missing; every parcel out of fold."""
    SEN4CAP = "sen4cap"
    """The original's: a random forest on complete features, its split and SMOTE."""


class Mode(StrEnum):
    """Sensors that feed the classifier."""

    BOTH = "both"
    S1_ONLY = "s1-only"
    S2_ONLY = "s2-only"


class CropTypeParams(Params):
    """What a user may change."""

    method: Method = parameter(
        Method.BOOSTED,
        title="Method",
        description="How crops are learnt: 'boosted' judges every parcel out of fold, 'sen4cap' "
        "repeats the original's random forest.",
    )
    mode: Mode = parameter(
        Mode.BOTH, title="Sensors", description="Which sensors feed the classifier."
    )
    lc: str = parameter(
        "1234",
        title="Land cover classes",
        description="Land cover groups to classify, one digit each: 1 annual crops, "
        "2 permanent crops, 3 grassland, 4 fallow.",
    )
    min_s2_pix: int = parameter(
        3,
        title="Minimum S2 pixels",
        description="Parcels with fewer valid optical pixels on their clearest date are left out.",
        unit="pixels",
        ge=0,
        le=100,
    )
    min_s1_pix: int = parameter(
        1,
        title="Minimum S1 pixels",
        description="Of parcels with fewer radar pixels no radar is used; 'sen4cap' leaves them "
        "out.",
        unit="pixels",
        ge=0,
        le=100,
    )
    best_s2_pix: int = parameter(
        10,
        title="Minimum S2 pixels for training",
        description="Parcels with fewer valid optical pixels on their clearest date are "
        "classified but not learnt from.",
        unit="pixels",
        ge=0,
        le=100,
    )
    pa_min: int = parameter(
        30,
        title="Minimum parcels per crop",
        description="Crops with fewer training parcels are neither learnt nor assessed.",
        unit="parcels",
        ge=0,
        le=100,
    )
    pa_train_h: int = parameter(
        4000,
        title="Common crops from",
        description="Of crops with at least so many training parcels the smaller share is "
        "learnt from ('sen4cap' only).",
        unit="parcels",
        ge=0,
        le=5000,
    )
    pa_train_l: int = parameter(
        1333,
        title="Rare crops below",
        description="Of crops with fewer training parcels the larger share is learnt from; of "
        "those between, as many as SMOTE aims at ('sen4cap' only).",
        unit="parcels",
        ge=0,
        le=5000,
    )
    sample_ratio_h: float = parameter(
        0.25,
        title="Training share of common crops",
        description="Share of the parcels of common crops that is learnt from ('sen4cap' only).",
        ge=0,
        le=1,
    )
    sample_ratio_l: float = parameter(
        0.75,
        title="Training share of rare crops",
        description="Share of the parcels of rare crops that is learnt from ('sen4cap' only).",
        ge=0,
        le=1,
    )
    smote_target: int = parameter(
        1000,
        title="SMOTE target",
        description="Number of training parcels to which crops with fewer are raised "
        "('sen4cap' only).",
        unit="parcels",
        ge=0,
        le=5000,
    )
    smote_k: int = parameter(
        5,
        title="SMOTE neighbours",
        description="Neighbours between which made-up parcels lie ('sen4cap' only).",
        ge=0,
        le=100,
    )
    num_trees: int = parameter(
        300,
        title="Number of trees",
        description="Trees of the forest ('sen4cap'); a third of it is the number of rounds of "
        "boosting and of random trees ('boosted'), where 0 predicts the shares of the crops alone.",
        ge=0,
        le=1000,
    )
    min_node_size: int = parameter(
        10,
        title="Minimum node size",
        description="Nodes of a tree with fewer training parcels are not split; of boosting, the "
        "smallest number in a leaf.",
        unit="parcels",
        ge=0,
        le=100,
    )
    folds: int = parameter(
        5,
        title="Folds",
        description="Number of models; each judges the parcels of the blocks it has not seen.",
        ge=2,
        le=10,
    )
    block_size: float = parameter(
        10_000.0,
        title="Block size",
        description="Edge of the square blocks whose parcels are judged together.",
        unit="m",
        ge=100,
        le=100_000,
    )
    seed: int = parameter(
        42,
        title="Seed",
        description="Fixes how blocks are dealt to folds and what the trees draw.",
        ge=0,
        le=2**31 - 1,
    )
    tiles: str = parameter(
        "",
        title="Tiles",
        description="Grids whose acquisitions and parcels count, names with blanks or commas "
        "between; empty: all.",
    )
    original_files: bool = parameter(
        True,
        title="The original's large files",
        description="Write the shapefile and the two tables of predictions of the original too: "
        "nothing is in them that CropType.parquet has not.",
    )
    red_rate: float = parameter(
        0.01,
        title="False-red rate",
        description="Share of rightly declared parcels of a group that may be called not "
        "conform; a parcel is, where its conformal p-value is at or below and another crop is "
        "clear.",
        ge=0.0001,
        le=0.5,
    )
    green_rate: float = parameter(
        0.05,
        title="Conform above",
        description="Share of rightly declared parcels of a group that may be left undecided for "
        "looking unusual; a parcel is conform, where its conformal p-value is above and no other "
        "crop is more probable.",
        ge=0.001,
        le=0.9,
    )
    group_min: int = parameter(
        200,
        title="Smallest group",
        description="Crops with fewer parcels share one group when their declarations are judged.",
        unit="parcels",
        ge=1,
        le=100_000,
        advanced=True,
    )
    learning_rate: float = parameter(
        0.1,
        title="Learning rate",
        description="Shrinkage of each tree of the boosting.",
        advanced=True,
        ge=0.001,
        le=1,
    )
    num_leaves: int = parameter(
        15,
        title="Leaves per tree",
        description="Bound of a tree's size; small, because the columns of a time series are "
        "strongly correlated and declarations hold errors.",
        advanced=True,
        ge=2,
        le=255,
    )
    feature_fraction: float = parameter(
        0.3,
        title="Share of columns per tree",
        description="Drawn anew for each tree of the boosting and each node of a random tree, so "
        "that neighbouring dekads do not stand in for all others.",
        advanced=True,
        ge=0.01,
        le=1,
    )
    bagging_fraction: float = parameter(
        0.7,
        title="Share of parcels per tree",
        description="Drawn anew for each tree of the boosting without replacement.",
        advanced=True,
        ge=0.1,
        le=1,
    )
    noise_share: float = parameter(
        0.03,
        title="Doubted declarations",
        description="Share of each crop's training parcels, at most, that weigh half because their "
        "declaration is doubted; they are judged and reported all the same.",
        advanced=True,
        ge=0,
        le=0.2,
    )

    @field_validator("lc")
    @classmethod
    def _digits(cls, value: str) -> str:
        if not value or set(value) - set("1234"):
            raise ValueError("give one or more of the digits 1, 2, 3 and 4")
        return value

    @field_validator("tiles")
    @classmethod
    def _spaced(cls, value: str) -> str:
        return " ".join(sorted(set(value.replace(",", " ").split())))

    @property
    def grids(self) -> frozenset[str]:
        """Names of the grids that count; empty: all."""
        return frozenset(self.tiles.split())
