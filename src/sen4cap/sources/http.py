"""Asking a server and asking again: time limits, back-off, renewed tokens, and plain sentences.

One session is used by all sources and handed to the libraries that take one (pystac-client,
asf_search), so that waiting, giving up and explaining are the same everywhere. 429 and 5xx are
asked again with growing pauses, `Retry-After` is honoured (RFC 9110 section 10.2.3, seconds or
date), a 401 renews the token once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from sen4cap.errors import ServiceUnavailable, SourceRefused
from sen4cap.sources.auth import Auth, Nobody

BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which the same question may be answered a moment later."""
TOLD = 200
"""Characters of a server's own words that are passed on."""
CLOCK_ERROR = 300
"""Seconds by which a clock may be wrong before signatures and tokens are refused."""


@dataclass(frozen=True)
class Policy:
    """How patient to be; `sleep` and `now` are what tests replace."""

    attempts: int = 5
    first_pause: float = 1.0
    """Seconds; doubled each time."""
    longest_pause: float = 120.0
    """Seconds; a server that asks for more is left to the next run."""
    timeout: float = 60.0
    """Seconds to connect, and to wait for each piece of an answer."""
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class Session(requests.Session):
    """A session that waits, renews and explains; for one source."""

    def __init__(
        self,
        source: str,
        policy: Policy | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.source = source
        self.policy = policy or Policy()
        self.authority: Auth = Nobody()
        self.trust_env = False
        self.proxies.update(proxies or {})
        self.headers["User-Agent"] = "sen4cap"
        self.clock_error = 0.0
        """Seconds by which this machine is ahead of the last server that told the time."""
        self.moved: dict[str, str] = {}
        """Beginning of URLs that a library builds → what stands there instead."""
        self.heard: Callable[[requests.Response], None] | None = None
        """Told every answer, for a record."""
        for scheme in ("http://", "https://"):
            self.mount(scheme, HTTPAdapter(max_retries=0))

    def answer(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        """The answer to a request, once it is a good one.

        Raises
        ------
        SourceRefused
            If it is refused for good, or only after a longer wait than the policy allows.
        ServiceUnavailable
            If no good answer came in as many attempts as the policy allows.
        """
        return checked(self.source, self.request(method, url, **kwargs))

    def post(
        self, url: Any, data: Any = None, json: Any = None, **kwargs: Any
    ) -> requests.Response:
        """The good answer to a question, for libraries that post one; see `answer`.

        Raises
        ------
        SourceRefused, ServiceUnavailable
            As `answer`.
        """
        return self.answer("POST", url, data=data, json=json, **kwargs)

    def json(self, method: str, url: str, **kwargs: Any) -> Any:
        """The JSON of an answer, see `answer`; no JSON is no answer.

        Raises
        ------
        SourceRefused, ServiceUnavailable
            As `answer`.
        """
        response = self.answer(method, url, **kwargs)
        try:
            return response.json()
        except requests.JSONDecodeError as error:
            raise ServiceUnavailable(
                f"Source '{self.source}' ({_host(url)}) answered with something that is no JSON: "
                "check its endpoint, or try again later."
            ) from error

    def form(self, method: str, url: str, fields: Mapping[str, str]) -> Any:
        """The JSON of an answer to form fields, asked without authorisation; see `json`.

        Raises
        ------
        SourceRefused, ServiceUnavailable
            As `answer`.
        """
        other = Session(self.source, self.policy, dict(self.proxies))
        other.heard = self.heard
        return other.json(method, url, data=dict(fields) or None)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send, wait and send again; the last answer, whatever its status.

        Raises
        ------
        ServiceUnavailable
            If no answer came at all in as many attempts as the policy allows.
        SourceRefused
            If the server asks for a longer wait than the policy allows.
        """
        kwargs["timeout"] = self.policy.timeout
        self._move(request)
        for attempt in range(1, self.policy.attempts):
            response, _failure = self._try(request, kwargs)
            if response is not None and response.status_code not in BUSY:
                return response
            self._pause(attempt, response)
        response, failure = self._try(request, kwargs)
        if response is None:
            raise self._silent(request, failure)
        return response

    def _move(self, request: requests.PreparedRequest) -> None:
        for begins, instead in self.moved.items():
            if (request.url or "").startswith(begins):
                request.url = instead + (request.url or "").removeprefix(begins)
                request.headers.pop("Host", None)

    def _try(
        self, request: requests.PreparedRequest, kwargs: Mapping[str, Any]
    ) -> tuple[requests.Response | None, requests.RequestException | None]:
        """The answer or why there is none; where a token was too old, that with a new one."""
        response, failure = self._once(request, kwargs)
        if response is None or response.status_code not in {401, 403}:
            return response, failure
        if not self.authority.renew(response.status_code):
            return response, failure
        response.close()
        return self._once(request, kwargs)

    def _once(
        self, request: requests.PreparedRequest, kwargs: Mapping[str, Any]
    ) -> tuple[requests.Response | None, requests.RequestException | None]:
        authorised = request.copy()
        self.authority.apply(authorised)
        try:
            response = super().send(authorised, **kwargs)
        except requests.exceptions.SSLError as error:
            raise _no_trust(self.source, request, error) from error
        except requests.RequestException as error:
            return None, error
        if told := _date(response.headers.get("Date", "")):
            self.clock_error = (self.policy.now() - told).total_seconds()
        if self.heard is not None:
            self.heard(response)
        return response, None

    def _pause(self, attempt: int, response: requests.Response | None) -> None:
        told = None
        if response is not None:
            told = wait_of(response.headers.get("Retry-After", ""), self.policy.now())
            response.close()
        pause = self.policy.first_pause * 2 ** (attempt - 1) if told is None else told
        if told is not None and told > self.policy.longest_pause:
            raise SourceRefused(
                f"Source '{self.source}' asks to wait {told:.0f} s, its quota is used up: "
                "the next run tries again, or use another source."
            )
        self.policy.sleep(min(pause, self.policy.longest_pause))

    def _silent(
        self, request: requests.PreparedRequest, failure: requests.RequestException | None
    ) -> ServiceUnavailable:
        error = ServiceUnavailable(
            f"Source '{self.source}' ({_host(request.url)}) gave no answer in "
            f"{self.policy.attempts} attempts ({type(failure).__name__}): "
            "check the network, or try again later."
        )
        error.__cause__ = failure
        return error


def checked(source: str, response: requests.Response) -> requests.Response:
    """The answer of a source if it is a good one.

    Raises
    ------
    SourceRefused
        If it is refused: credentials, quota, or nothing is there.
    ServiceUnavailable
        If the server fails.
    """
    status, host = response.status_code, _host(response.url)
    if status < 400:
        return response
    if status in {401, 403}:
        raise SourceRefused(
            f"Source '{source}' ({host}) refuses the credentials or the right to read ({status}): "
            f"check them with 'sen4cap source set-secret {source}', and the account's terms."
        )
    if status in {404, 410}:
        raise SourceRefused(
            f"Source '{source}' ({host}) does not hold '{urlsplit(response.url).path}' any more "
            f"({status}): ask again what it holds, or use another source."
        )
    if status in BUSY:
        raise ServiceUnavailable(
            f"Source '{source}' ({host}) fails or is busy ({status}): try again later."
        )
    words = " ".join(response.text[:TOLD].split())
    raise SourceRefused(
        f"Source '{source}' ({host}) does not accept the question ({status}: {words}): "
        "check its endpoint and the site's outline."
    )


def wait_of(text: str, now: datetime) -> float | None:
    """Seconds that a `Retry-After` asks for, from seconds or a date; None where it says nothing."""
    if text.strip().isdigit():
        return float(text)
    until = _date(text)
    return None if until is None else max(0.0, (until - now).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _host(url: str | None) -> str:
    return urlsplit(url or "").netloc


def _no_trust(
    source: str, request: requests.PreparedRequest, error: Exception
) -> ServiceUnavailable:
    when = "not yet valid" in str(error) or "expired" in str(error)
    advice = "check the clock of this machine" if when else "check the certificates of this machine"
    return ServiceUnavailable(
        f"The certificate of source '{source}' ({_host(request.url)}) is not trusted: {advice}, "
        "or a proxy in between."
    )
