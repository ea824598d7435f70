"""Settings of `vidence monitor`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from vidence_server.access.principal import DEFAULT_TENANT
from vidence_server.monitor.domain.backoff import BackOff
from vidence_server.monitor.domain.pace import Pace
from vidence_server.monitor.domain.rules import TrackerRules
from vidence_server.runtime.settings import Section

_RULES = TrackerRules()
_BACK_OFF = BackOff()


class MonitorSettings(Section):
    """What is watched for."""

    name: str = Field(
        "default",
        pattern=r"^[a-z][a-z0-9_]{0,31}$",
        description="Names the monitor in its events, and its database `monitor_<name>`: one process each.",
    )
    tenant: str = Field(
        DEFAULT_TENANT,
        description="Whose bus, pictures and library of people these are; one of `access.tenants`.",
    )
    people: Path | None = Field(
        None, description="Folder of known people, `NAME/*.jpg` (png, webp too); unset: nobody is identified."
    )
    library: str = Field(
        "",
        max_length=64,
        description="Library whose enrolled faces name people by `subject_id`; in the place of `people`.",
    )
    max_fps: float = Field(10, gt=0, le=60, description="Frames a second that are looked at, at most.")
    file_speed: str = Field(
        "recorded",
        pattern="^(recorded|fast)$",
        description="`recorded`: a video runs at its own speed, as a camera would; "
        "`fast`: as fast as the models go, no frame dropped.",
    )
    detection_threshold: float = Field(0.7, gt=0, lt=1, description="Least confidence of a face.")
    min_face_px: float = Field(20, ge=4, description="Smaller faces are not there, px of the frame.")
    min_inter_eye_px: float = Field(
        12, ge=1, description="Least distance of the eyes for recognising somebody, px."
    )
    match_threshold: float | None = Field(
        None, ge=-1, le=1, description="Similarity of somebody known; unset: the published one of the model."
    )
    match_margin: float = Field(
        0.05, ge=0, le=1, description="How much more like one person than like any other a face must be."
    )
    appear_s: float = Field(_RULES.appear_s, ge=0, description="Time in sight before somebody is told.")
    appear_frames: int = Field(_RULES.appear_frames, ge=1, description="Frames in sight before that.")
    leave_s: float = Field(
        _RULES.leave_s, ge=_RULES.follow_s, description="Time out of sight after which somebody has left."
    )
    snapshots: bool = Field(default=True, description="Whether a picture of each appearance is kept.")
    snapshot_hours: float = Field(24, gt=0, description="Age at which these pictures are deleted, hours.")
    retention_days: float = Field(
        30, gt=0, description="Age at which the records of appearances are removed, days."
    )
    stall_s: float = Field(10, gt=0, description="Time without a frame after which a source is opened again.")
    retry_first_s: float = Field(
        _BACK_OFF.first_s,
        gt=0,
        description="Longest wait before a broken source is opened again; it doubles.",
    )
    retry_max_s: float = Field(_BACK_OFF.max_s, gt=0, description="Longest such wait ever.")

    @property
    def rules(self) -> TrackerRules:
        """Of the tracker."""
        return TrackerRules(appear_s=self.appear_s, appear_frames=self.appear_frames, leave_s=self.leave_s)

    @property
    def back_off(self) -> BackOff:
        """Of the source."""
        return BackOff(self.retry_first_s, self.retry_max_s)

    @property
    def pace(self) -> Pace:
        """Of the reader."""
        return Pace(self.max_fps, as_recorded=self.file_speed == "recorded")
