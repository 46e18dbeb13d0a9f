"""What the test server answers: see `source_server`, which holds what it answers from."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from sen4cap.testing.source_server import PASSWORD, TOKEN, USER, Fault, Heard, SourceServer

BEARER = re.compile(r"Bearer (.+)")
RANGE = re.compile(r"bytes=(\d+)-(\d*)")
NODE = re.compile(r"Nodes\(([^)]*)\)")
PRODUCT = re.compile(r"Products\(([^)]*)\)")
DATES = re.compile(r"ContentDate/Start (ge|lt) (\S+?)(?= |$|\))")
LASTS = timedelta(minutes=10)


class Answers(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    held: SourceServer
    _body = ""

    def log_message(self, *_told: Any) -> None:
        """Say nothing."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The time, as wrong as it is set."""
        now = datetime.now(UTC) if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
        return format_datetime(now + self.held.ahead, usegmt=True)

    def do_GET(self) -> None:
        """Answer."""
        self._answer("GET")

    def do_HEAD(self) -> None:
        """Answer without the content, as those ask who read in place."""
        self._answer("HEAD")

    def do_POST(self) -> None:
        """Answer."""
        self._answer("POST")

    def _answer(self, method: str) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self._body = self.rfile.read(length).decode()
        heard = Heard(method, unquote(self.path), dict(self.headers), self._body)
        self.held.heard.append(heard)
        fault = self.held.fault(heard.path)
        if fault and self._fails(fault):
            return
        path = urlsplit(heard.path).path
        for begins, answer in _ROUTES.items():
            if path.startswith(begins):
                answer(self, heard, fault)
                return
        self._file(path, fault)

    def _fails(self, fault: Fault) -> bool:
        """Answer with a bare failure, if that is what the fault is."""
        if fault.what == "expire":
            self.held.tokens.clear()
        elif fault.what.startswith("429"):
            until = datetime.now(UTC) + timedelta(seconds=7)
            told = format_datetime(until, usegmt=True) if fault.what == "429-date" else "7"
            self.send_bytes(429, b"slow down", {"Retry-After": told})
            return True
        elif fault.what == "no-json":
            self.send_bytes(200, b"<html>maintenance</html>")
            return True
        elif fault.what.isdigit():
            self.send_bytes(int(fault.what), b"failed")
            return True
        return False

    def send_bytes(
        self, status: int, content: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a whole answer; to HEAD without its content, which the next one would follow."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_json(self, value: Any, headers: Mapping[str, str] | None = None) -> None:
        """Send JSON."""
        told = {"Content-Type": "application/json", **(headers or {})}
        self.send_bytes(200, json.dumps(value).encode(), told)

    def _may_read(self, path: str) -> bool:
        for begins, guard in self.held.guarded.items():
            if path.startswith(begins):
                return self._is_known(guard)
        return True

    def _is_known(self, guard: str) -> bool:
        told = BEARER.fullmatch(self.headers.get("Authorization", ""))
        if guard == "signature":
            return "sig=signed" in urlsplit(self.path).query
        if guard == "fixed":
            return bool(told) and told[1] == TOKEN if told else False
        return told is not None and told[1] in self.held.tokens

    def _file(self, path: str, fault: Fault | None) -> None:
        """Send a file, or the end of it; half of what is left, or with a wrong byte, if told so."""
        if not self._may_read(path):
            self.send_bytes(403 if "sig" in self.path else 401, b"who are you")
            return
        content = self.held.files.get(path)
        if content is None:
            self.send_bytes(404, b"not here")
            return
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        part = self._part(tag, len(content))
        if part is not None and part.start >= len(content):
            self.send_bytes(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            return
        self._send_part(content, part, tag, fault)

    def _part(self, tag: str, size: int) -> range | None:
        """The bytes that are asked for; None for all."""
        asked = RANGE.fullmatch(self.headers.get("Range", ""))
        if not asked or self.headers.get("If-Range", tag) != tag:
            return None
        last = int(asked[2]) if asked[2] else size - 1
        return range(int(asked[1]), min(last + 1, size))

    def _send_part(self, content: bytes, part: range | None, tag: str, fault: Fault | None) -> None:
        sent = content if part is None else content[part.start : part.stop]
        if fault and fault.what == "garbled":
            sent = bytes([sent[0] ^ 1]) + sent[1:]
        self.send_response(200 if part is None else 206)
        self.send_header("ETag", tag)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(sent)))
        if part is not None:
            whole = f"bytes {part.start}-{part.stop - 1}/{len(content)}"
            self.send_header("Content-Range", whole)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault and fault.what == "half":
            self.wfile.write(sent[: max(1, len(sent) // 2)])
            self.close_connection = True
            return
        self.wfile.write(sent)

    def landing(self, _heard: Heard, _fault: Fault | None) -> None:
        """The landing page of a STAC API."""
        root = f"{self.held.base}/stac/v1"
        told = ["core", "item-search", "item-search#query", "item-search#sort"]
        links = [("self", root, "GET"), ("root", root, "GET")]
        links += [("search", f"{root}/search", method) for method in ("GET", "POST")]
        self.send_json(
            {
                "type": "Catalog",
                "id": "test",
                "description": "A STAC API for tests.",
                "stac_version": "1.0.0",
                "conformsTo": [f"https://api.stacspec.org/v1.0.0/{name}" for name in told],
                "links": [
                    {"rel": rel, "href": href, "method": method, "type": "application/json"}
                    for rel, href, method in links
                ],
            }
        )

    def search(self, heard: Heard, fault: Fault | None) -> None:
        """A page of a STAC search."""
        asked = json.loads(heard.body)
        first, last = (datetime.fromisoformat(text) for text in asked["datetime"].split("/"))
        found = [
            item
            for name in asked["collections"]
            for item in self.held.items.get(name, ())
            if first <= datetime.fromisoformat(item["properties"]["datetime"]) <= last
        ]
        number = int(asked.get("next", 0))
        entries, more = self.held.page_of(found, number, fault)
        url = f"{self.held.base}/stac/v1/search"
        body = {**asked, "next": number + 1}
        link = {"rel": "next", "href": url, "method": "POST", "merge": False, "body": body}
        page: dict[str, Any] = {
            "type": "FeatureCollection",
            "features": entries,
            "links": [link] if more else [],
        }
        if self.held.tells_matched:
            page["numberMatched"] = len(found)
        self.send_json(page)

    def catalogue(self, heard: Heard, fault: Fault | None) -> None:
        """A page of an OData query."""
        asked = parse_qs(urlsplit(self.path).query)
        wanted = asked["$filter"][0]
        bounds = {name: datetime.fromisoformat(text) for name, text in DATES.findall(wanted)}
        found = [
            entry
            for entry in self.held.entries
            if bounds["ge"] <= datetime.fromisoformat(entry["ContentDate"]["Start"]) < bounds["lt"]
            and f"'{_attribute(entry, 'productType')}'" in wanted
        ]
        number = int(asked.get("$skip", ["0"])[0]) // self.held.page
        entries, more = self.held.page_of(found, number, fault)
        page: dict[str, Any] = {"@odata.context": "$metadata#Products", "value": entries}
        if "$count" in asked and self.held.tells_matched:
            page["@odata.count"] = len(found)
        if more:
            plain = re.sub(r"&\$skip=\d+|&\$count=true", "", heard.path)
            skip = (number + 1) * self.held.page
            page["@odata.nextLink"] = f"{self.held.base}{plain}&$skip={skip}".replace(" ", "%20")
        self.send_json(page)

    def product(self, heard: Heard, fault: Fault | None) -> None:
        """A product as zip, or one of its nodes."""
        path = urlsplit(heard.path).path
        key = PRODUCT.search(path)
        nodes = NODE.findall(path)
        self._file("/".join(["/download", key[1] if key else "", *nodes]), fault)

    def token(self, heard: Heard, _fault: Fault | None) -> None:
        """An access token for a password or a refresh token."""
        form = {key: values[0] for key, values in parse_qs(heard.body).items()}
        by_password = (form.get("username"), form.get("password")) == (USER, PASSWORD)
        if not (by_password or form.get("refresh_token") == "refresh"):
            self.send_bytes(401, b'{"error": "invalid_grant"}')
            return
        lasts = int(LASTS.total_seconds())
        told = {"access_token": self.held.issue(), "refresh_token": "refresh"}
        self.send_json({**told, "expires_in": lasts, "refresh_expires_in": 6 * lasts})

    def granule_search(self, heard: Heard, fault: Fault | None) -> None:
        """A page of NASA's catalogue."""
        form = parse_qs(heard.body)
        first, last = (datetime.fromisoformat(text) for text in form["temporal"][0].split(",")[:2])
        wanted = "".join(text for values in form.values() for text in values)
        found = [
            one
            for one in self.held.granules
            if _level(one) in wanted and first <= _sensed(one) <= last
        ]
        told: dict[str, Any] = {"hits": len(found), "took": 1, "items": []}
        number = int(self.headers.get("CMR-Search-After", "0"))
        headers: dict[str, str] = {}
        if form["page_size"] != ["0"]:
            told["items"], more = self.held.page_of(found, number, fault)
            headers = {"CMR-Search-After": str(number + 1)} if more else {}
        self.send_json(told, headers)

    def job_list(self, heard: Heard, fault: Fault | None) -> None:
        """A page of an account's jobs."""
        if not self._is_known("fixed"):
            self.send_bytes(401, b'{"detail": "No authorization token provided"}')
            return
        asked = parse_qs(urlsplit(heard.path).query)
        found = [
            job
            for job in self.held.jobs
            if [job["job_type"]] == asked["job_type"]
            and [job["status_code"]] == asked["status_code"]
        ]
        number = int(asked.get("start_token", ["0"])[0])
        entries, more = self.held.page_of(found, number, fault)
        page: dict[str, Any] = {"jobs": entries}
        if more:
            plain = re.sub(r"&start_token=\d+", "", heard.path)
            page["next"] = f"{self.held.base}{plain}&start_token={number + 1}"
        self.send_json(page)

    def signature(self, _heard: Heard, _fault: Fault | None) -> None:
        """A signature of a container."""
        ends = datetime.now(UTC) + LASTS
        self.send_json({"msft:expiry": ends.strftime("%Y-%m-%dT%H:%M:%SZ"), "token": "sig=signed"})


_Answer = Callable[[Answers, Heard, Fault | None], None]
_ROUTES: Mapping[str, _Answer] = {
    "/stac/v1/search": Answers.search,
    "/stac/v1": Answers.landing,
    "/odata/v1/Products": Answers.catalogue,
    "/download/odata/v1/Products": Answers.product,
    "/token": Answers.token,
    "/search/granules.umm_json": Answers.granule_search,
    "/jobs": Answers.job_list,
    "/sas/token": Answers.signature,
}


def _attribute(entry: Mapping[str, Any], name: str) -> Any:
    return next(one["Value"] for one in entry["Attributes"] if one["Name"] == name)


def _level(granule: Mapping[str, Any]) -> str:
    told = {one["Name"]: one["Values"][0] for one in granule["umm"]["AdditionalAttributes"]}
    return str(told["PROCESSING_TYPE"])


def _sensed(granule: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(
        granule["umm"]["TemporalExtent"]["RangeDateTime"]["BeginningDateTime"]
    )
