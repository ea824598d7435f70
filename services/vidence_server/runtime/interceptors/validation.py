"""Checks messages against the rules written beside their fields in the protos."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, cast

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message
from protovalidate import Validator, Violation

from vidence_server.core.errors import DomainError, FieldViolation, Reason
from vidence_server.runtime.interceptors.chain import Behaviour, Context, Undecodable
from vidence_server.runtime.rpc import Method

_SUBSCRIPTS = ("index", "bool_key", "int_key", "uint_key", "string_key")


class ValidationInterceptor:
    """Refuses wrong requests; with `responses` it also fails calls whose responses are wrong, for tests."""

    def __init__(self, *, responses: bool = False) -> None:
        self._validator = Validator()
        self._responses = responses
        self._self_checked: set[tuple[str, str]] = set()  # bound: methods served

    def leave(self, service: str, methods: Iterable[str]) -> None:
        """Does not check the requests of these methods: their servicer does, by `check_request`."""
        self._self_checked.update((service, method) for method in methods)

    def wrap(self, method: Method, behaviour: Behaviour) -> Behaviour:
        """Checks the request, or each one of a stream as it is read."""

        async def checked(request: Any, context: Context) -> Any:
            if (method.service, method.name) in self._self_checked:
                pass
            elif method.request_streaming:
                request = self._checked_stream(request)
            else:
                self.check_request(request)
            if self._responses:
                checked_context = _CheckedContext(context, self, _response_class(method))
                response = await behaviour(request, cast(Context, checked_context))
                if response is not None:
                    self.check_response(response)
                return response
            return await behaviour(request, context)

        return checked

    def prepare(self, service: str) -> None:
        """Compiles the rules of a service's requests, so that its first caller need not wait for that."""
        methods = descriptor_pool.Default().FindServiceByName(service).methods
        for method in methods:
            self._validator.collect_violations(message_factory.GetMessageClass(method.input_type)())

    def check_request(self, request: Message | Undecodable) -> None:
        """Raises `REQUEST_INVALID` with the path of each field that breaks its rule."""
        if isinstance(request, Undecodable):
            raise DomainError(
                Reason.REQUEST_INVALID, "The bytes of the request are not the message they should be."
            )
        fields = self._violations(request)
        if fields:
            paths = ", ".join(field.field for field in fields)
            raise DomainError(
                Reason.REQUEST_INVALID, f"The request breaks its rules: {paths}.", fields=fields
            )

    def check_response(self, response: Message) -> None:
        """Raises `INTERNAL` with the path of each field that breaks its rule: a defect of the server."""
        fields = self._violations(response)
        if fields:
            broken = "; ".join(f"{field.field}: {field.description}" for field in fields)
            name = response.DESCRIPTOR.full_name
            raise DomainError(
                Reason.INTERNAL, f"The response {name} breaks its rules: {broken}.", fields=fields
            )

    def _violations(self, message: Message) -> tuple[FieldViolation, ...]:
        found = self._validator.collect_violations(message)
        return tuple(FieldViolation(field_path(item), item.proto.message) for item in found)

    async def _checked_stream(self, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for request in requests:
            self.check_request(request)
            yield request


class _CheckedContext:
    """A call whose writes are checked first; everything else is the call's own."""

    def __init__(
        self, context: Context, validation: ValidationInterceptor, response_class: type[Message]
    ) -> None:
        self._context = context
        self._validation = validation
        self._response_class = response_class

    async def write(self, message: Message | bytes) -> None:
        decoded = self._response_class.FromString(message) if isinstance(message, bytes) else message
        self._validation.check_response(decoded)
        await self._context.write(message)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def _response_class(method: Method) -> type[Message]:
    service = descriptor_pool.Default().FindServiceByName(method.service)
    return message_factory.GetMessageClass(service.methods_by_name[method.name].output_type)


def field_path(violation: Violation) -> str:
    """The path of the field that a violation is about, e.g. `options.pdf_page` or `fields[2].key`."""
    path = ""
    field = violation.proto.field
    for element in field.elements if field is not None else ():
        path += f".{element.field_name}" if path else str(element.field_name)
        subscript = element.subscript
        if subscript is not None:
            path += f"[{subscript.value!r}]"
    return path
