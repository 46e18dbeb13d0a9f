"""How a source is told who asks: bearer tokens, tokens for a password, signed addresses.

A secret goes only to the hosts it is meant for, never to whatever host a catalogue names, and
never into a text: no `repr` here shows one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from requests import PreparedRequest

from sen4cap.errors import SourceRefused

Ask = Callable[[str, str, Mapping[str, str]], Any]
"""Method, URL, form fields → decoded JSON of the answer; raises as `http.Session.answer`."""
Clock = Callable[[], datetime]
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
EARLY = timedelta(seconds=30)
"""A token is renewed so long before it ends."""


@dataclass(frozen=True)
class Credentials:
    """What identifies the user at a source; empty where the source needs nothing."""

    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must not be seen."""
        return tuple(value for value in (self.password, self.token) if value)


class Auth(Protocol):
    """What makes a request an authorised one."""

    def apply(self, request: PreparedRequest) -> None:
        """Add what authorises the request, where it goes to a host that may have it."""

    def renew(self, status: int) -> bool:
        """After a 401 or 403: forget what was refused; False where asking again is in vain."""

    def check(self) -> None:
        """Find out whether the credentials are accepted, as far as that goes without a file.

        Raises
        ------
        SourceRefused
            If they are missing or refused.
        """


class Nobody:
    """For sources that are open to all."""

    def apply(self, request: PreparedRequest) -> None:
        """Leave the request as it is."""

    def renew(self, _status: int) -> bool:
        """Nothing to renew."""
        return False

    def check(self) -> None:
        """Nothing to check."""


@dataclass(frozen=True)
class Bearer:
    """A token that the user made on the pages of the source."""

    token: str = field(repr=False)
    hosts: tuple[str, ...]
    """Hosts, and all below them, that may have it."""

    def apply(self, request: PreparedRequest) -> None:
        """Add the token."""
        if is_at(request.url, self.hosts):
            request.headers["Authorization"] = f"Bearer {self.token}"

    def renew(self, _status: int) -> bool:
        """Only the user can."""
        return False

    def check(self) -> None:
        """Only a file can tell."""


@dataclass(frozen=True)
class Missing:
    """For a source that needs a token where none is known: what is open stays so."""

    source: str
    hosts: tuple[str, ...]

    def apply(self, request: PreparedRequest) -> None:
        """Refuse what needs the token."""
        if is_at(request.url, self.hosts):
            raise missing(self.source, "a token")

    def renew(self, _status: int) -> bool:
        """Nothing to renew."""
        return False

    def check(self) -> None:
        """Tell that it is missing."""
        raise missing(self.source, "a token")


@dataclass
class PasswordToken:
    """A short-lived token for user and password (OAuth 2.0, RFC 6749 sections 4.3 and 6)."""

    source: str
    url: str
    """Token endpoint."""
    client: str
    credentials: Credentials
    hosts: tuple[str, ...]
    ask: Ask
    now: Clock = lambda: datetime.now(UTC)
    _token: str = field(default="", repr=False)
    _refresh: str = field(default="", repr=False)
    _ends: datetime = NEVER
    _refresh_ends: datetime = NEVER
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def apply(self, request: PreparedRequest) -> None:
        """Add a token that is valid, got or renewed where needed."""
        if is_at(request.url, self.hosts):
            with self._lock:
                if self.now() >= self._ends - EARLY:
                    self._get()
                request.headers["Authorization"] = f"Bearer {self._token}"

    def renew(self, status: int) -> bool:
        """Get another one for the next request; a 403 is no matter of the token's age."""
        with self._lock:
            self._ends = NEVER
        return status == 401

    def check(self) -> None:
        """Get a token."""
        with self._lock:
            self._get()

    def _get(self) -> None:
        if self.now() < self._refresh_ends - EARLY:
            form = {"grant_type": "refresh_token", "refresh_token": self._refresh}
        else:
            form = self._password()
        self._refresh_ends = NEVER
        told = self.ask("POST", self.url, {"client_id": self.client, **form})
        self._token = str(told["access_token"])
        self._refresh = str(told.get("refresh_token", ""))
        self._ends = self.now() + timedelta(seconds=float(told.get("expires_in", 600)))
        lasts = float(told.get("refresh_expires_in", 0)) if self._refresh else 0.0
        self._refresh_ends = self.now() + timedelta(seconds=lasts)

    def _password(self) -> dict[str, str]:
        if not (self.credentials.user and self.credentials.password):
            raise missing(self.source, "user and password")
        return {
            "grant_type": "password",
            "username": self.credentials.user,
            "password": self.credentials.password,
        }


@dataclass
class SignedUrls:
    """Planetary Computer: blobs are read with a short-lived signature of their container."""

    url: str
    """Token endpoint; `/<account>/<container>` is added."""
    hosts: tuple[str, ...]
    """Ends of the hosts of storage accounts, `.blob.core.windows.net`."""
    ask: Ask
    now: Clock = lambda: datetime.now(UTC)
    _known: dict[str, tuple[str, datetime]] = field(default_factory=dict, repr=False)

    def apply(self, request: PreparedRequest) -> None:
        """Put the signature after the address."""
        url = request.url or ""
        parts = urlsplit(url)
        container = self._container(parts.netloc, parts.path)
        if container and "sig=" not in parts.query:
            request.url = f"{url}{'&' if parts.query else '?'}{self._signature(container)}"

    def renew(self, _status: int) -> bool:
        """Get new signatures; one that has ended is answered with 403."""
        self._known.clear()
        return True

    def check(self) -> None:
        """Anybody may ask."""

    def _container(self, host: str, path: str) -> str:
        for end in self.hosts:
            if host.endswith(end):
                return f"{host.removesuffix(end)}/{path.lstrip('/').split('/')[0]}"
        return ""

    def _signature(self, container: str) -> str:
        signature, ends = self._known.get(container, ("", NEVER))
        if self.now() >= ends - EARLY:
            told = self.ask("GET", f"{self.url}/{container}", {})
            signature = str(told["token"])
            self._known[container] = signature, datetime.fromisoformat(told["msft:expiry"])
        return signature


def is_at(url: str | None, hosts: tuple[str, ...]) -> bool:
    """Whether a URL goes to one of some hosts (`host` or `host:port`), or to one below it."""
    parts = urlsplit(url or "")
    host = parts.hostname or ""
    return any(item in {parts.netloc, host} or host.endswith(f".{item}") for item in hosts)


def missing(source: str, what: str) -> SourceRefused:
    """The error of a source that needs credentials that are not there."""
    return SourceRefused(
        f"Source '{source}' needs {what}, and none is known: "
        f"run 'sen4cap source set-secret {source}'."
    )
