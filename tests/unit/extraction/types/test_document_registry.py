from __future__ import annotations

import pytest

from vidence_server.core.errors import DomainError, Reason
from vidence_server.extraction.types import DOCUMENT_TYPES, document_type


@pytest.mark.requirement("R-EX2")
def test_the_registry_knows_text_and_the_documents_with_a_zone() -> None:
    assert {known.key for known in DOCUMENT_TYPES} >= {"text", "passport", "visa", "id_card"}
    assert all(document_type(known.key) is known for known in DOCUMENT_TYPES)
    assert all(known.title and known.description for known in DOCUMENT_TYPES)


@pytest.mark.requirement("R-EX7")
def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DomainError) as refused:
        document_type("library_card")
    assert refused.value.reason is Reason.DOCUMENT_TYPE_UNKNOWN
    assert "passport" in refused.value.metadata["known"]
    assert "library_card" not in refused.value.message
