"""Which faces of many frames are one person's, and when that person has come and gone.

Pure: boxes, looks and times go in, changes come out. A face is followed from frame to frame by its place; one
that was out of sight is known again by its look only, for somebody else may stand in the same place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Generic, TypeAlias, TypeVar

from vidence_server.monitor.domain.appearances import LeaveReason
from vidence_server.monitor.domain.places import nearest_pairs
from vidence_server.monitor.domain.rules import TrackerRules
from vidence_server.vision.faces.face import Box

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look(Generic[T]):
    """What a face looks like."""

    template: T
    name: str = ""
    """Whom it is like enough; empty: nobody known."""
    similarity: float = 0.0
    """To that person."""


@dataclass(frozen=True, slots=True)
class Sighting(Generic[T]):
    """A face in a frame."""

    box: Box
    look: Look[T] | None = None
    """None: not looked at, or too small for it."""


@dataclass(frozen=True, slots=True)
class Appeared:
    """Somebody is there."""

    key: int
    index: int
    """Of the sighting."""
    first_seen_s: float


@dataclass(frozen=True, slots=True)
class Identified:
    """Somebody is known."""

    key: int
    name: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Left:
    """Somebody is gone."""

    key: int
    first_seen_s: float
    last_seen_s: float
    reason: LeaveReason


Change: TypeAlias = Appeared | Identified | Left


@dataclass(slots=True, eq=False)
class _Track(Generic[T]):
    """A person while followed."""

    key: int
    box: Box
    born_s: float
    seen_s: float
    sure_s: float
    """When a look last agreed that it is the same person, or the last sight where nobody could look."""
    frames: int = 0
    present: bool = False
    template: T | None = None
    looked_s: float = -inf
    looks: int = 0
    strikes: int = 0
    votes: dict[str, int] = field(default_factory=dict)
    named: bool = False


class Tracker(Generic[T]):
    """Follows everybody in one view.

    Args:
        rules: When somebody counts as there, as gone, as known.
        alike: Similarity of two templates, -1 to 1.
    """

    def __init__(self, rules: TrackerRules, alike: Callable[[T, T], float]) -> None:
        self._rules = rules
        self._alike = alike
        self._tracks: list[_Track[T]] = []
        self._next_key = 1

    @property
    def present(self) -> tuple[int, ...]:
        """Keys of those who are there now, in the order of their coming."""
        return tuple(track.key for track in self._tracks if track.present)

    def seen(self) -> Mapping[int, float]:
        """When each of those was last seen."""
        return {track.key: track.seen_s for track in self._tracks if track.present}

    def wanted(self, boxes: Sequence[Box], now_s: float) -> tuple[int, ...]:
        """Which faces of the next frame should be looked at closely: new, unknown and doubtful ones."""
        placed = self._by_place(boxes, self._recent(now_s))
        return tuple(
            index
            for index in range(len(boxes))
            if index not in placed or self._wants_look(placed[index], now_s)
        )

    def observe(self, sightings: Sequence[Sighting[T]], now_s: float) -> tuple[Change, ...]:
        """Takes a frame.

        Args:
            sightings: All faces of the frame.
            now_s: When it was taken; never falls.

        Returns:
            What changed, in order: who left, then who came or became known.
        """
        changes: list[Change] = list(self._leaving(now_s))
        matched = self._by_place([one.box for one in sightings], self._recent(now_s))
        changes += self._doubted(sightings, matched)
        self._known_again(sightings, matched)
        for index, sighting in enumerate(sightings):
            track = matched.get(index) or self._new(sighting.box, now_s)
            changes += self._take(track, index, sighting, now_s)
        return tuple(changes)

    def finish(self, reason: LeaveReason) -> tuple[Left, ...]:
        """Ends everything; who is there leaves, last seen when they were."""
        tracks, self._tracks = self._tracks, []
        return tuple(_left(track, reason) for track in tracks if track.present)

    def _recent(self, now_s: float) -> list[_Track[T]]:
        return [track for track in self._tracks if now_s - track.seen_s <= self._rules.follow_s]

    def _by_place(self, boxes: Sequence[Box], tracks: Sequence[_Track[T]]) -> dict[int, _Track[T]]:
        pairs = nearest_pairs(boxes, [track.box for track in tracks], self._rules.max_shift)
        return {index: tracks[other] for index, other in pairs}

    def _wants_look(self, track: _Track[T], now_s: float) -> bool:
        if track.strikes:
            return True
        unknown = not track.named and track.looks < self._rules.look_limit
        wait_s = self._rules.look_s if unknown else self._rules.verify_s
        return now_s - track.looked_s >= wait_s

    def _leaving(self, now_s: float) -> list[Left]:
        """Lets go of those who were out of sight for too long; a face that never counted goes silently."""
        gone = [
            track
            for track in self._tracks
            if now_s - track.seen_s >= (self._rules.leave_s if track.present else self._rules.follow_s)
        ]
        self._tracks = [track for track in self._tracks if track not in gone]
        return [_left(track, LeaveReason.LEFT) for track in gone if track.present]

    def _doubted(self, sightings: Sequence[Sighting[T]], matched: dict[int, _Track[T]]) -> list[Left]:
        """Parts faces from people whom they have contradicted often enough."""
        left = []
        for index, track in list(matched.items()):
            look = sightings[index].look
            if look is None or track.template is None:
                continue
            if self._alike(look.template, track.template) >= self._rules.different:
                track.strikes = 0
                continue
            track.strikes += 1
            if track.strikes >= self._rules.strikes:
                del matched[index]
                self._tracks.remove(track)
                if track.present:
                    track.seen_s = track.sure_s
                    left.append(_left(track, LeaveReason.REPLACED))
        return left

    def _known_again(self, sightings: Sequence[Sighting[T]], matched: dict[int, _Track[T]]) -> None:
        """Gives people who were out of sight their faces back: by look, without one by place."""
        taken = {track.key for track in matched.values()}
        lost = [track for track in self._tracks if track.present and track.key not in taken]
        for index, sighting in enumerate(sightings):
            holder = matched.get(index)
            if sighting.look is None or (holder is not None and holder.present):
                continue
            track = self._most_alike(sighting.look.template, lost)
            if track is not None:
                lost.remove(track)
                if holder is not None:
                    self._tracks.remove(holder)
                matched[index] = track
        blind = [index for index, one in enumerate(sightings) if index not in matched and one.look is None]
        pairs = nearest_pairs(
            [sightings[index].box for index in blind], [track.box for track in lost], self._rules.max_shift
        )
        matched.update({blind[index]: lost[other] for index, other in pairs})

    def _most_alike(self, template: T, tracks: Sequence[_Track[T]]) -> _Track[T] | None:
        scored = [
            (self._alike(template, track.template), -track.key, track)
            for track in tracks
            if track.template is not None
        ]
        best = max(scored, key=lambda entry: entry[:2], default=None)
        return best[2] if best is not None and best[0] >= self._rules.same else None

    def _new(self, box: Box, now_s: float) -> _Track[T]:
        track: _Track[T] = _Track(self._next_key, box, now_s, now_s, now_s)
        self._next_key += 1
        self._tracks.append(track)
        return track

    def _take(
        self, track: _Track[T], index: int, sighting: Sighting[T], now_s: float
    ) -> list[Appeared | Identified]:
        track.box, track.seen_s, track.frames = sighting.box, now_s, track.frames + 1
        if sighting.look is not None:
            self._take_look(track, sighting.look, now_s)
        if not track.strikes and (sighting.look is not None or track.template is None):
            track.sure_s = now_s
        changes: list[Appeared | Identified] = []
        if not track.present and self._convincing(track, now_s):
            track.present = True
            changes.append(Appeared(track.key, index, track.born_s))
        if track.present and sighting.look is not None and self._elected(track) == sighting.look.name != "":
            track.named = True
            changes.append(Identified(track.key, sighting.look.name, sighting.look.similarity))
        return changes

    def _take_look(self, track: _Track[T], look: Look[T], now_s: float) -> None:
        track.looked_s = now_s
        track.looks += 1
        if track.strikes:  # this look may be somebody else's
            return
        track.template = look.template
        if look.name:
            track.votes[look.name] = track.votes.get(look.name, 0) + 1

    def _convincing(self, track: _Track[T], now_s: float) -> bool:
        long_enough = now_s - track.born_s >= self._rules.appear_s
        return long_enough and track.frames >= self._rules.appear_frames

    def _elected(self, track: _Track[T]) -> str:
        """The name that leads by the votes that are needed; empty: there is none, or it was told."""
        if track.named:
            return ""
        (first, lead), (_, second) = sorted(
            [*track.votes.items(), ("", 0), ("", 0)], key=lambda entry: -entry[1]
        )[:2]
        return first if lead - second >= self._rules.votes else ""


def _left(track: _Track[T], reason: LeaveReason) -> Left:
    return Left(track.key, track.born_s, track.seen_s, reason)
