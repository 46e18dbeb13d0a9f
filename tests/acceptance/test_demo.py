"""The demonstration, as `make demo` runs it, and the console over what it made."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.testclient import TestClient

from sen4cap.app.system import System, session
from sen4cap.errors import Conflict
from sen4cap.settings import Settings
from sen4cap.web import create_app

from .conftest import Terminal


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("demo")
    return folder / "demo", Terminal(folder / "home")("demo", "--folder", folder / "demo")


@pytest.fixture
def client(demo: tuple[Path, Any]) -> Iterator[TestClient]:
    settings = Settings(home=demo[0] / "home", database_url=None, archive=None)
    with session(settings) as system, TestClient(create_app(system), "http://127.0.0.1") as made:
        yield made


def test_crops_are_told_and_wrong_declarations_found(demo: tuple[Path, Any]) -> None:
    """A generated season separates well: this says that the chain works, not how good it is."""
    told = demo[1]["against_truth"]
    assert told["parcels"] >= 400
    assert told["accuracy"] >= 0.97
    assert told["wrong"] >= 10
    assert told["caught"] >= 0.9 * told["wrong"]
    assert set(demo[1]["accuracy"]["reasons"]) >= {"duplicate", "overlap", "no_crop", "land_cover"}


def test_the_report_is_one_page_without_requests(demo: tuple[Path, Any]) -> None:
    page = (demo[0] / "report.html").read_text("utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]+', page)
    assert "<script" not in page
    assert page.index("What looks wrong") < page.index("How good it is")


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    from sen4cap.app.demo import demonstrate

    (tmp_path / "thesis.txt").write_text("mine", "utf-8")
    with pytest.raises(Conflict, match="something else"):
        demonstrate(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_pages_and_their_twins(client: TestClient) -> None:
    home = client.get("/")
    assert "Demo" in home.text
    assert client.get("/index.json").json()[0]["products"]["l3b"] == 14
    site = client.get("/sites/demo.json").json()
    assert "Another parcel has the same geometry." in client.get("/sites/demo").text
    name = next(item["name"] for item in site["products"] if item["type"] == "l3b")
    assert f'src="/products/{name}/files/quicklook"' in client.get(f"/products/{name}").text
    assert client.get(f"/products/{name}.json").json()["id"] == name
    picture = client.get(f"/products/{name}/files/quicklook")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")


def test_pages_refuse_in_words_and_are_locked_down(client: TestClient) -> None:
    missing = client.get("/products/nothing")
    assert (missing.status_code, "There is no product" in missing.text) == (404, True)
    assert client.get("/sites/nowhere.json").json()["status"] == 404
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
    assert client.post("/").status_code == 405
    assert client.get("/products/nothing/files/..%2f..%2fetc%2fpasswd").status_code == 404


def test_pages_ask_for_nothing_outside(client: TestClient) -> None:
    for page in ("/", "/sites/demo"):
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', client.get(page).text)


def test_a_busy_port_is_told(client: TestClient) -> None:
    from sen4cap.errors import ServiceUnavailable
    from sen4cap.web import serve

    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(ServiceUnavailable, match=f"Port {port} .*--port"):
            serve(cast("System", None), port, lambda: told.append("ready"))
    assert not told
