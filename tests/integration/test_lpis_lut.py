"""Crop look-up tables as they come: separators, encodings, spellings, mistakes."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from sen4cap.errors import EmptyLayer, InputRefused, MissingColumn, UnreadableFile
from sen4cap.parcels import read_lut
from sen4cap.parcels.lut import ORDER
from sen4cap.testing.parcels import LUT, lut


def table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "lut.csv"
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_separator_and_encoding_are_found_out(
    tmp_path: Path, separator: str, encoding: str
) -> None:
    text = LUT.replace("Meadow", "Prairie séchée").replace(",", separator)
    found = read_lut(table(tmp_path, text, encoding))
    assert found.columns == list(ORDER)
    assert found["ct"].to_list() == ["Wheat", "Barley", "Prairie séchée", "Forest"]
    assert found.drop("ct").equals(lut().select(ORDER).drop("ct"))


def test_codes_are_text_and_defaults_are_filled_in(tmp_path: Path) -> None:
    text = 'Name,ori_crop,lc,ctl4a,ctnuml4a,AL,other\n"Oats, white",005,1,Cereals,7.0,true,x\n'
    text += "House,A1,,,,,\n"
    found = read_lut(table(tmp_path, text))
    first, second = found.to_dicts()
    declared = {"ori_crop": "005", "ctnum": 1, "ct": "Oats, white", "lc": 1}
    classes = {"ctnuml4a": 7, "ctl4a": "Cereals", "ctnumdiv": 7, "ctdiv": "Cereals"}
    flags = {"eaa": 0, "al": 1, "pgrass": 0, "tgrass": 0, "fallow": 0, "cwater": 0}
    assert first == declared | classes | flags
    assert (second["ori_crop"], second["ctnum"], second["lc"], second["ctnuml4a"]) == (
        "A1",
        2,
        0,
        0,
    )
    assert found.schema["ori_crop"] == pl.String


def test_all_missing_columns_are_named(tmp_path: Path) -> None:
    path = table(tmp_path, "ori_crop,ct\n1,Wheat\n")
    with pytest.raises(MissingColumn, match="no column lc, ctnuml4a, ctl4a; there are: ori_crop"):
        read_lut(path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("2,2,Barley,1,10", "2,2,Barley,one,10", "lc = 'one' in row 3: give 0-5"),
        ("2,2,Barley,1,10", "2,2,Barley,6,10", "lc = '6' in row 3: give 0-5"),
        ("2,2,Barley,1,10", "2,2,Barley,1,1.5", "ctnuml4a = '1.5' in row 3: give a whole number"),
        ("2,2,Barley,1,10", "2,2,Barley,1,", "ctnuml4a = '' in row 3: give a whole number"),
        ("2,2,Barley", "1,2,Barley", "several rows for ori_crop 1"),
        ("2,2,Barley", ",2,Barley", "no ori_crop in row 3"),
    ],
)
def test_a_mistake_is_told_with_row_and_column(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    with pytest.raises(InputRefused, match=words):
        read_lut(table(tmp_path, LUT.replace(old, new)))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="cannot be read"):
        read_lut(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"PK\x03\x04,\0\0")
    with pytest.raises(UnreadableFile, match="no table of text"):
        read_lut(tmp_path / "b.csv")
    with pytest.raises(UnreadableFile, match="no clean CSV"):
        read_lut(table(tmp_path, "ori_crop,ct\n1,a,b,c\n"))
    with pytest.raises(EmptyLayer, match="no row"):
        read_lut(table(tmp_path, LUT.splitlines()[0] + "\n"))
    with pytest.raises(InputRefused, match="column 'lc' twice"):
        read_lut(table(tmp_path, "ori_crop,ct,LC,lc,ctnuml4a,ctl4a\n1,a,1,1,1,a\n"))
