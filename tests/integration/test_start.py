"""What a command leaves unimported, so that it starts in a second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sen4cap.app.system import session
from sen4cap.settings import Settings

HEAVY = {
    *("alembic", "dask", "distributed", "exactextract", "fastapi", "geopandas", "lightgbm"),
    *("matplotlib", "numba", "pandas", "polars", "psutil", "pyarrow", "pyogrio", "pyproj"),
    *("rasterio", "scipy", "shapely", "structlog", "uvicorn"),
}
SCRIPT = """
import json, sys
from sen4cap.cli import app
app(sys.argv[1:], standalone_mode=False)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize("words", ["job list", "job steps 1 --help", "site list", "config list"])
def test_commands_that_look_import_nothing_heavy(words: str, tmp_path: Path) -> None:
    with session(Settings(home=tmp_path)):
        pass  # the tables are there: making them takes Alembic
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words.split()],
        env={**os.environ, "SEN4CAP_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(json.loads(done.stdout.splitlines()[-1]))
    assert "sen4cap" in imported
    assert not imported & HEAVY
