"""Settings of the capture service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from vidence_server.capture.domain.challenges import ChallengeRule
from vidence_server.capture.domain.gates import Gates
from vidence_server.capture.domain.plan import HoldRule, Rules
from vidence_server.runtime.settings import Section

_RULES = Rules(gates={})
_HOLD = HoldRule()
_CHALLENGE = ChallengeRule()


class CaptureSettings(Section):
    """Live sessions: how long they take, what is steady, what is live, how much is kept."""

    session_ttl_s: float = Field(
        180, ge=1, le=3600, description="How long a session may take, unless asked otherwise."
    )
    max_sessions: int = Field(2000, ge=1, description="Sessions that are not over; the next is refused.")
    ended_kept_s: float = Field(
        300, ge=0, description="How long the log of a session that is over stays in memory."
    )
    retention_s: float = Field(86_400, gt=0, description="How long a session that is over can be asked for.")
    image_ttl_s: float = Field(900, gt=0, description="How long captured pictures are kept.")
    log_events: int = Field(1024, ge=64, description="Events of a session kept in memory, the newest.")
    log_bytes: int = Field(
        512 * 2**10, ge=2**16, description="Their encoded bytes that are kept ready for watchers who keep up."
    )
    max_frame_bytes: int = Field(8 * 2**20, ge=2**10, description="Largest frame, bytes.")
    max_frame_pixels: int = Field(16_000_000, ge=4096, description="Most pixels of a frame.")
    gates_file: Path | None = Field(None, description="Quality gates; unset: those of the service.")
    guidance_dir: Path | None = Field(None, description="Texts of the guidance; unset: those of the service.")
    stable_frames: int = Field(
        _HOLD.stable_frames, ge=1, le=100, description="Steady frames in a row before the countdown."
    )
    stable_s: float = Field(_HOLD.stable_s, ge=0, le=10, description="Time for which they last at least.")
    max_drift_px: float = Field(
        _HOLD.max_drift_px, ge=0.5, le=200, description="Movement allowed, px of a picture 640 px wide."
    )
    countdown_s: float = Field(_HOLD.countdown_s, ge=0, le=10, description="From the lock to the capture.")
    max_attempts: int = Field(
        _RULES.max_attempts,
        ge=1,
        le=20,
        description="Rejected pictures and challenges per target that end it.",
    )
    quality_period_s: float = Field(
        _RULES.quality_period_s, gt=0, description="Least time between two quality updates of a session."
    )
    stall_s: float = Field(
        _RULES.stall_s, gt=0, description="Time without a frame that lets go of the subject."
    )
    challenge_time_s: float = Field(
        _CHALLENGE.time_limit_s, gt=0, le=60, description="Time for each liveness challenge."
    )
    liveness_threshold: float = Field(
        _RULES.liveness_threshold, ge=0, le=1, description="Least mean of the passive liveness scores."
    )
    liveness_frames: int = Field(
        _RULES.liveness_frames, ge=1, le=100, description="Frames that passive liveness rests on, at least."
    )
    replay_signs: int = Field(
        _RULES.replay_signs, ge=1, description="Signs of a replay that end a session which asks for liveness."
    )
    face_threshold: float = Field(0.8, ge=0, le=1, description="Least confidence of a face in a frame.")
    match_threshold: float = Field(
        0.40, ge=-1, le=1, description="Least similarity of portrait and selfie that counts as one person."
    )

    @property
    def hold(self) -> HoldRule:
        """How steady is steady enough, unless a session asks otherwise."""
        return HoldRule(self.stable_frames, self.stable_s, self.max_drift_px, self.countdown_s)

    def rules(self, gates: Gates) -> Rules:
        """How all sessions decide."""
        return Rules(
            gates=gates,
            challenge=ChallengeRule(time_limit_s=self.challenge_time_s),
            max_attempts=self.max_attempts,
            quality_period_s=self.quality_period_s,
            stall_s=self.stall_s,
            liveness_frames=self.liveness_frames,
            liveness_threshold=self.liveness_threshold,
            replay_signs=self.replay_signs,
        )
