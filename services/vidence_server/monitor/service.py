"""Watches a source for as long as it lasts, whatever becomes of the bus, the disk or the camera."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from vidence_server.core.clock import Clock
from vidence_server.core.errors import DomainError, Reason
from vidence_server.core.ids import IdFactory
from vidence_server.monitor.domain.appearances import (
    LeaveReason,
    PersonAppeared,
    PersonChange,
    PersonIdentified,
    PersonLeft,
    Sight,
    Snapshot,
)
from vidence_server.monitor.domain.tracker import Appeared, Identified, Left, Look, Sighting, Tracker
from vidence_server.monitor.ports import Faces, Gallery, Journal, OpenSource, SnapshotStore
from vidence_server.monitor.reader import Frame, FrameReader, ReaderCounts, SourceFailedError
from vidence_server.monitor.settings import MonitorSettings
from vidence_server.monitor.statistics import MonitorStatistics
from vidence_server.vision.faces.embedding import similarity
from vidence_server.vision.faces.face import Face, Template


@dataclass(frozen=True, slots=True)
class Source:
    """What is watched."""

    open: OpenSource
    live: bool
    """Whether it is opened again when it ends."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Who does what watching does not do itself."""

    faces: Faces
    gallery: Gallery
    snapshots: SnapshotStore
    journal: Journal
    clock: Clock
    ids: IdFactory
    random: Callable[[], float]
    """Numbers in [0, 1), for jitter."""


@dataclass(frozen=True, slots=True)
class _Person:
    """An appearance that is open."""

    appearance_id: str
    first_seen: datetime
    snapshot: Snapshot | None = None


