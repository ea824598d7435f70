from __future__ import annotations

import grpc
import pytest

from fakes.runtime import bad_request, error_info, retry_info
from vidence_server.core.errors import KIND_OF_REASON, DomainError, FieldViolation, Reason
from vidence_server.runtime.status import defect, domain_error_of, to_status, trailing_metadata


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_its_code_and_an_error_info(reason: Reason) -> None:
    status = to_status(DomainError(reason, "Something failed."), "req_1")
    assert status.code == grpc.StatusCode[KIND_OF_REASON[reason].name].value[0]
    assert status.message == "Something failed."
    info = error_info(status)
    assert (info.reason, info.domain) == (reason.value, "vidence")


def test_details_appear_where_they_apply_and_nowhere_else() -> None:
    plain = to_status(DomainError(Reason.CANCELLED, "Cancelled."), "req_1")
    assert len(plain.details) == 1
    full = to_status(
        DomainError(
            Reason.REQUEST_INVALID,
            "Wrong.",
            fields=(FieldViolation("options.pdf_page", "must be positive"),),
            metadata={"limit": "3"},
            retry_after_s=1.5,
        ),
        "req_1",
    )
    assert dict(error_info(full).metadata) == {"limit": "3"}
    (violation,) = bad_request(full).field_violations
    assert (violation.field, violation.description) == ("options.pdf_page", "must be positive")
    assert retry_info(full).retry_delay.ToMilliseconds() == 1500


def test_internal_failures_carry_the_request_id() -> None:
    assert dict(error_info(to_status(defect(), "req_7")).metadata) == {"request_id": "req_7"}


def test_any_number_of_violations_fits_the_trailers() -> None:
    fields = tuple(FieldViolation(f"items[{index}].confidence", "must be at most 1") for index in range(5000))
    status = to_status(DomainError(Reason.REQUEST_INVALID, "Wrong.", fields=fields), "req_1")
    assert sum(len(key) + len(value) + 32 for key, value in trailing_metadata(status, "req_1")) < 8192


def test_domain_errors_are_found_in_groups_that_hold_nothing_else() -> None:
    error = DomainError(Reason.IMAGE_EMPTY, "The image has 0 bytes.")
    assert domain_error_of(error) is error
    assert domain_error_of(ExceptionGroup("", [ExceptionGroup("", [error]), error])) is error
    assert domain_error_of(ExceptionGroup("", [error, ValueError()])) is None
    assert domain_error_of(ValueError()) is None
