"""A loaded model behind one small interface, and its making with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

import numpy as np
import onnxruntime as ort
import structlog

from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference import providers as ep
from vidence_server.inference.jobs import Array, Tensors
from vidence_server.inference.registry import ONNX, ModelSpec

Log: TypeAlias = structlog.stdlib.BoundLogger
Shape: TypeAlias = tuple[int, ...]

_DTYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


class RunOptions(Protocol):
    """The switch of one run; any thread may set it."""

    terminate: bool


@dataclass(frozen=True, slots=True)
class InputTensor:
    """An input as the model declares it."""

    name: str
    shape: tuple[int | None, ...]
    """None where any length fits."""
    dtype: np.dtype[Any]


class ModelSession(Protocol):
    """A model that is ready to run; `run` is called from several threads at once."""

    @property
    def inputs(self) -> tuple[InputTensor, ...]:
        """What `run` takes."""
        ...

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what `run` returns, in its order."""
        ...

    @property
    def providers(self) -> tuple[str, ...]:
        """Execution providers in use, the preferred one first."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """The model's own key-value data, such as a recogniser's dictionary."""
        ...

    @property
    def sha256(self) -> str:
        """Of the weights' source file, 64 hex digits: which version of the model it is."""
        ...

    @property
    def max_batch(self) -> int:
        """Rows along axis 0 that one run may have."""
        ...

    @property
    def warm_up_shapes(self) -> tuple[Mapping[str, Shape], ...]:
        """Input shapes to run once before the first request."""
        ...

    def run(self, inputs: Tensors, run_options: RunOptions) -> tuple[Array, ...]:
        """Runs the model in the calling thread; raises once `run_options.terminate` is set."""
        ...


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """How sessions are made."""

    providers: ep.Preference = "auto"
    intra_op_threads: int = 1
    """Threads inside one step: several steps at once beat several threads in one step on a CPU."""
    cuda: ep.CudaOptions = field(default_factory=ep.CudaOptions)
    tensorrt: ep.TensorRtOptions = field(default_factory=ep.TensorRtOptions)


class OnnxSession:
    """A model in ONNX Runtime, in this process."""

    def __init__(self, session: ort.InferenceSession, spec: ModelSpec) -> None:
        self._session = session
        self.inputs = tuple(_input_tensor(tensor) for tensor in session.get_inputs())
        self.outputs = tuple(str(tensor.name) for tensor in session.get_outputs())
        self.providers = tuple(map(str, session.get_providers()))
        self.metadata: Mapping[str, str] = dict(session.get_modelmeta().custom_metadata_map)
        self.sha256 = spec.sha256
        self.max_batch = spec.max_batch
        self.warm_up_shapes = spec.warm_up_shapes

    def run(self, inputs: Tensors, run_options: RunOptions) -> tuple[Array, ...]:
        """Runs the model in the calling thread; several threads may do so at once.

        Raises:
            Exception: what ONNX Runtime raises for wrong inputs and terminated runs.
        """
        return tuple(self._session.run(None, dict(inputs), run_options))


def new_run_options() -> RunOptions:
    """A switch for one run; never reused, since setting it stops every run that has it."""
    return cast(RunOptions, ort.RunOptions())


def on_accelerator(providers: Collection[str]) -> bool:
    """Whether a session with these providers computes on something else than the CPU."""
    return any(name in providers for name in (ep.CUDA, ep.TENSORRT))


def open_session(spec: ModelSpec, path: Path, settings: SessionSettings, log: Log) -> OnnxSession:
    """Loads a model and says which provider it really uses.

    Args:
        spec: What the registry knows of it.
        path: The checked file, from `ModelStore.path`.
        settings: Providers and threads.
        log: Gets one line per model.

    Raises:
        DomainError: CONFIGURATION_INVALID (both runtimes installed, a required provider missing),
            MODEL_CORRUPT (the file is no model that this runtime can load).
    """
    if spec.format != ONNX:
        raise DomainError(
            Reason.CONFIGURATION_INVALID,
            f"{spec.name!r} is a file of the format {spec.format}, not a model to run.",
        )
    ep.check_single_runtime()
    asked = ep.choose(settings.providers, ort.get_available_providers(), settings.cuda, settings.tensorrt)
    if any(name in (ep.CUDA, ep.TENSORRT) for name, _ in asked) and hasattr(ort, "preload_dlls"):
        # Finds CUDA and cuDNN in their own packages, where the dynamic linker would not look.
        ort.preload_dlls()
    session = OnnxSession(_load(spec, path, settings, asked), spec)
    missing = ep.not_in_use(settings.providers, asked, session.providers)
    if missing:
        log.warning("model_provider_missing", model=spec.name, missing=missing, in_use=session.providers)
    log.info("model_loaded", model=spec.name, provider=session.providers[0], sha256=spec.sha256[:12])
    return session


def _load(
    spec: ModelSpec, path: Path, settings: SessionSettings, asked: tuple[ep.ProviderOptions, ...]
) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = settings.intra_op_threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = True
    options.log_severity_level = 3  # errors: what its warnings say is checked and logged here
    try:
        return ort.InferenceSession(str(path), options, providers=list(asked))
    except Exception as error:
        raise DomainError(
            Reason.MODEL_CORRUPT,
            f"ONNX Runtime {ort.__version__} cannot load the model {spec.name!r} ({type(error).__name__}).",
        ) from error


def _input_tensor(tensor: Any) -> InputTensor:
    kind = _DTYPES.get(tensor.type)
    if kind is None:
        raise DomainError(
            Reason.MODEL_CORRUPT, f"The input {tensor.name!r} has the unsupported type {tensor.type}."
        )
    shape = tuple(length if isinstance(length, int) else None for length in tensor.shape)
    return InputTensor(str(tensor.name), shape, np.dtype(kind))
