"""Looking at faces from plain code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from vidence.face.v1 import face_service_pb2
from vidence_client.channel import DEFAULT_TIMEOUT_S
from vidence_client.face import Choice
from vidence_client.face import FaceClient as AsyncFaceClient
from vidence_client.sync.loop_thread import LoopThread


class FaceClient:
    """Looks at faces, for plain code; arguments and errors as in `vidence_client.face.FaceClient`."""

    def __init__(self, client: AsyncFaceClient, thread: LoopThread) -> None:
        self._client = client
        self._thread = thread

    def detect(
        self,
        content: bytes | Path,
        *,
        with_pose: bool = False,
        with_contour: bool = False,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> face_service_pb2.DetectFacesResponse:
        """Finds the faces of a picture, the largest first."""
        return self._thread.run(
            self._client.detect(content, with_pose=with_pose, with_contour=with_contour, timeout=timeout)
        )

    def assess_quality(
        self, content: bytes | Path, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> face_service_pb2.AssessQualityResponse:
        """Measures the quality of the largest face."""
        return self._thread.run(self._client.assess_quality(content, timeout=timeout))

    def compare(
        self,
        reference: bytes | Path,
        probe: bytes | Path,
        *,
        reference_choice: Choice = "only",
        probe_choice: Choice = "only",
        threshold: float | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> face_service_pb2.CompareFacesResponse:
        """Tells whether two pictures show the same person."""
        comparing = self._client.compare(
            reference,
            probe,
            reference_choice=reference_choice,
            probe_choice=probe_choice,
            threshold=threshold,
            timeout=timeout,
        )
        return self._thread.run(comparing)

    def check_liveness(
        self,
        frames: Sequence[bytes | Path],
        *,
        threshold: float | None = None,
        min_frames: int | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> face_service_pb2.CheckLivenessResponse:
        """Judges whether frames show a live face; not certified presentation-attack detection."""
        return self._thread.run(
            self._client.check_liveness(frames, threshold=threshold, min_frames=min_frames, timeout=timeout)
        )

    def embed(
        self,
        content: bytes | Path,
        *,
        choice: Choice | Literal["all"] = "all",
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> face_service_pb2.EmbedFacesResponse:
        """Makes templates of faces: biometric personal data, for back ends."""
        return self._thread.run(self._client.embed(content, choice=choice, timeout=timeout))

    def list_thresholds(
        self, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> face_service_pb2.ListThresholdsResponse:
        """Tells the thresholds of the model in use."""
        return self._thread.run(self._client.list_thresholds(timeout=timeout))
