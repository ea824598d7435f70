"""JSON Web Tokens: who signed them, for whom, and what they say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from fakes.access import ISSUER, Issuer
from fakes.durable import SetClock
from vidence_server.access.tokens import TokenBook, TokenRules, file_of, read_key_set, url_of
from vidence_server.core.errors import DomainError, Reason

pytestmark = pytest.mark.requirement("R-OP5")
RULES = TokenRules(ISSUER, "vidence")


def book_of(*issuers: Issuer, clock: SetClock | None = None) -> TokenBook:
    sets = iter([issuer.key_set() for issuer in issuers])
    return TokenBook(RULES, lambda: next(sets), clock or SetClock())


async def reason_of(book: TokenBook, token: str) -> Reason:
    with pytest.raises(DomainError) as refused:
        await book.principal(token)
    assert not token or token not in refused.value.message
    return Reason(refused.value.reason)


async def test_a_good_token_names_tenant_and_scopes_and_hides_its_subject() -> None:
    issuer = Issuer()
    token = issuer.token("acme", "openid events.read library.* profile:x", sub="jane@example.com")
    principal = await book_of(issuer).principal(token)
    assert (principal.tenant, principal.scopes) == ("acme", ("openid", "events.read", "library.*"))
    assert "jane" not in principal.name
    assert principal.expire_time is not None


async def test_scopes_may_be_a_list() -> None:
    issuer = Issuer()
    assert (await book_of(issuer).principal(issuer.token(scope=["a.b", "c"]))).scopes == ("a.b", "c")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.test"},
        {"aud": "other"},
        {"iss": None},
        {"aud": None},
        {"sub": None},
        {"exp": None},
        {"tenant": None},
        {"tenant": "A B"},
        {"tenant": ["acme"]},
        {"scope": {"events": 1}},
        {"scope": [1]},
        {"nbf": datetime.now(UTC) + timedelta(hours=1)},
    ],
)
async def test_a_token_that_does_not_say_what_it_must_is_refused(claims: dict[str, Any]) -> None:
    issuer = Issuer()
    assert await reason_of(book_of(issuer), issuer.token(**claims)) is Reason.CREDENTIAL_INVALID


async def test_an_expired_token_says_so() -> None:
    issuer = Issuer()
    token = issuer.token(exp=datetime.now(UTC) - timedelta(minutes=1))
    assert await reason_of(book_of(issuer), token) is Reason.CREDENTIAL_EXPIRED


async def test_a_token_of_another_key_is_refused() -> None:
    issuer = Issuer()
    assert await reason_of(book_of(issuer), Issuer().token()) is Reason.CREDENTIAL_INVALID


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.e30", "x" * 10_000])
async def test_what_is_no_token_is_refused(token: str) -> None:
    issuer = Issuer()
    assert await reason_of(book_of(issuer, issuer), token) is Reason.CREDENTIAL_INVALID


async def test_unsigned_tokens_and_shared_secrets_are_refused() -> None:
    issuer = Issuer()
    claims = {"iss": ISSUER, "aud": "vidence", "sub": "x", "exp": 4_000_000_000, "tenant": "acme"}
    unsigned = jwt.encode(claims, "", algorithm="none", headers={"kid": "one"})
    shared = jwt.encode(claims, "s" * 64, algorithm="HS256", headers={"kid": "one"})
    book = book_of(issuer)
    assert await reason_of(book, unsigned) is Reason.CREDENTIAL_INVALID
    assert await reason_of(book, shared) is Reason.CREDENTIAL_INVALID


def test_keys_of_shared_secrets_are_left_out_of_a_set() -> None:
    shared = {"kty": "oct", "k": "c2VjcmV0", "kid": "two", "alg": "HS256"}
    keys = json.loads(Issuer().key_set())["keys"]
    assert set(read_key_set(json.dumps({"keys": [*keys, shared]}).encode())) == {"one"}


async def test_an_unknown_key_is_asked_for_but_not_again_and_again() -> None:
    clock, old, new = SetClock(), Issuer("old"), Issuer("new")
    book = book_of(old, new, clock=clock)
    first = await book.principal(old.token())
    assert book.stands(first)
    assert await reason_of(book, new.token()) is Reason.CREDENTIAL_INVALID
    clock.advance(11)
    renewed = await book.principal(new.token())
    assert book.stands(renewed)
    assert not book.stands(first)


async def test_keys_go_on_while_the_issuer_is_away() -> None:
    clock, issuer = SetClock(), Issuer()
    answers = iter([issuer.key_set(), b"no JSON"])
    book = TokenBook(RULES, lambda: next(answers), clock, refresh_s=60)
    await book.refresh()
    await book.refresh()
    clock.advance(61)
    await book.refresh()
    assert (await book.principal(issuer.token())).tenant == "acme"


@pytest.mark.parametrize(
    "url", ["http://issuer.test/jwks", "ftp://x/y", "http://127.0.0.1.evil.test/", "jwks"]
)
def test_keys_are_not_fetched_in_the_open(url: str) -> None:
    with pytest.raises(DomainError, match="https"):
        url_of(url)


def test_keys_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match="No such file"):
        file_of(tmp_path / "none")()
    with pytest.raises(DomainError, match="cannot be fetched"):
        url_of("http://127.0.0.1:1/jwks")()
