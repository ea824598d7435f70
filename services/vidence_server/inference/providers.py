"""Which ONNX Runtime execution providers a session uses, in which order, with which options."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal, TypeAlias

from vidence_server.core.errors import DomainError, Reason

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"

Preference: TypeAlias = Literal["auto"] | tuple[str, ...]
"""`auto`: CUDA where the installed runtime has it, else CPU. A list: these, in this order, all required."""
ProviderOptions: TypeAlias = tuple[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class CudaOptions:
    """Options of the CUDA provider.

    The arena never shrinks and shapes vary, hence `kSameAsRequested`; an exhaustive convolution search would
    repeat for every new shape, hence `HEURISTIC`.
    """

    device_id: int = 0
    gpu_mem_limit_bytes: int | None = None
    """Upper bound of one session's arena; unset: the device's memory."""
    arena_extend_strategy: Literal["kSameAsRequested", "kNextPowerOfTwo"] = "kSameAsRequested"
    cudnn_conv_algo_search: Literal["HEURISTIC", "DEFAULT", "EXHAUSTIVE"] = "HEURISTIC"

    def as_options(self) -> dict[str, str]:
        """The options under the runtime's names."""
        options = {
            "device_id": str(self.device_id),
            "arena_extend_strategy": self.arena_extend_strategy,
            "cudnn_conv_algo_search": self.cudnn_conv_algo_search,
        }
        if self.gpu_mem_limit_bytes is not None:
            options["gpu_mem_limit"] = str(self.gpu_mem_limit_bytes)
        return options


@dataclass(frozen=True, slots=True)
class TensorRtOptions:
    """Options of the TensorRT provider, which builds an engine per model and shape: cache them."""

    device_id: int = 0
    engine_cache: Path | None = None
    """Folder of built engines; unset: built anew at every start."""

    def as_options(self) -> dict[str, str]:
        """The options under the runtime's names."""
        options = {"device_id": str(self.device_id)}
        if self.engine_cache is not None:
            options |= {"trt_engine_cache_enable": "True", "trt_engine_cache_path": str(self.engine_cache)}
        return options


def choose(
    preference: Preference,
    available: Collection[str],
    cuda: CudaOptions,
    tensorrt: TensorRtOptions,
) -> tuple[ProviderOptions, ...]:
    """The providers to ask for, with their options.

    Raises:
        DomainError: CONFIGURATION_INVALID, when the installed runtime lacks one of an explicit list.
    """
    options = {CUDA: cuda.as_options(), TENSORRT: tensorrt.as_options()}
    if preference == "auto":
        names: Sequence[str] = (CUDA, CPU) if CUDA in available else (CPU,)
    else:
        names = preference
        missing = [name for name in names if name not in available]
        if missing or not names:
            raise DomainError(
                Reason.CONFIGURATION_INVALID,
                f"The installed ONNX Runtime has no {', '.join(missing) or 'provider to use'}; "
                f"it has {', '.join(sorted(available))}. CUDA comes with the extra `gpu`.",
            )
    return tuple((name, options.get(name, {})) for name in names)


def not_in_use(
    preference: Preference, asked: Sequence[ProviderOptions], used: Collection[str]
) -> tuple[str, ...]:
    """Providers that the runtime left out silently, as it does when a CUDA library is missing.

    Raises:
        DomainError: CONFIGURATION_INVALID, when one of them was named explicitly.
    """
    missing = tuple(name for name, _ in asked if name not in used)
    if missing and preference != "auto":
        raise DomainError(
            Reason.CONFIGURATION_INVALID,
            f"{', '.join(missing)} did not start; is the driver new enough, are CUDA and cuDNN installed? "
            f"In use would be {', '.join(used)}.",
        )
    return missing


def check_single_runtime(installed: Collection[str] | None = None) -> None:
    """Refuses an environment with both runtimes: they overwrite each other's files silently.

    Args:
        installed: Names of installed distributions; unset: those of this environment.

    Raises:
        DomainError: CONFIGURATION_INVALID.
    """
    both = {"onnxruntime", "onnxruntime-gpu"}
    found = {name for name in both if _is_installed(name)} if installed is None else both & set(installed)
    if found == both:
        raise DomainError(
            Reason.CONFIGURATION_INVALID,
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other: uninstall both, "
            "then install exactly one of the extras `cpu` and `gpu`.",
        )


def _is_installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
