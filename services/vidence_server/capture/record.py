"""What of a session outlives its process."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import TypeAdapter

from vidence_server.capture.domain.plan import SessionPlan
from vidence_server.capture.domain.results import (
    CapturedTarget,
    Evidence,
    FrameTally,
    SessionSummary,
    Verification,
)
from vidence_server.capture.domain.session import CaptureSession, Restored
from vidence_server.capture.domain.states import TERMINAL, Failure, State


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session as it is stored. Holds no pictures, no tokens (their hashes only), nothing that was read."""

    session_id: str
    tenant: str
    session_token_sha256: str
    watch_token_sha256: str
    life: int
    """Rises whenever a process takes the session up: the epoch of its log."""
    plan: SessionPlan
    state: State
    create_time: datetime
    expire_time: datetime
    end_time: datetime | None
    failure: Failure | None
    captured: tuple[CapturedTarget, ...]
    rejected: int
    liveness_passed: bool | None
    evidence: Evidence
    verification: Verification | None
    frames: FrameTally

    @property
    def over(self) -> bool:
        """Whether it ended."""
        return self.state in TERMINAL

    def updated(self, session: CaptureSession) -> SessionRecord:
        """The record of the session as it is now."""
        summary = session.summary()
        return replace(
            self,
            state=summary.state,
            end_time=summary.end_time,
            failure=summary.failure,
            captured=summary.captured,
            rejected=summary.rejected_attempts,
            liveness_passed=summary.liveness_passed,
            evidence=session.evidence,
            verification=summary.verification,
            frames=summary.frames,
        )

    def summary(self) -> SessionSummary:
        """The session as it was stored."""
        done = len(self.captured)
        open_target = not self.over and done < len(self.plan.targets)
        return SessionSummary(
            session_id=self.session_id,
            plan=self.plan,
            state=self.state,
            target=self.plan.targets[done] if open_target else None,
            captured=self.captured,
            rejected_attempts=self.rejected,
            create_time=self.create_time,
            expire_time=self.expire_time,
            end_time=self.end_time,
            failure=self.failure,
            frames=self.frames.copy(),
            liveness_passed=self.liveness_passed,
            verification=self.verification,
        )

    def restored(self) -> Restored:
        """What the machine goes on with."""
        # All that is between two confirmed pictures begins anew.
        state = State.PROCESSING if len(self.captured) == len(self.plan.targets) else State.SEARCHING
        return Restored(state, self.captured, self.rejected, self.evidence, self.liveness_passed)

    def is_session_token(self, token: str) -> bool:
        """Whether this is the token that may push."""
        return hmac.compare_digest(token_hash(token), self.session_token_sha256)

    def is_token(self, token: str) -> bool:
        """Whether this is one of its tokens."""
        is_watch_token = hmac.compare_digest(token_hash(token), self.watch_token_sha256)
        return self.is_session_token(token) or is_watch_token


def new_record(tenant: str, session: CaptureSession, session_token: str, watch_token: str) -> SessionRecord:
    """The record of a session that has just begun."""
    summary = session.summary()
    return SessionRecord(
        session_id=summary.session_id,
        tenant=tenant,
        session_token_sha256=token_hash(session_token),
        watch_token_sha256=token_hash(watch_token),
        life=1,
        plan=summary.plan,
        state=summary.state,
        create_time=summary.create_time,
        expire_time=summary.expire_time,
        end_time=None,
        failure=None,
        captured=(),
        rejected=0,
        liveness_passed=None,
        evidence=session.evidence,
        verification=None,
        frames=summary.frames,
    )


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A stored picture and where its bytes are."""

    id: str
    tenant: str
    session_id: str
    blob_id: str
    sha256: str
    media_type: str
    width_px: int
    height_px: int
    size_bytes: int
    expire_time: datetime


_RECORD: TypeAdapter[SessionRecord] = TypeAdapter(SessionRecord)


def encode_record(record: SessionRecord) -> str:
    """As JSON."""
    return _RECORD.dump_json(record).decode()


def decode_record(text: str) -> SessionRecord:
    """From JSON."""
    return _RECORD.validate_json(text)


def token_hash(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()
