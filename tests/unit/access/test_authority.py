"""Who calls, whether that still holds, and how much each may ask for."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from fakes.access import KeyFile
from fakes.certificates import Authority as CertificateAuthority
from fakes.durable import SetClock
from vidence_server.access.allowances import Allowances
from vidence_server.access.authority import Authority, Books
from vidence_server.access.certificates import CertificateBook, Grant
from vidence_server.access.key_book import KeyBook
from vidence_server.access.principal import Presented, Principal
from vidence_server.core.clock import SystemClock
from vidence_server.core.errors import DomainError, Reason

pytestmark = pytest.mark.requirement("R-OP5")


@pytest.mark.parametrize(
    ("grant", "scope", "granted"),
    [
        ("events.read", "events.read", True),
        ("events.read", "events.reads", False),
        ("events.read", "events", False),
        ("events.*", "events.read", True),
        ("library.*", "library.faces.read", True),
        ("library.*", "library", False),
        ("library.*", "libraryx.read", False),
        ("*", "admin", True),
        ("", "admin", False),
    ],
)
def test_a_grant_covers_what_it_says(grant: str, scope: str, granted: bool) -> None:
    assert Principal("x", "acme", (grant,)).grants(scope) is granted


def test_what_was_presented_is_not_shown() -> None:
    assert "secret" not in repr(Presented("secret", "secret"))


async def test_a_changed_key_does_not_stand_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    text = keys.key("acme", "events.read")
    authority = Authority(Books(keys=KeyBook(keys.path, SystemClock())), ["acme"], SystemClock())
    principal = await authority.principal(Presented(api_key=text))
    assert authority.stands(principal)
    good = keys.path.read_bytes()
    keys.path.write_text("{")
    await authority.refresh()
    assert authority.stands(principal)
    keys.path.unlink()
    await authority.refresh()
    assert authority.stands(principal)
    keys.path.write_bytes(good)
    os.utime(keys.path, (1, 1))
    await authority.refresh()
    assert authority.stands(principal)
    assert not authority.stands(replace(principal, scopes=("*",)))
    keys.revoke(text)
    await authority.refresh()
    assert not authority.stands(principal)
    with pytest.raises(DomainError) as refused:
        await authority.principal(Presented(token=text))
    assert refused.value.reason is Reason.CREDENTIAL_EXPIRED


async def test_a_server_without_books_of_a_kind_knows_nobody_of_it() -> None:
    authority = Authority(Books(), ["acme"], SystemClock())
    for presented, reason in (
        (Presented(), Reason.CREDENTIAL_MISSING),
        (Presented(api_key="vk_x"), Reason.CREDENTIAL_INVALID),
        (Presented("", "a.b.c"), Reason.CREDENTIAL_INVALID),
        (Presented(certificate=b"pem"), Reason.CREDENTIAL_MISSING),
    ):
        with pytest.raises(DomainError) as refused:
            await authority.principal(presented)
        assert refused.value.reason is reason


def test_a_principal_stands_until_it_expires() -> None:
    clock = SetClock()
    authority = Authority(Books(), ["acme"], clock)
    holder = Principal("certificate x", "acme", (), clock.now() + timedelta(seconds=1))
    assert authority.stands(holder)
    clock.advance(1)
    assert not authority.stands(holder)
    assert not authority.stands(Principal("key_1", "acme", ()))
    assert not authority.stands(Principal("token_1", "acme", ()))


def test_a_call_means_the_tenant_of_its_credential() -> None:
    one, two = (Authority(Books(), tenants, SystemClock()) for tenants in (["acme"], ["acme", "globex"]))
    everybody, acme = Principal("x", "*", ()), Principal("y", "acme", ())
    assert (one.tenant(everybody, ""), two.tenant(everybody, "globex")) == ("acme", "globex")
    assert two.tenant(acme, "") == two.tenant(acme, "acme") == "acme"
    for principal, asked in ((everybody, ""), (everybody, "other"), (acme, "globex")):
        with pytest.raises(DomainError) as refused:
            two.tenant(principal, asked)
        assert refused.value.reason is Reason.TENANT_UNKNOWN


def test_a_certificate_names_its_holder() -> None:
    issuer = CertificateAuthority()
    book = CertificateBook({"till": Grant("acme", ("*",))}, SystemClock())
    assert book.principal(issuer.issue("till")[0]).tenant == "acme"
    expired = issuer.issue("till", life=timedelta(days=-1))[0]
    for pem, reason in (
        (issuer.issue("other")[0], Reason.CREDENTIAL_INVALID),
        (b"no PEM", Reason.CREDENTIAL_INVALID),
        (expired, Reason.CREDENTIAL_EXPIRED),
    ):
        with pytest.raises(DomainError) as refused:
            book.principal(pem)
        assert refused.value.reason is reason


def test_a_bucket_fills_again_with_time() -> None:
    clock = SetClock()
    allowances = Allowances(clock, per_s=2, burst=2, open_calls=None)

    def ask() -> float | None:
        try:
            with allowances.call("x"):
                return None
        except DomainError as error:
            return error.retry_after_s

    assert [ask(), ask(), ask()] == [None, None, 0.5]
    clock.advance(0.5)
    assert [ask(), ask()] == [None, 0.5]
    assert allowances.statistics().rate_limited == 2
    clock.advance(10)
    allowances.sweep()
    assert allowances.statistics().callers == 0


def test_open_calls_are_counted_until_they_end() -> None:
    allowances = Allowances(SetClock(), per_s=None, burst=1, open_calls=1)
    with allowances.call("x"):
        with pytest.raises(DomainError) as refused, allowances.call("x"):
            pass
        assert refused.value.reason is Reason.CALL_LIMIT
        with allowances.call("y"):
            allowances.sweep()
        assert allowances.statistics().callers == 2
    with allowances.call("x"):
        pass
    assert allowances.statistics().call_limited == 1
