"""The graph of neighbours (HNSW) of usearch, loaded when it is wanted."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from usearch.index import Index

CONNECTIVITY = 32
"""Neighbours of a vector in the graph (M)."""
EXPANSION_ADD = 128
"""Candidates looked at when a vector is added (efConstruction)."""
EXPANSION_SEARCH = 128
"""Candidates looked at in a search, at least (ef)."""


def new_graph(dimensions: int) -> Index:
    """An empty graph for vectors of length 1, which it keeps in half precision; its score is 1 - cosine.

    The first one loads usearch, which takes some 0.1 s.
    """
    if sys.platform == "linux":
        # usearch's wheel carries parts of libstdc++ whose symbols are unique in a process. Loaded first, they
        # would be mixed with those of the real one, and a module that needs both (ONNX Runtime) crashes.
        with suppress(OSError):  # another C++ library: nothing to be mixed
            ctypes.CDLL("libstdc++.so.6", mode=ctypes.RTLD_GLOBAL)
    from usearch.index import Index  # noqa: PLC0415  # not before the line above

    return Index(
        ndim=dimensions,
        metric="ip",
        dtype="f16",
        connectivity=CONNECTIVITY,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
    )
