"""Puts the extraction service together."""

from __future__ import annotations

from collections.abc import Mapping

import cv2

from vidence.extraction.v1 import extraction_service_pb2_grpc as pb_grpc
from vidence_server.core.clock import Clock
from vidence_server.core.ids import IdFactory
from vidence_server.extraction.service import ExtractionService
from vidence_server.extraction.servicer import SERVICE_NAME, ExtractionServicer
from vidence_server.extraction.settings import ExtractionSettings
from vidence_server.inference.engine import Engine
from vidence_server.inference.session import ModelSession
from vidence_server.runtime.server import RpcServer
from vidence_server.vision.decode import ImageDecoder, ImageLimits
from vidence_server.vision.ocr.profile import ReadingProfile
from vidence_server.vision.ocr.reader import TextReader
from vidence_server.vision.ocr.recogniser import Vocabulary

MODELS = (ReadingProfile().detector_model, ReadingProfile().recogniser_model)
"""Registry names of the models that the service runs."""


def build_service(
    settings: ExtractionSettings,
    *,
    engine: Engine,
    sessions: Mapping[str, ModelSession],
    clock: Clock,
    ids: IdFactory,
) -> ExtractionService:
    """The service without a transport: for the servicer, for benchmarks, for `--embedded`."""
    # The engine's workers are the threads that compute; OpenCV's own would fight with them for the cores.
    cv2.setNumThreads(1)
    profile = ReadingProfile(detector_area_px=settings.detector_area_px)
    vocabulary = Vocabulary.from_metadata(sessions[profile.recogniser_model].metadata)
    limits = ImageLimits(
        max_bytes=settings.max_image_bytes, max_pixels=settings.max_image_pixels, pdf_dpi=settings.pdf_dpi
    )
    return ExtractionService(
        engine=engine,
        decoder=ImageDecoder(limits),
        reader=TextReader(engine, profile, vocabulary),
        clock=clock,
        ids=ids,
    )


def register(server: RpcServer, service: ExtractionService, clock: Clock) -> str:
    """Offers the service on a server; gives its full name, for `RpcServer.mark_ready`."""
    servicer = ExtractionServicer(service, server.result_streams, clock)
    server.register(
        SERVICE_NAME,
        lambda grpc_server: pb_grpc.add_ExtractionServiceServicer_to_server(servicer, grpc_server),
    )
    return SERVICE_NAME
