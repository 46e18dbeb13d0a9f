"""The ledger: what became of every acquisition, and for every hole why and what would mend it.

One entry stands for a site, a place (tile, path/row, burst), an instant of sensing and a stage. A
stage is named by the type of product that it brings forth: `scene` (a source was asked), `l2a`,
`s1_l2a_amp` … (a scene was fetched), `l3b`, `s4c_mdb1` (it was worked on).

    planned → downloading → downloaded
       ↑           ↓
     failed ←──────┴→ aborted                 ignored, missing: nobody waits for it
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sen4cap.domain.job import Status, StepRecord
from sen4cap.domain.product import ProductType, slot_of

FIRST_WAIT, WAIT_FACTOR, LONGEST_WAIT = timedelta(minutes=1), 8, timedelta(hours=1)
"""How long to wait after a first failure, how much longer after each further one, at most."""
REFUSED = "Refused: "
"""Begins the sentence of a step whose scene cannot be used, however often it is fetched."""
NO_ROOM = "No room: "
"""Begins the sentence of a step that finds too little disk; it costs no try."""


class State(StrEnum):
    """What became of a stage of an acquisition."""

    PLANNED = "planned"
    """Known, and nothing done yet."""
    DOWNLOADING = "downloading"
    DOWNLOADED = "downloaded"
    FAILED = "failed"
    """It is tried again at `next_try`; without one, when somebody says so."""
    ABORTED = "aborted"
    """It is not tried again by itself."""
    IGNORED = "ignored"
    """Left out by a rule or a user."""
    PROCESSED = "processed"
    PROCESSING_FAILED = "processing failed"
    PROCESSING = "processing"
    CLOUDS = "processing failed: clouds"
    MISSING = "missing"
    """The rhythm of the orbit has it, and the source lists none."""


CODES: Mapping[State, int] = {
    State.DOWNLOADING: 1,
    State.DOWNLOADED: 2,
    State.FAILED: 3,
    State.ABORTED: 4,
    State.IGNORED: 41,
    State.PROCESSED: 5,
    State.PROCESSING_FAILED: 6,
    State.PROCESSING: 7,
    State.CLOUDS: 8,
}
"""Numbers of the original's `downloader_history.status_id`; it has none for the others."""

DONE = frozenset({State.DOWNLOADED, State.PROCESSED})
HOLES = frozenset(
    {State.FAILED, State.ABORTED, State.IGNORED, State.PROCESSING_FAILED, State.CLOUDS}
    | {State.MISSING}
)
"""States of what is not there and may never come by itself."""
GIVEN_UP = frozenset({State.ABORTED, State.IGNORED})
"""States of what nobody waits for."""

Key = tuple[str, ProductType, str, datetime]
"""Site, stage, place and instant."""


@dataclass(frozen=True)
class Entry:
    """One stage of one acquisition."""

    site: str
    """Short name."""
    stage: ProductType
    """What it brings forth; `scene`: a sensor's source was asked."""
    place: str
    """Tile, path/row, burst; of the stage `scene`, the sensor."""
    time: datetime
    """Sensing start, UTC; of the stage `scene`, the first instant that was asked for."""
    state: State = State.PLANNED
    reason: str = ""
    """Why there is a hole, in one sentence."""
    tries: int = 0
    """At the present source."""
    next_try: datetime | None = None
    since: datetime | None = None
    """When it came to its state, UTC."""
    product: str = ""
    """Name of the scene or product that it is about."""
    source: str = ""
    """Where the scene lies."""
    fallen_back: bool = False
    """Whether the fallback has had, or has, its turn."""
    job: int | None = None
    """The job that did, or does, something about it."""
    run: str = ""
    """The run of a step that was counted last: job and attempt, `12.1`."""
    season: str = ""
    """Name of the season for which it is wanted."""

    @property
    def key(self) -> Key:
        """What there is one entry of."""
        return self.site, self.stage, self.place, self.time

    @property
    def slot(self) -> str:
        """Slot of the product of an acquisition that belongs to no season."""
        return slot_of(self.site, self.stage, self.place, self.time, self.time)

    @property
    def is_hole(self) -> bool:
        """Whether something is not there and may never come by itself."""
        return self.state in HOLES

    @property
    def mend(self) -> str:
        """The command that would mend a hole; empty where there is none."""
        if not self.is_hole:
            return ""
        if self.state in {State.PROCESSING_FAILED, State.CLOUDS}:
            return f"sen4cap job retry {self.job}" if self.job is not None else ""
        if self.stage is ProductType.SCENE:
            return f"sen4cap source test {self.source}" if self.source else ""
        if self.state is State.MISSING:
            return f"sen4cap source fetch {self.site}"
        words = ["sen4cap", "ledger", "fix", self.site, self.place, f"{self.time:%Y-%m-%d}"]
        return shlex.join([*words, "--retry"])


def is_due(entry: Entry, now: datetime) -> bool:
    """Whether a scene is to be fetched now."""
    if entry.state is State.FAILED:
        return entry.next_try is not None and entry.next_try <= now
    return entry.state is State.PLANNED and (entry.next_try is None or entry.next_try <= now)


