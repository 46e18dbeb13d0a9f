"""The service that acquires: asks at its interval, hands in what is due between, places parcels."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sen4cap.app import acquiring, config, jobs
from sen4cap.app.desk import SystemDesk
from sen4cap.app.schedules import add
from sen4cap.app.settling import settle
from sen4cap.domain.ledger import State, ignored
from sen4cap.domain.schedule import Repeat, Schedule
from sen4cap.engine.scheduler import Verdict
from sen4cap.testing.acquiring import SEASON, SITE, Farm, farm, scene
from sen4cap.testing.source import opened_from


def acquirer(here: Farm) -> acquiring.Acquirer:
    return acquiring.Acquirer(here.system, opened_from(here.sources), lambda: here.now)


def questions(here: Farm) -> int:
    return len([call for call in here.sources[0].calls if call == "query page 0"])


def test_it_asks_at_its_interval_and_hands_in_what_is_due_between(tmp_path: Path) -> None:
    with farm(tmp_path, {"downloader.interval": "30"}, in_memory=True) as here:
        site = here.system.store.sites.get(SITE)
        here.offer(0, scene(0))
        service = acquirer(here)
        [job] = service.attend(site).jobs
        assert service.attend(site).jobs == ()
        assert questions(here) == 1
        here.now += timedelta(minutes=30)
        here.offer(0, scene(1))
        [second] = service.attend(site).jobs
        assert questions(here) == 2
        assert job.id != second.id
        assert here.entries()[0].reason == f"It waits in job {job.id}."


def test_a_site_without_source_is_left_alone(tmp_path: Path) -> None:
    with farm(tmp_path, {"source.s2.primary": ""}, in_memory=True) as here:
        here.offer(0, scene(0))
        site = here.system.store.sites.get(SITE)
        assert acquirer(here).attend(site) == acquiring.Cycle()
        assert here.sources[0].calls == []
        config.set_value(here.system, "source.s2.primary", "one", SITE)
        assert acquirer(here).attend(site).found == 1


def test_a_source_that_did_not_answer_is_asked_again_before_its_interval(tmp_path: Path) -> None:
    with farm(tmp_path, in_memory=True) as here:
        site = here.system.store.sites.get(SITE)
        here.offer(0, scene(0))
        here.sources[0].is_down = True
        service = acquirer(here)
        service.attend(site)
        here.sources[0].is_down = False
        assert service.attend(site).found == 0
        here.now += timedelta(minutes=1)
        assert service.attend(site).found == 1


def test_a_schedule_waits_for_scenes_unless_they_are_given_up(tmp_path: Path) -> None:
    with farm(tmp_path, in_memory=True) as here:
        for number in range(2):
            here.offer(0, scene(number))
        [job] = acquirer(here).attend(here.system.store.sites.get(SITE)).jobs
        first = here.system.store.seasons.get(SITE, SEASON).start
        schedule = add(here.system, Schedule("s", "l3b", SITE, SEASON, Repeat.ONCE, first))
        desk, day = SystemDesk(here.system), here.now.date()
        answer = desk.answer(schedule, day)
        assert answer.verdict is Verdict.WAIT
        assert "2 of 2 'l2a' to be made, first 31UES of 2019-05-03" in answer.reason
        jobs.cancel(here.system, job.id or 0)
        settle(here.system, SITE, here.now)
        left_out = [ignored(entry, here.now, "So.") for entry in here.entries()[:1]]
        here.system.store.ledger.write(left_out)
        assert "1 of 2 'l2a' to be made, first 31UES of 2019-05-13" in (
            desk.answer(schedule, day).reason
        )
        assert [entry.state for entry in here.entries()] == [State.IGNORED, State.FAILED]
