"""A server on this machine that answers like the public sources, and fails when told to.

It speaks STAC API (search with POST and GET), CDSE's OData with tokens and downloads by zip or
node, NASA's CMR, HyP3 and Planetary Computer's signatures, in the shapes of their documentation
and of real samples; none of its answers was recorded live. `source_shelf` fills it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import ThreadingHTTPServer
from typing import Any

USER, PASSWORD, TOKEN = "ana", "correct horse", "earthdata-token"


@dataclass
class Fault:
    """One thing that goes wrong, at requests whose path and query contain `where`."""

    where: str
    what: str
    """A status (`401`, `500`), `429`, `429-date`, `half`, `garbled`, `repeat`, `skip`, `expire`,
    `no-json`, `empty`."""
    times: int = 1
    after: int = 0
    """Matching requests that go well before it."""


@dataclass(frozen=True)
class Heard:
    """A request that came."""

    method: str
    path: str
    """With its query."""
    headers: Mapping[str, str]
    body: str


@dataclass
class SourceServer:
    """What the server holds, and what it was asked."""

    port: int
    page: int = 2
    """Entries on a page of any search."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Content by path."""
    guarded: dict[str, str] = field(default_factory=dict)
    """Beginning of paths → `bearer`, `fixed` (Earthdata) or `signature`."""
    items: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """STAC items by collection."""
    entries: list[dict[str, Any]] = field(default_factory=list)
    """OData products."""
    granules: list[dict[str, Any]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    tells_matched: bool = True
    tokens: set[str] = field(default_factory=set)
    ahead: timedelta = timedelta(0)
    """How wrong the clock of the server is."""
    _issued: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def base(self) -> str:
        """Address of what is asked."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> str:
        """Address of files: another host name, as with the real ones."""
        return f"http://localhost:{self.port}"

    def requests(self, text: str) -> list[Heard]:
        """Requests whose path or query contains a text."""
        return [one for one in self.heard if text in one.path]

    def fault(self, path: str) -> Fault | None:
        """The fault that is due at a path, used up."""
        with self._lock:
            for one in self.faults:
                if one.where in path and one.times > 0:
                    if one.after > 0:
                        one.after -= 1
                        return None
                    one.times -= 1
                    return one
        return None

    def issue(self) -> str:
        """A new access token."""
        with self._lock:
            self._issued += 1
            token = f"access-{self._issued}"
            self.tokens.add(token)
            return token

    def page_of(
        self, entries: list[Any], number: int, fault: Fault | None
    ) -> tuple[list[Any], bool]:
        """Entries of a page from 0 on, as the fault has it, and whether there is another."""
        there = number
        if fault and fault.what == "repeat":
            there = max(0, number - 1)
        if fault and fault.what == "skip":
            there = number + 1
        first = there * self.page
        return entries[first : first + self.page], (number + 1) * self.page < len(entries)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_told: Any) -> None:
        """Say nothing of a client that hung up."""


@contextmanager
def serving(page: int = 2) -> Iterator[SourceServer]:
    """Yield a server that runs on a free port of this machine."""
    from sen4cap.testing.source_answers import Answers

    class Handler(Answers):
        pass

    server = _Quiet(("127.0.0.1", 0), Handler)
    Handler.held = held = SourceServer(server.server_address[1], page)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
