"""Small programs that stand for MAJA, Sen2Cor and SNAP in tests, which are not at hand there.

Each checks what it is given as the real one would, says what it does, and writes what the real one
would: a copy of a product or raster that the test has made.
"""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

MAJA = """
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
given = sorted(path.name for path in Path(options["-i"]).iterdir())
print("MAJA", options["-m"], options["--TileId"], *given)
if any("REFUSED" in name for name in given):
    sys.exit("Processing stopped: the cloud cover is too high")
shutil.copytree(made, Path(options["-o"]) / made.name)
"""
SEN2COR = """
options = dict(zip(sys.argv[1:-1:2], sys.argv[2:-1:2]))
if not Path(sys.argv[-1], "MTD_MSIL1C.xml").is_file():
    sys.exit("Product metadata file cannot be read.")
Path(options["--work_dir"]).mkdir()
print("Sen2Cor", options.get("--GIP_L2A", "own parameters"))
shutil.copytree(made, Path(options["--output_dir"]) / made.name)
"""
GPT = """
graph = ET.parse(sys.argv[1]).getroot()
for node in graph.findall("node"):
    file = node.findtext("parameters/file")
    if node.findtext("operator") == "Read" and not Path(file).is_dir():
        sys.exit(f"Error: {file} does not exist")
    if node.findtext("operator") == "Write":
        shutil.copy(made, file)
print("gpt", *[node.findtext("operator") for node in graph.findall("node")])
"""


def write_program(path: Path, body: str, made: Path | None = None) -> Path:
    """Write an executable that runs one of the above; `made` is what it copies."""
    head = f"""
    #!{sys.executable}
    import shutil, sys
    from pathlib import Path
    from xml.etree import ElementTree as ET
    made = Path({str(made)!r})
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(head).strip() + "\n" + body, "utf-8")
    path.chmod(0o755)
    return path
