"""Triggered work: new products lead to what is made from them, without anyone asking.

A product that was committed waits among the arrivals until its jobs are there, so that none is
missed whatever dies in between. What is planned or stands already is not asked for again, nor is
what failed too often.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from sen4cap.app.jobs import add
from sen4cap.app.planning import draft, unasked
from sen4cap.app.system import System
from sen4cap.domain import Job, Product, Season, StartType
from sen4cap.errors import NoInput, NotFound, Sen4capError, ServiceUnavailable
from sen4cap.processing import Processor, processors


@dataclass(frozen=True)
class Triggers:
    """What new products lead to."""

    system: System

    def pull(self) -> list[Job]:
        """Submit the jobs that the arrivals lead to; returns them."""
        arrived = self.system.store.arrivals.all()
        jobs = [
            job
            for chosen, season in self._wanted(arrived)
            if (job := self._submit(chosen, season)) is not None
        ]
        self.system.store.arrivals.settle([product.name for product in arrived])
        return jobs

    def _wanted(self, arrived: Sequence[Product]) -> Iterator[tuple[Processor, Season]]:
        """Processors and the enabled seasons in which they have something new."""
        for site in sorted({product.site for product in arrived}):
            zone = self.system.store.sites.get(site).zone
            mine = [product for product in arrived if product.site == site]
            for season in self.system.store.seasons.all(site):
                inside = [item for item in mine if season.contains(item.start, zone)]
                for chosen in processors().values():
                    if season.enabled and any(item.type in chosen.triggered_by for item in inside):
                        yield chosen, season

    def _submit(self, chosen: Processor, season: Season) -> Job | None:
        """The job for what is new; None where there is nothing, or it cannot be planned yet."""
        log = structlog.get_logger(__name__).bind(
            processor=chosen.id, site=season.site, season=season.name
        )
        try:
            drafted = draft(self.system, chosen.id, season.site, season.name)
        except ServiceUnavailable:
            raise
        except (NoInput, NotFound) as error:
            log.info("not triggered", reason=str(error))
            return None
        except Sen4capError as error:
            log.warning("not triggered", reason=str(error))
            return None
        new = unasked(self.system, drafted)
        if new.left_out:
            log.warning("left out", reason=new.left_out)
        return add(self.system, new, why=StartType.TRIGGERED) if new.plan.steps else None
