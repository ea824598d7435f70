"""Each RPC of the suite says in its proto what a caller needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from fakes.access import all_methods
from vidence.access.v1 import options_pb2
from vidence_server.access.principal import wrong_grants
from vidence_server.runtime.access_rules import Rule, check_rules, rule_of

PROTOS = Path(__file__).resolve().parents[2] / "protos"


@pytest.mark.requirement("R-OP5")
@pytest.mark.parametrize("method", all_methods(), ids=lambda method: method.full_name)
def test_each_rpc_has_a_scope(method: MethodDescriptor) -> None:
    rule = method.GetOptions().Extensions[options_pb2.rule]
    assert rule.scope, "every RPC names the scope that its callers need"
    assert not wrong_grants([rule.scope])
    assert "*" not in rule.scope


@pytest.mark.requirement("R-OP5")
def test_the_rpcs_looked_at_are_those_of_the_protos() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (PROTOS / "vidence").rglob("*.proto"))
    written = re.findall(r"^  rpc (\w+)\(", text, re.MULTILINE)
    assert sorted(method.name for method in all_methods()) == sorted(written)


@pytest.mark.requirement("R-OP5")
def test_an_rpc_without_a_scope_is_not_served() -> None:
    file = FileDescriptorProto(name="access_rules_test.proto", package="access_rules_test")
    file.message_type.add(name="Empty")
    service = file.service.add(name="Careless")
    service.method.add(
        name="Do", input_type=".access_rules_test.Empty", output_type=".access_rules_test.Empty"
    )
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    with pytest.raises(LookupError, match="Careless/Do has no access rule"):
        check_rules("access_rules_test.Careless")


@pytest.mark.requirement("R-OP5")
def test_health_is_open_and_reflection_needs_any_credential() -> None:
    assert rule_of("grpc.health.v1.Health", "Check") is None
    assert rule_of("grpc.reflection.v1alpha.ServerReflection", "ServerReflectionInfo") == Rule()


@pytest.mark.requirement("R-CA10")
def test_a_session_token_is_enough_only_where_the_request_has_one() -> None:
    for method in all_methods():
        rule = rule_of(method.containing_service.full_name, method.name)
        assert rule is not None
        if rule.session_token:
            fields = method.input_type.fields_by_name
            opening = fields["opening"].message_type if "opening" in fields else method.input_type
            assert opening is not None
            assert "session_token" in opening.fields_by_name, method.full_name


@pytest.mark.requirement("R-OP5")
def test_each_scope_is_in_the_security_guide() -> None:
    guide = (PROTOS.parent / "docs" / "operations" / "security.md").read_text(encoding="utf-8")
    table = guide.partition("\n## Scopes\n")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| `([a-z.]+)` \|", table, re.MULTILINE))
    assert told == {method.GetOptions().Extensions[options_pb2.rule].scope for method in all_methods()}
