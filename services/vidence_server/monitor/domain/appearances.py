"""What is told of people: that somebody appeared, was recognised, left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from vidence_server.vision.faces.face import Box


class LeaveReason(StrEnum):
    """Why an appearance ended."""

    LEFT = "LEFT"
    """The face was not seen any more."""
    REPLACED = "REPLACED"
    """In its place there is the face of somebody else."""
    SOURCE_ENDED = "SOURCE_ENDED"
    """The video is over."""
    SOURCE_LOST = "SOURCE_LOST"
    """The camera gave no pictures any more."""
    STOPPED = "STOPPED"
    """The monitor was asked to stop."""
    INTERRUPTED = "INTERRUPTED"
    """The monitor died; the next one says so."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where the picture of a face is kept."""

    image_id: str
    """`img_` and the UUID of its blob."""
    sha256: str
    """Of the file, 64 hex digits."""
    width_px: int
    height_px: int
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class Sight:
    """Where and how surely a face was seen in a frame."""

    box: Box
    confidence: float
    """0–1."""
    width_px: int
    """Of the frame."""
    height_px: int
    """Of the frame."""


@dataclass(frozen=True, slots=True)
class PersonAppeared:
    """Somebody is there."""

    appearance_id: str
    monitor: str
    time: datetime
    """When it was decided."""
    first_seen: datetime
    """When the face was first seen."""
    position_s: float | None
    """Of the frame in the video, s; None: a live source."""
    sight: Sight
    snapshot: Snapshot | None


@dataclass(frozen=True, slots=True)
class PersonIdentified:
    """Somebody is one of those whom the operator's folder names."""

    appearance_id: str
    monitor: str
    time: datetime
    position_s: float | None
    name: str
    """The name of the folder. Personal data: in this event only."""
    similarity: float
    """Of the look that decided, -1 to 1."""
    threshold: float
    """From which on it counts."""
    model: str
    """Registry name and version of the model, `face-embedder@…`."""


@dataclass(frozen=True, slots=True)
class PersonLeft:
    """Somebody is not there any more."""

    appearance_id: str
    monitor: str
    time: datetime
    position_s: float | None
    reason: LeaveReason
    first_seen: datetime
    last_seen: datetime
    """As far as it is known."""


PersonChange: TypeAlias = PersonAppeared | PersonIdentified | PersonLeft
