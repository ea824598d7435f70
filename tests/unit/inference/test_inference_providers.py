"""Which execution providers are asked for, with which options."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidence_server.core.errors import DomainError, Reason
from vidence_server.inference.providers import (
    CPU,
    CUDA,
    TENSORRT,
    CudaOptions,
    Preference,
    TensorRtOptions,
    check_single_runtime,
    choose,
    not_in_use,
)

pytestmark = pytest.mark.requirement("R-OP7")


@pytest.mark.parametrize(
    ("preference", "available", "names"),
    [
        ("auto", [CPU], [CPU]),
        ("auto", [CUDA, CPU], [CUDA, CPU]),
        ("auto", [TENSORRT, CUDA, CPU], [CUDA, CPU]),
        ((CPU,), [CUDA, CPU], [CPU]),
        ((TENSORRT, CUDA, CPU), [TENSORRT, CUDA, CPU], [TENSORRT, CUDA, CPU]),
    ],
)
def test_the_preference_decides_the_order(
    preference: Preference, available: list[str], names: list[str]
) -> None:
    chosen = choose(preference, available, CudaOptions(), TensorRtOptions())
    assert [name for name, _ in chosen] == names


@pytest.mark.parametrize(
    ("preference", "words"),
    [((CUDA, CPU), CUDA), ((TENSORRT, CUDA), f"{TENSORRT}, {CUDA}"), ((), "no provider to use")],
)
def test_what_is_required_and_not_installed_is_named(preference: Preference, words: str) -> None:
    with pytest.raises(DomainError, match=words) as caught:
        choose(preference, [CPU], CudaOptions(), TensorRtOptions())
    assert caught.value.reason is Reason.CONFIGURATION_INVALID


def test_cuda_options_keep_memory_and_start_up_in_check() -> None:
    ((_, options), _) = choose(
        "auto", [CUDA, CPU], CudaOptions(gpu_mem_limit_bytes=1 << 30), TensorRtOptions()
    )
    assert options == {
        "device_id": "0",
        "arena_extend_strategy": "kSameAsRequested",
        "cudnn_conv_algo_search": "HEURISTIC",
        "gpu_mem_limit": "1073741824",
    }
    assert "gpu_mem_limit" not in CudaOptions().as_options()


def test_tensorrt_caches_engines_where_a_folder_is_given() -> None:
    assert TensorRtOptions().as_options() == {"device_id": "0"}
    options = TensorRtOptions(engine_cache=Path("/var/cache/trt")).as_options()
    assert (options["trt_engine_cache_enable"], options["trt_engine_cache_path"]) == (
        "True",
        "/var/cache/trt",
    )


def test_a_provider_left_out_is_reported_or_refused() -> None:
    asked = choose("auto", [CUDA, CPU], CudaOptions(), TensorRtOptions())
    assert not_in_use("auto", asked, (CUDA, CPU)) == ()
    assert not_in_use("auto", asked, (CPU,)) == (CUDA,)
    with pytest.raises(DomainError, match=CUDA):
        not_in_use((CUDA, CPU), asked, (CPU,))


def test_both_runtimes_in_one_environment_are_refused() -> None:
    check_single_runtime({"onnxruntime", "numpy"})
    check_single_runtime({"onnxruntime-gpu"})
    check_single_runtime()  # this environment has one of them
    with pytest.raises(DomainError, match="overwrite each other") as caught:
        check_single_runtime({"onnxruntime", "onnxruntime-gpu"})
    assert caught.value.reason is Reason.CONFIGURATION_INVALID
