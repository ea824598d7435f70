"""Puts the face service together."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

import cv2

from vidence.face.v1 import face_service_pb2_grpc as pb_grpc
from vidence_server.core.clock import Clock
from vidence_server.face.domain.thresholds import ThresholdTable, read_thresholds
from vidence_server.face.liveness import LivenessJudge
from vidence_server.face.looking import Looker
from vidence_server.face.service import FaceService
from vidence_server.face.servicer import SERVICE_NAME, FaceServicer
from vidence_server.face.settings import FaceSettings
from vidence_server.inference.engine import Engine
from vidence_server.inference.session import ModelSession
from vidence_server.runtime.server import RpcServer
from vidence_server.vision.decode import ImageDecoder, ImageLimits
from vidence_server.vision.faces.analyser import FaceAnalyser
from vidence_server.vision.faces.profile import EMBEDDER, FACE_MODELS, LIVENESS, FaceProfile

MODELS = FACE_MODELS
"""Registry names of the models that the service runs."""

_VERSION_DIGITS = 12


def load_thresholds() -> ThresholdTable:
    """The measured thresholds that this package ships; `benchmarks/eval_faces.py` writes them."""
    text = resources.files(__package__).joinpath("thresholds.json").read_text(encoding="utf-8")
    return read_thresholds(text)


def version_of(session: ModelSession) -> str:
    """Which weights a session runs, as templates and answers name it."""
    return session.sha256[:_VERSION_DIGITS]


def build_analyser(
    settings: FaceSettings, *, engine: Engine, sessions: Mapping[str, ModelSession]
) -> FaceAnalyser:
    """What looks at faces; other services of the process may use the same one.

    Args:
        settings: Thresholds.
        engine: Runs the models.
        sessions: The models, by name; `MODELS` among them.
    """
    # The engine's workers are the threads that compute; OpenCV's own would fight with them for the cores.
    cv2.setNumThreads(1)
    profile = FaceProfile(detection_threshold=settings.detection_threshold)
    return FaceAnalyser(engine, profile, version_of(sessions[EMBEDDER]))


def build_service(
    settings: FaceSettings, *, engine: Engine, sessions: Mapping[str, ModelSession]
) -> FaceService:
    """The service without a transport; arguments as `build_analyser`.

    Raises:
        DomainError: CONFIGURATION_INVALID, when the table of thresholds cannot be read.
    """
    analyser = build_analyser(settings, engine=engine, sessions=sessions)
    limits = ImageLimits(max_bytes=settings.max_image_bytes, max_pixels=settings.max_image_pixels)
    looker = Looker(engine=engine, decoder=ImageDecoder(limits), analyser=analyser)
    return FaceService(
        looker=looker,
        judge=LivenessJudge(looker=looker, analyser=analyser),
        thresholds=load_thresholds(),
        settings=settings,
        embedder=(EMBEDDER, version_of(sessions[EMBEDDER])),
        liveness_version=version_of(sessions[LIVENESS]),
    )


def register(server: RpcServer, service: FaceService, clock: Clock) -> str:
    """Offers the service on a server; gives its full name, for `RpcServer.mark_ready`."""
    servicer = FaceServicer(service, clock)
    server.register(
        SERVICE_NAME,
        lambda grpc_server: pb_grpc.add_FaceServiceServicer_to_server(servicer, grpc_server),
    )
    return SERVICE_NAME