class Monitor:
    """Watches one source in one task, from `run` to its end."""

    def __init__(self, source: Source, around: Surroundings, settings: MonitorSettings) -> None:
        self._source = source
        self._around = around
        self._settings = settings
        self._tracker: Tracker[Template] = Tracker(settings.rules, similarity)
        self._people: dict[int, _Person] = {}
        self._counts = ReaderCounts()
        self._log = structlog.get_logger(__name__)
        self._last_s = around.clock.monotonic()
        self._last_at_s = 0.0
        self._last_time = around.clock.now()
        self._position_s: float | None = None
        self._open = False
        self._failures = self._source_failures = 0
        self._analysed = self._failed = 0
        self._analysis_s = 0.0
        self._told = {PersonAppeared: 0, PersonIdentified: 0, PersonLeft: 0}
        self._said = ""

    async def run(self) -> None:
        """Watches until a file ends, or for ever; a cancellation ends the appearances as STOPPED.

        Raises:
            DomainError: CONFIGURATION_INVALID, when a file cannot be read.
        """
        try:
            while True:
                try:
                    await self._watch()
                except SourceFailedError as error:
                    self._must_be_live()
                    self._note_failure(str(error))
                else:
                    if not self._source.live:
                        self._must_have_shown_something()
                        self._finish(LeaveReason.SOURCE_ENDED)
                        return
                    self._note_failure("ended")
                await self._back_off()
        finally:
            self._open = False
            self._finish(LeaveReason.STOPPED)

    def statistics(self) -> MonitorStatistics:
        """The numbers as they are now."""
        return MonitorStatistics(
            source_open=int(self._open),
            source_failures=self._source_failures,
            last_frame_age_s=self._around.clock.monotonic() - self._last_s,
            frames_read=self._counts.read,
            frames_skipped=self._counts.skipped,
            frames_dropped=self._counts.dropped,
            frames_unreadable=self._counts.unreadable,
            frames_analysed=self._analysed,
            frames_failed=self._failed,
            analysis_s_sum=self._analysis_s,
            present=len(self._people),
            appeared=self._told[PersonAppeared],
            identified=self._told[PersonIdentified],
            left=self._told[PersonLeft],
        )

    async def _watch(self) -> None:
        """Opens the source and looks at its frames until it has no more."""
        reader = FrameReader(
            self._source.open, self._settings.pace, clock=self._around.clock, counts=self._counts
        )
        try:
            async with reader:
                while (frame := await reader.next(self._settings.stall_s)) is not None:
                    if not self._open:
                        self._open = True
                        self._log.info("watching", after_failures=self._failures)
                    self._failures = 0
                    await self._look_at(frame)
        finally:
            self._open = False

    async def _look_at(self, frame: Frame) -> None:
        started_s = self._around.clock.monotonic()
        self._last_at_s, self._last_time, self._position_s = frame.at_s, frame.time, frame.position_s
        try:
            seen = await self._seen(frame)
        except DomainError as error:
            if error.reason is Reason.DRAINING:
                raise
            self._failed += 1
            self._say(str(error.reason))
            return
        faces, sightings = seen
        self._say("")
        for change in self._tracker.observe(sightings, frame.at_s):
            match change:
                case Appeared():
                    await self._appeared(change, faces[change.index], frame)
                case Identified():
                    await self._identified(change, frame)
                case Left():
                    self._left(change)
        for key, at_s in self._tracker.seen().items():
            self._around.journal.seen(self._people[key].appearance_id, self._time_of(at_s))
        self._analysed += 1
        self._last_s = self._around.clock.monotonic()
        self._analysis_s += self._last_s - started_s

    async def _seen(self, frame: Frame) -> tuple[Sequence[Face], list[Sighting[Template]]]:
        """The faces of a frame, those that need it looked at closely."""
        least = self._settings.min_face_px
        faces = [face for face in await self._around.faces.detect(frame.pixels) if face.box.width >= least]
        wanted = [
            index
            for index in self._tracker.wanted([face.box for face in faces], frame.at_s)
            if faces[index].inter_eye_px >= self._settings.min_inter_eye_px
        ]
        looks: dict[int, Look[Template]] = {}
        if wanted:
            templates = await self._around.faces.embed(frame.pixels, [faces[index] for index in wanted])
            for index, template in zip(wanted, templates, strict=True):
                found = await self._around.gallery.identify(template)
                looks[index] = (
                    Look(template) if found is None else Look(template, found.name, found.similarity)
                )
        return faces, [Sighting(face.box, looks.get(index)) for index, face in enumerate(faces)]

    async def _appeared(self, change: Appeared, face: Face, frame: Frame) -> None:
        height, width = frame.pixels.shape[:2]
        sight = Sight(face.box, face.confidence, width, height)
        person = _Person(self._around.ids.new("apr"), self._time_of(change.first_seen_s))
        self._people[change.key] = person
        snapshot = await self._around.snapshots.keep(frame.pixels, sight)
        self._people[change.key] = replace(person, snapshot=snapshot)
        self._tell(
            PersonAppeared(
                person.appearance_id,
                self._settings.name,
                frame.time,
                person.first_seen,
                frame.position_s,
                sight,
                snapshot,
            )
        )

    async def _identified(self, change: Identified, frame: Frame) -> None:
        person = self._people[change.key]
        # First: after a crash no picture is left that is known to be somebody's and not found as such.
        if person.snapshot and not await self._around.snapshots.name(person.snapshot, change.name):
            return
        self._tell(
            PersonIdentified(
                person.appearance_id,
                self._settings.name,
                frame.time,
                frame.position_s,
                change.name,
                change.similarity,
                self._around.gallery.threshold,
                self._around.faces.model,
            )
        )

    def _left(self, change: Left) -> None:
        person = self._people.pop(change.key)
        self._tell(
            PersonLeft(
                person.appearance_id,
                self._settings.name,
                self._around.clock.now() if self._source.live else self._last_time,
                self._position_s,
                change.reason,
                person.first_seen,
                max(person.first_seen, self._time_of(change.last_seen_s)),
            )
        )

    def _finish(self, reason: LeaveReason) -> None:
        for change in self._tracker.finish(reason):
            self._left(change)

    def _tell(self, change: PersonChange) -> None:
        self._told[type(change)] += 1
        self._around.journal.record(change)

    def _time_of(self, at_s: float) -> datetime:
        """When something happened, told by its distance from the newest frame."""
        return self._last_time - timedelta(seconds=max(0.0, self._last_at_s - at_s))

    async def _back_off(self) -> None:
        """Waits before the source is opened again; people whom nobody can see meanwhile are let go."""
        delay_s = self._settings.back_off.delay_s(self._failures, self._around.random())
        silent_s = self._around.clock.monotonic() - self._last_s
        until_lost_s = max(0.0, self._settings.leave_s - silent_s)
        if until_lost_s < delay_s:
            await asyncio.sleep(until_lost_s)
            self._finish(LeaveReason.SOURCE_LOST)
        await asyncio.sleep(max(0.0, delay_s - until_lost_s) if until_lost_s < delay_s else delay_s)

    def _must_be_live(self) -> None:
        if not self._source.live:
            raise DomainError(Reason.CONFIGURATION_INVALID, "The file is no video that can be read.")

    def _must_have_shown_something(self) -> None:
        if not self._counts.read:
            self._must_be_live()

    def _note_failure(self, what: str) -> None:
        self._failures += 1
        self._source_failures += 1
        if self._failures == 1:
            self._log.warning("the source gives no pictures", why=what)

    def _say(self, reason: str) -> None:
        """Logs why frames cannot be looked at, once for each reason in a row."""
        if reason != self._said:
            self._said = reason
            if reason:
                self._log.warning("frames cannot be looked at", reason=reason)
