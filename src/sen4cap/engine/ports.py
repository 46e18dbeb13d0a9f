"""What the engine needs of a store. Every call is one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from sen4cap.domain import Job, Product, Service, Status, StepRecord
from sen4cap.domain.operations import Claim, Closed


class Steps(Protocol):
    """Steps of jobs: who may run which, and what came of it."""

    def of(self, job: int) -> list[StepRecord]:
        """The steps of a job by position."""

    def get(self, number: int) -> StepRecord:
        """The step of a number; `NotFound` where there is none."""

    def counts(self, jobs: Sequence[int]) -> dict[int, dict[Status, int]]:
        """How many steps of each status jobs have."""

    def history(self, number: int) -> list[tuple[Status, datetime]]:
        """Each status a step had and the instant it came to it, oldest first."""

    def pending(self, site: str, season: str, processor: str) -> set[tuple[str, str]]:
        """Slots and revisions that open jobs of a processor are going to make."""

    def claim(self, claim: Claim) -> list[tuple[Job, StepRecord]]:
        """Lease the next steps, by the priority and number of their job and by position.

        Those of accepted and running jobs only, that wait for no other, and for which their
        processor's pool has room. The job of a first step is running from then on.
        """

    def renew(self, leases: Iterable[str], until: datetime) -> None:
        """Prolong leases; those that are no longer good stay so."""

    def leases(self, owner: str) -> set[str]:
        """The leases that an owner still has: pausing and cancelling take them away."""

    def take_back(self, now: datetime) -> list[StepRecord]:
        """Steps whose lease ran out or whose owner is gone; they are accepted again."""

    def commit(self, closed: Sequence[Closed], at: datetime) -> set[str]:
        """Keep what runs came to, products and all; returns the leases that were still good.

        Nothing is kept of a run without a good lease. A step whose product is refused fails. A
        job ends with its last step; the steps that wait for one that failed are dismissed.
        """

    def turn(
        self, closed: Sequence[Closed], at: datetime, claim: Claim
    ) -> list[tuple[Job, StepRecord]]:
        """`commit` what runs came to, then `claim`, in one transaction; returns what is leased."""


class Services(Protocol):
    """Processes of the system that run for long."""

    def register(self, service: Service, *, alone: bool = False) -> None:
        """Add a service; with `alone`, `Conflict` where one of that name is heard of."""

    def beat(self, token: str, now: datetime) -> bool:
        """Tell that a service is alive; False where it was removed meanwhile."""

    def leave(self, token: str) -> None:
        """Remove a service; its leases are no longer good."""

    def all(self) -> list[Service]:
        """All services, silent ones too, by name and start."""


class Products(Protocol):
    """What steps read."""

    def named(self, names: Sequence[str]) -> list[Product]:
        """The products of some names, in their order; `NotFound` where one is missing."""

    def current(self, slot: str) -> Product | None:
        """The product that stands in a slot; None where none does."""


class Queue(Protocol):
    """The store, as the orchestrator sees it."""

    @property
    def steps(self) -> Steps:
        """Steps of jobs."""

    @property
    def services(self) -> Services:
        """Processes of the system."""

    @property
    def products(self) -> Products:
        """What steps read."""
