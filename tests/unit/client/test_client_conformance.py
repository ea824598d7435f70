"""Each validator passes a good record and catches the violation that was seeded for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fakes import extraction_servicer as fake
from vidence.extraction.v1 import extraction_service_pb2 as service
from vidence.stream.v1.stream_control_pb2 import Heartbeat
from vidence_client.conformance import Response, Violation, check_isolated, check_result_stream

pytestmark = pytest.mark.requirement("R-ST1")

Record = list[Response]


def record() -> Record:
    """A good record: a field in two revisions, a heartbeat in between."""
    better = fake.read_field("document.number", "L898902C3", revision=2)
    return fake.responses(
        fake.connected(),
        fake.start(),
        fake.detected(),
        service.ExtractionField(field=fake.NUMBER),
        Heartbeat(),
        fake.progress(1, 3),
        service.ExtractionField(field=better),
        fake.progress(3, 3),
        service.ExtractionField(field=fake.SURNAME),
        fake.complete(better, fake.SURNAME),
    )


def drop(position: int) -> Callable[[Record], None]:
    def change(messages: Record) -> None:
        del messages[position]
        renumber(messages)

    return change


def renumber(messages: Record) -> None:
    for sequence, message in enumerate(messages, start=1):
        message.sequence = sequence


def repeat(position: int) -> Callable[[Record], None]:
    def change(messages: Record) -> None:
        copy = Response()
        copy.CopyFrom(messages[position])
        messages.insert(position + 1, copy)
        renumber(messages)

    return change


def swap(first: int, second: int) -> Callable[[Record], None]:
    def change(messages: Record) -> None:
        messages[first], messages[second] = messages[second], messages[first]
        for message in messages:
            message.emit_time.Clear()
        renumber(messages)

    return change


def hole(messages: Record) -> None:
    messages[4].sequence = 9


def time_falls(messages: Record) -> None:
    messages[4].emit_time.seconds -= 1


def nothing_known(messages: Record) -> None:
    messages[4].ClearField("heartbeat")


def revision_skipped(messages: Record) -> None:
    messages[6].extraction_field.field.revision = 3
    messages[9].extraction_complete.document.fields[0].revision = 3


def revision_again(messages: Record) -> None:
    messages[6].extraction_field.field.revision = 1
    messages[9].extraction_complete.document.fields[0].revision = 1


def after_the_end(messages: Record) -> None:
    messages += fake.responses(Heartbeat())
    messages[-1].emit_time.CopyFrom(messages[-2].emit_time)
    renumber(messages)


def two_ends(messages: Record) -> None:
    repeat(9)(messages)


def foreign_reading(messages: Record) -> None:
    messages[1].extraction_start.extraction_id = "ext_other"


def foreign_key(messages: Record) -> None:
    messages[8].extraction_field.field.key = "visa.number"
    messages[9].extraction_complete.document.fields[1].key = "visa.number"


def done_falls(messages: Record) -> None:
    messages[7].extraction_progress.done = 0
    messages[7].extraction_progress.fraction = 0


def done_exceeds(messages: Record) -> None:
    messages[7].extraction_progress.done = 4


def wrong_fraction(messages: Record) -> None:
    messages[5].extraction_progress.fraction = 0.9


def older_revision(messages: Record) -> None:
    messages[9].extraction_complete.document.fields[0].CopyFrom(fake.NUMBER)


def field_missing(messages: Record) -> None:
    del messages[9].extraction_complete.document.fields[1]


def field_unheard_of(messages: Record) -> None:
    messages[9].extraction_complete.document.fields.append(
        fake.read_field("document.number", "L898902C3", index=1)
    )


def field_twice(messages: Record) -> None:
    fields = messages[9].extraction_complete.document.fields
    fields.append(fields[0])


def judge(messages: Record, *, cancelled: bool = False) -> list[Violation]:
    return check_result_stream(
        messages,
        cancelled=cancelled,
        extraction_id=fake.EXTRACTION_ID,
        keys={"document.number", "holder.surname"},
    )


def test_a_good_record_breaks_no_guarantee() -> None:
    assert judge(record()) == []
    assert check_result_stream(fake.PASSPORT) == []
    assert check_result_stream(fake.responses(fake.connected(), fake.failed(fake.CORRUPT))) == []


@pytest.mark.parametrize(
    ("seed", "validator", "position"),
    [
        (hole, "Ordered", 4),
        (time_falls, "Ordered", 4),
        (nothing_known, "Ordered", 4),
        (drop(0), "Ordered", 0),
        (repeat(0), "Ordered", 1),
        (repeat(1), "Ordered", 2),
        (repeat(2), "Ordered", 3),
        (swap(1, 2), "Ordered", 1),
        (swap(2, 3), "Ordered", 3),
        (revision_skipped, "Unique", 6),
        (revision_again, "Unique", 6),
        (drop(9), "Terminated", 9),
        (after_the_end, "Terminated", 10),
        (two_ends, "Terminated", 10),
        (foreign_reading, "Isolated", 1),
        (foreign_key, "Isolated", 8),
        (done_falls, "Progress", 7),
        (done_exceeds, "Progress", 7),
        (wrong_fraction, "Progress", 5),
        (older_revision, "Complete", 9),
        (field_missing, "Complete", 9),
        (field_unheard_of, "Complete", 9),
        (field_twice, "Complete", 9),
    ],
    ids=lambda value: getattr(value, "__qualname__", value),
)
def test_a_seeded_violation_is_caught_by_its_validator_alone(
    seed: Callable[[Record], None], validator: str, position: int
) -> None:
    messages = record()
    seed(messages)
    violations = judge(messages)
    assert {violation.validator for violation in violations} == {validator}
    assert violations[0].position == position


def test_a_cancelled_record_needs_no_end_but_may_have_nothing_after_one() -> None:
    cut = record()[:6]
    assert judge(cut, cancelled=True) == []
    assert [violation.validator for violation in judge(cut)] == ["Terminated"]
    messages = record()
    after_the_end(messages)
    assert [violation.validator for violation in judge(messages, cancelled=True)] == ["Terminated"]


def test_messages_of_two_readings_in_one_record_are_not_isolated() -> None:
    messages = record()
    repeat(1)(messages)
    messages[2].extraction_start.extraction_id = "ext_other"
    assert [violation.position for violation in check_isolated(messages)] == [2]


def test_violations_do_not_repeat_what_was_read() -> None:
    messages = record()
    older_revision(messages)
    revision_skipped(messages)
    assert "L898902C3" not in str(judge(messages))