def planned(entry: Entry, now: datetime, product: str, source: str) -> Entry:
    """A scene that is new, or newer than the one before: everything starts again."""
    return replace(
        entry,
        state=State.PLANNED,
        reason="",
        tries=0,
        next_try=None,
        since=now,
        product=product,
        source=source,
        fallen_back=False,
        job=None,
    )


def begun(entry: Entry, now: datetime, job: int) -> Entry:
    """A scene that is being fetched."""
    if entry.state is State.DOWNLOADING and entry.job == job:
        return entry
    return replace(entry, state=State.DOWNLOADING, reason="", next_try=None, since=now, job=job)


def downloaded(entry: Entry, now: datetime) -> Entry:
    """A scene whose product is there."""
    if entry.state is State.DOWNLOADED:
        return entry
    return replace(entry, state=State.DOWNLOADED, reason="", next_try=None, since=now)


def waiting(entry: Entry, now: datetime, reason: str = "", until: datetime | None = None) -> Entry:
    """A scene that was not begun, or not ended, through no fault of its own."""
    if (entry.state, entry.reason, entry.next_try) == (State.PLANNED, reason, until):
        return entry
    return replace(entry, state=State.PLANNED, reason=reason, next_try=until, since=now)


def failed(entry: Entry, now: datetime, reason: str, most: int, fallback: str = "") -> Entry:
    """A scene that could not be fetched: tried again later, then from the fallback, then never.

    `most` is how often one source is tried; the fallback is tried once. An entry whose fallback
    has its turn bears the fallback's name, and is due at once.
    """
    if reason.startswith(REFUSED):
        return aborted(entry, now, reason)
    if reason.startswith(NO_ROOM):
        return waiting(entry, now, reason, now + LONGEST_WAIT)
    tries = entry.tries + 1
    again = replace(entry, state=State.FAILED, reason=reason, tries=tries, since=now)
    if tries < most and not entry.fallen_back:
        return replace(again, next_try=now + wait_after(tries))
    if fallback and not entry.fallen_back and fallback != entry.source:
        return replace(again, source=fallback, tries=0, fallen_back=True, next_try=now)
    return replace(again, state=State.ABORTED, next_try=None)


def stopped(entry: Entry, now: datetime, reason: str) -> Entry:
    """A scene whose job was cancelled: it waits for a word."""
    return replace(entry, state=State.FAILED, reason=reason, next_try=None, since=now)


def aborted(entry: Entry, now: datetime, reason: str) -> Entry:
    """A scene that is not tried again by itself."""
    tries = entry.tries + 1
    return replace(entry, state=State.ABORTED, reason=reason, tries=tries, next_try=None, since=now)


def ignored(entry: Entry, now: datetime, reason: str) -> Entry:
    """A scene that is left out."""
    return replace(entry, state=State.IGNORED, reason=reason, next_try=None, since=now)


def retried(entry: Entry, now: datetime) -> Entry:
    """A hole that is tried again at once, as if never tried before."""
    return planned(entry, now, entry.product, entry.source)


def unanswered(entry: Entry, now: datetime, reason: str) -> Entry:
    """A source that could not be asked; it is asked again however often that was."""
    tries = entry.tries + 1
    return replace(
        entry,
        state=State.FAILED,
        reason=reason,
        tries=tries,
        next_try=now + wait_after(tries),
        since=now,
    )


def wait_after(tries: int) -> timedelta:
    """How long to wait after so many failures: 1 minute, 8 minutes, then an hour.

    Source: the original's retry of failed downloads, with a wait that grows.
    """
    longer: int = WAIT_FACTOR ** min(tries - 1, WAIT_FACTOR)
    return min(FIRST_WAIT * longer, LONGEST_WAIT)


def after_step(
    entry: Entry, step: StepRecord, now: datetime, most: int, fallback: str = "", told: str = ""
) -> Entry:
    """A scene whose product is not there, as the newest step for it tells; each run counts once.

    `told` says why the job was cancelled as a whole, if it was.
    """
    run = f"{step.job_id}.{step.attempt}"
    if step.status is Status.RUNNING:
        return begun(entry, now, step.job_id)
    if step.status in {Status.ACCEPTED, Status.PAUSED}:
        return replace(waiting(entry, now, f"It waits in job {step.job_id}."), job=step.job_id)
    if entry.run == run:
        return entry
    counted = replace(entry, run=run, job=step.job_id)
    if step.status is Status.FAILED:
        return failed(counted, now, step.reason, most, fallback)
    if told:
        return stopped(counted, now, told)
    return waiting(replace(counted, job=None), now)


def worked_on(entry: Entry, now: datetime, state: State, reason: str, job: int | None) -> Entry:
    """A stage of processing as steps and products tell it; unchanged where they tell the same."""
    if (entry.state, entry.reason, entry.job) == (state, reason, job):
        return entry
    return replace(entry, state=state, reason=reason, job=job, since=now)
