"""Tells which extra of the distribution a missing package belongs to."""

from __future__ import annotations

_EXTRA_OF_PACKAGE = {
    "onnx": "models",
    "onnxruntime": "server,cpu",
}
_OWN_PACKAGES = frozenset({"vidence", "vidence_server", "vidence_client", "vidence_cli"})


def missing_extra(error: ImportError) -> str:
    """Says in one sentence what to do about an import that failed.

    A missing module of our own is no missing extra: then the sentence tells the defect.
    """
    package = (error.name or "").partition(".")[0]
    if package in _OWN_PACKAGES or not package:
        return f"this installation is incomplete: {error}"
    extra = _EXTRA_OF_PACKAGE.get(package, "server,cpu")
    return f'the package {package} is not installed; install the extra: pip install "vidence[{extra}]"'
