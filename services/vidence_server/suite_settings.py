"""The settings of a process, section by section."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_data_path
from pydantic import Field, SecretStr

from vidence_server.batch.settings import BatchSettings
from vidence_server.bridge.settings import BridgeSettings
from vidence_server.capture.settings import CaptureSettings
from vidence_server.erasure.settings import ErasureSettings
from vidence_server.event.settings import EventSettings
from vidence_server.extraction.settings import ExtractionSettings
from vidence_server.face.settings import FaceSettings
from vidence_server.library.settings import LibrarySettings
from vidence_server.monitor.settings import MonitorSettings
from vidence_server.review.settings import ReviewSettings
from vidence_server.runtime.access_settings import AccessSettings, TlsSettings
from vidence_server.runtime.encryption_settings import EncryptionSettings
from vidence_server.runtime.settings import (
    LogSettings,
    MetricsSettings,
    Section,
    ServerSettings,
    load_settings,
)
from vidence_server.runtime.tracing import TracingSettings
from vidence_server.storage.backend import PoolLimits
from vidence_server.storage.location import StateLocation

DATA_DIR_VARIABLE = "VIDENCE_DATA_DIR"
"""Where the data are, unless the settings say it."""


class ModelOverrideSettings(Section):
    """A user's own weights in the place of a registered model."""

    path: Path | None = Field(None, description="File of the model.")
    url: str | None = Field(None, description="Where `vidence models pull` fetches it.")
    sha256: str = Field(description="Its SHA-256, 64 hex digits; always checked.")


class InferenceSettings(Section):
    """Models and the engine that runs them."""

    providers: Literal["auto"] | tuple[str, ...] = Field(
        "auto", description="`auto`: CUDA where there is one, else CPU; a list: exactly these, all required."
    )
    workers: int | None = Field(None, ge=1, description="Steps that run at once; unset: as many as cores.")
    queue_limit: int = Field(256, ge=1, description="Steps that may wait per model; the next is refused.")
    models_dir: Path | None = Field(None, description="Folder of the models; unset: the user's cache.")
    models: dict[str, ModelOverrideSettings] = Field({}, description="Own weights by model name.")


class StorageSettings(Section):
    """Where the services keep their state: one file each."""

    data_dir: Path | None = Field(
        None, description=f"Folder of the files; unset: ${DATA_DIR_VARIABLE}, else the user's data folder."
    )

    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL for all services, `postgresql+asyncpg://user@host:port/database`; "
        "unset: SQLite files.",
    )
    database_urls: dict[str, SecretStr] = Field({}, description="The same for single services, by name.")
    database_password_file: Path | None = Field(
        None, description="File of the password, read at each connection."
    )
    database_connections: int = Field(
        8, ge=2, description="Connections per service at most; one more listens."
    )

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self.data_dir or user_data_path("vidence")

    @property
    def location(self) -> StateLocation:
        """Which database each service opens."""
        return StateLocation(
            self.folder,
            url=self.database_url.get_secret_value() if self.database_url else "",
            urls={name: url.get_secret_value() for name, url in self.database_urls.items()},
            password_file=self.database_password_file,
            limits=PoolLimits(size=self.database_connections),
        )


class BusSettings(Section):
    """Where services find the bus that do not run in its process."""

    address: str = Field("127.0.0.1:50051", description="What a gRPC client dials: host:port or unix:PATH.")


class FilingSettings(Section):
    """Where services find the libraries that their results go into."""

    library_address: str = Field(
        "127.0.0.1:50055",
        description="What a gRPC client dials: host:port or unix:PATH; not used where the process serves "
        "libraries itself.",
    )


class SuiteSettings(Section):
    """All sections of a process."""

    server: ServerSettings = ServerSettings()
    access: AccessSettings = AccessSettings()
    tls: TlsSettings = TlsSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    tracing: TracingSettings = TracingSettings()
    storage: StorageSettings = StorageSettings()
    encryption: EncryptionSettings = EncryptionSettings()
    bus: BusSettings = BusSettings()
    filing: FilingSettings = FilingSettings()
    inference: InferenceSettings = InferenceSettings()
    event: EventSettings = EventSettings()
    extraction: ExtractionSettings = ExtractionSettings()
    batch: BatchSettings = BatchSettings()
    face: FaceSettings = FaceSettings()
    library: LibrarySettings = LibrarySettings()
    capture: CaptureSettings = CaptureSettings()
    review: ReviewSettings = ReviewSettings()
    erasure: ErasureSettings = ErasureSettings()
    bridge: BridgeSettings = BridgeSettings()
    monitor: MonitorSettings = MonitorSettings()


def load_suite_settings(
    config: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None
) -> SuiteSettings:
    """The settings from the command line, the environment, a file and the defaults, in this order.

    Raises:
        DomainError: CONFIGURATION_INVALID; the message lists every problem.
    """
    settings = load_settings(SuiteSettings, config=config, environ=environ, overrides=overrides)
    folder = environ.get(DATA_DIR_VARIABLE)
    if settings.storage.data_dir is None and folder:
        storage = settings.storage.model_copy(update={"data_dir": Path(folder)})
        return settings.model_copy(update={"storage": storage})
    return settings
