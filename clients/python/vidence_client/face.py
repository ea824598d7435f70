"""Client of the face service: finds, measures, compares and embeds faces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from vidence.face.v1 import face_service_pb2, face_service_pb2_grpc
from vidence_client.channel import DEFAULT_TIMEOUT_S, Channel
from vidence_client.contents import bytes_of

Choice: TypeAlias = Literal["only", "largest"]
"""Which face of a picture is meant: the only one (several are an error), or the largest."""


class FaceClient:
    """Looks at faces over one channel. `Client.faces` is one.

    Pictures are given as bytes or as the place of a file. Every method raises `VidenceError` where the call
    fails (`ServerUnreachable` where nothing answered) and `OSError` where a file cannot be read; `timeout` is
    in seconds, for all attempts.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._stub = face_service_pb2_grpc.FaceServiceStub(channel.rpc)

    async def detect(
        self,
        content: bytes | Path,
        *,
        with_pose: bool = False,
        with_contour: bool = False,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> face_service_pb2.DetectFacesResponse:
        """Finds the faces of a picture, the largest first.

        Args:
            content: The picture.
            with_pose: Whether the model tells the poses; else they are estimated.
            with_contour: Whether 68 points are told of each face.
            timeout: Limit, s.
        """
        (picture,) = await bytes_of(content)
        request = face_service_pb2.DetectFacesRequest(
            content=picture, with_pose=with_pose, with_contour=with_contour
        )
        return await self._channel.call(self._stub.DetectFaces, request, timeout=timeout)

    async def assess_quality(
        self, content: bytes | Path, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> face_service_pb2.AssessQualityResponse:
        """Measures the quality of the largest face."""
        (picture,) = await bytes_of(content)
        request = face_service_pb2.AssessQualityRequest(content=picture)
        return await self._channel.call(self._stub.AssessQuality, request, timeout=timeout)

    async def compare(
        self,
        reference: bytes | Path,
        probe: bytes | Path,
        *,
        reference_choice: Choice = "only",
        probe_choice: Choice = "only",
        threshold: float | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> face_service_pb2.CompareFacesResponse:
        """Tells whether two pictures show the same person.

        Args:
            reference: The picture that is trusted, such as a document's portrait.
            probe: The picture that is checked against it.
            reference_choice: Which face of the reference.
            probe_choice: Which face of the probe.
            threshold: Similarity of a match, -1 to 1; None: the server's.
            timeout: Limit, s.
        """
        trusted, checked = await bytes_of(reference, probe)
        request = face_service_pb2.CompareFacesRequest(
            reference=trusted,
            probe=checked,
            reference_choice=_choice(reference_choice),
            probe_choice=_choice(probe_choice),
            threshold=threshold,
        )
        return await self._channel.call(self._stub.CompareFaces, request, timeout=timeout)

    async def check_liveness(
        self,
        frames: Sequence[bytes | Path],
        *,
        threshold: float | None = None,
        min_frames: int | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> face_service_pb2.CheckLivenessResponse:
        """Judges whether frames of a camera show a live face; not certified presentation-attack detection.

        Args:
            frames: 1 to 30 pictures; five and more are wanted.
            threshold: Mean score of a live face, 0–1; None: the server's.
            min_frames: Judged frames that a verdict needs, 1–30; None: the server's.
            timeout: Limit, s.
        """
        request = face_service_pb2.CheckLivenessRequest(
            frames=await bytes_of(*frames), threshold=threshold, min_frames=min_frames
        )
        return await self._channel.call(self._stub.CheckLiveness, request, timeout=timeout)

    async def embed(
        self,
        content: bytes | Path,
        *,
        choice: Choice | Literal["all"] = "all",
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> face_service_pb2.EmbedFacesResponse:
        """Makes templates of faces: biometric personal data, for back ends."""
        (picture,) = await bytes_of(content)
        request = face_service_pb2.EmbedFacesRequest(content=picture, choice=_choice(choice))
        return await self._channel.call(self._stub.EmbedFaces, request, timeout=timeout)

    async def list_thresholds(
        self, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> face_service_pb2.ListThresholdsResponse:
        """Tells the thresholds of the model in use and how often they were wrong when they were measured."""
        request = face_service_pb2.ListThresholdsRequest()
        return await self._channel.call(self._stub.ListThresholds, request, timeout=timeout)


def _choice(choice: Choice | Literal["all"]) -> face_service_pb2.FaceChoice.ValueType:
    return face_service_pb2.FaceChoice.Value(f"FACE_CHOICE_{choice.upper()}")
