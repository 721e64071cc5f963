"""DKIM: signatures made by the test, keys in a real name server, and what is hostile about both."""

import time
from base64 import b64encode
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from proving import BODY, HEADERS, Key, Prover, ed25519, key_records, letter, openssl, rsa, signed
from servers.nsd import NameServer, text

from abuse_triage.lookups import dkim
from abuse_triage.lookups.dkim import Content

OTHER = Key(openssl("genrsa", "-traditional", "2048"), "", b"rsa-sha256")


def made_up(modulus: int, exponent: int = 3) -> Key:
    """Write an RSA key of so many octets that nobody has."""
    integers = b"".join(b"\x02\x82" + (size + 1).to_bytes(2) + b"\x00" + b"\xff" * size for size in (modulus, exponent))
    encoded = b64encode(b"\x30\x82" + len(integers).to_bytes(2) + integers).decode()
    return Key(b"", f"v=DKIM1; p={encoded}", b"")


@pytest.fixture(scope="module")
def prover(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prover]:
    """A name server with keys, and the check that asks it."""
    good = rsa(2048)
    records = key_records(
        s1=good,
        small=made_up(64),
        large=made_up(640),
        least=rsa(1024),
        three=rsa(2048, 3),
        ed=ed25519(),
        strict=Key(b"", good.record + "; t=y : s", b""),
        typed=Key(b"", good.record.replace("k=rsa; ", ""), b""),
        web=Key(b"", good.record + "; s=web", b""),
        sha1=Key(b"", good.record + "; h=sha1", b""),
        many=Key(b"", good.record + "; s=email; h=sha1:sha256", b""),
        report=Key(b"", good.record + "; s=tlsrpt", b""),
        heavy=made_up(256, exponent=256),
        revoked=Key(b"", "v=DKIM1; k=rsa; p=", b""),
        version=Key(b"", good.record.replace("DKIM1", "DKIM2"), b""),
        kind=Key(b"", "k=dsa; p=AAAA", b""),
        nonsense=Key(b"", "not a key at all", b""),
        base=Key(b"", "k=rsa; p=!!!", b""),
        edbroken=Key(b"", "k=ed25519; p=AAAA", b""),
        edmissing=Key(b"", "k=ed25519", b""),
    )
    records += f"two._domainkey IN TXT {text(good.record)}\ntwo._domainkey IN TXT {text(OTHER.record or 'p=')}\n"
    records += f"huge._domainkey IN TXT {text(good.record + '; n=' + 'x' * 60000)}\n"
    records += "circle._domainkey IN CNAME circle2._domainkey\ncircle2._domainkey IN CNAME circle._domainkey\n"
    zones = {"example.pt": records, "example.org": key_records(s1=good)}
    with NameServer(tmp_path_factory.mktemp("nsd"), zones) as server:
        yield Prover(server.address)


def found(prover: Prover, raw: bytes) -> tuple[str, bool]:
    """Return the result and whether it is aligned."""
    proven = prover.prove(raw)
    return proven.dkim, proven.dkim_aligned


@pytest.mark.parametrize("header", [b"simple", b"relaxed"])
@pytest.mark.parametrize("body", [b"simple", b"relaxed"])
@pytest.mark.parametrize("text", [BODY, b"", b"\r\n\r\n", b" \t ", b"a\r\n.\r\n b  \r\n", "é\r\n".encode("latin-1")])
def test_a_signature_passes_however_it_is_canonicalised(
    prover: Prover, header: bytes, body: bytes, text: bytes
) -> None:
    """Every algorithm of RFC 6376 section 3.4 is understood, for every shape of body."""
    assert ("pass", True) == found(prover, signed(letter(body=text), rsa(2048), canonical=(header, body)))


@pytest.mark.parametrize(
    ("key", "selector"),
    [(ed25519(), "ed"), (rsa(1024), "least"), (rsa(2048, 3), "three"), (rsa(2048), "typed"), (rsa(2048), "many")],
)
def test_the_usual_keys_are_accepted(prover: Prover, key: Key, selector: str) -> None:
    """Ed25519 (RFC 8463) and RSA from 1024 bits (RFC 8301)."""
    assert ("pass", True) == found(prover, signed(letter(), key, selector=selector))


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"203.0.113.7", b"203.0.113.8"), (b"Tentativas", b"Tentativa"), (b"rita@", b"rui@")],
)
def test_what_was_changed_fails(prover: Prover, old: bytes, new: bytes) -> None:
    """One octet of the body or of a signed field is enough."""
    raw = signed(letter(), rsa(2048))
    assert ("fail", False) == found(prover, raw.replace(old, new))


def test_line_ends_do_not_matter(prover: Prover) -> None:
    """A message that an MTA stored with bare line feeds is the same message."""
    raw = signed(letter(), rsa(2048), canonical=(b"simple", b"simple"))
    assert ("pass", True) == found(prover, raw.replace(b"\r\n", b"\n"))
    assert ("pass", True) == found(prover, b"From rita@example.pt Fri Nov 20 10:02:00 2026\r\n" + raw)


def test_a_signature_by_the_wrong_key_fails(prover: Prover) -> None:
    """Who does not have the key cannot sign."""
    assert ("fail", False) == found(prover, signed(letter(), OTHER))


@pytest.mark.parametrize(
    ("selector", "result"),
    [
        ("absent", "permerror"),
        ("revoked", "permerror"),
        ("version", "permerror"),
        ("kind", "permerror"),
        ("nonsense", "permerror"),
        ("base", "permerror"),
        ("edbroken", "permerror"),
        ("edmissing", "permerror"),
        ("two", "permerror"),
        ("huge", "permerror"),
        ("web", "permerror"),
        ("report", "permerror"),
        ("sha1", "permerror"),
        ("heavy", "policy"),
        ("circle", "temperror"),
    ],
)
def test_a_key_that_is_none_lets_nothing_pass(prover: Prover, selector: str, result: str) -> None:
    """Missing, revoked, ambiguous, huge, broken and dangerous keys are told apart from a wrong signature."""
    assert (result, False) == found(prover, signed(letter(), rsa(2048), selector=selector))


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (signed(letter(), rsa(2048), selector="small"), "its key has 512 bits"),
        (signed(letter(), rsa(2048), selector="large"), "its key has 5120 bits"),
        (signed(letter(), Key(rsa(2048).private, "", b"rsa-sha1")), "it uses SHA-1"),
        (signed(letter(), rsa(2048), selector="strict", identity="@mail.example.pt"), "its key is for no subdomain"),
        (signed(letter(), rsa(2048), length=True) + b"Transfira para a conta 4711.\r\n", "a part of the body only"),
    ],
    ids=["small", "large", "sha1", "subdomain", "length"],
)
def test_a_signature_that_is_too_weak_does_not_count(prover: Prover, raw: bytes, why: str) -> None:
    """The value may be right: it proves too little, and the note says why."""
    answer = prover.answer(raw)
    assert ("policy", False) == (answer.proven.dkim, answer.proven.dkim_aligned)
    assert [f"example.pt: {why}"] == [note.replace("it signs ", "") for note in answer.notes]


def test_a_length_that_covers_the_whole_body_counts(prover: Prover) -> None:
    """The tag alone is no reason for doubt."""
    assert ("pass", True) == found(prover, signed(letter(), rsa(2048), length=True))


def test_a_key_for_one_domain_only_signs_for_it(prover: Prover) -> None:
    """The flag "s" wants i= and d= to be the same, and they are."""
    assert ("pass", True) == found(prover, signed(letter(), rsa(2048), selector="strict"))


def test_a_signature_has_to_cover_from(prover: Prover) -> None:
    """Otherwise whoever gets the message can write another author into it (RFC 6376 section 6.1.1)."""
    raw = signed(letter(), rsa(2048)).replace(b"h=from :", b"h=")
    assert ("permerror", False) == found(prover, raw)


def test_a_second_from_breaks_the_signature(prover: Prover) -> None:
    """An author cannot be added above the signed one, or below it."""
    raw = signed(letter(), rsa(2048))
    for forged in (
        b"From: Chefe <chefe@example.pt>\r\n" + raw,
        raw.replace(b"\r\nTo:", b"\r\nFrom: x@example.pt\r\nTo:"),
    ):
        assert ("fail", False) == found(prover, forged)


@pytest.mark.parametrize(("seconds", "result"), [(-86400, "permerror"), (86400, "pass")])
def test_a_signature_expires(prover: Prover, monkeypatch: pytest.MonkeyPatch, seconds: int, result: str) -> None:
    """After x= the signature is worth nothing, within the slack for clocks that are wrong."""
    now = int(time.time())
    expires = now + seconds
    fold = dkim.dkim.fold

    def with_expiry(value: bytes, **given: object) -> bytes:
        return bytes(fold(value if b"; x=" in value else value.replace(b"; h=", b"; x=%d; h=" % expires), **given))

    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: min(now, expires - 100))
        patch.setattr(dkim.dkim, "fold", with_expiry)
        raw = signed(letter(), rsa(2048))
    assert b"x=%d" % expires in raw
    assert result == found(prover, raw)[0]


def test_of_two_signatures_one_that_passes_is_enough(prover: Prover) -> None:
    """A list that breaks the author's signature adds its own; neither hides the other."""
    own = signed(letter(), rsa(2048))
    listed = signed(own, rsa(2048), "example.org")
    assert ("pass", True) == found(prover, listed)
    assert ("pass", False) == found(
        prover, signed(own.replace(b"203.0.113.7", b"203.0.113.9"), rsa(2048), "example.org")
    )
    assert ("pass", True) == found(prover, listed.replace(b"d=example.org", b"d=example.net"))


def test_the_authors_own_signatures_are_tried_first(prover: Prover) -> None:
    """Five signatures of strangers on top do not keep us from the one that counts; more than five are not tried."""
    raw = signed(letter(), rsa(2048))
    for number in range(20):
        raw = signed(raw, rsa(2048), f"d{number}.example.net")
    answer = prover.answer(raw)
    assert ("pass", True) == (answer.proven.dkim, answer.proven.dkim_aligned)
    assert 4 == len(answer.notes)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"garbage",
        b"v=1",
        b"v=1; v=1",
        b"v=1; d=example.pt; s=s1; h=from",
        b"v=1; a=rsa-sha256; d=\xff\xfe; s=s1; h=from; bh=AAAA; b=AAAA",
        b"v=1; a=rsa-sha256; d=exam\xe2\x84\xaaple.pt; s=s1; h=from; bh=AAAA; b=AAAA",
        b"v=1; a=rsa-sha256; d=example.pt; s=..; h=from; bh=AAAA; b=AAAA",
        b"v=1; a=rsa-sha256; d=example.pt; s=s1; h=from; bh=A; b=A",
        b"v=1; a=rsa-sha256; d=example.pt; s=s1; h=from; bh=AAAA; b=AAAA; c=wild/wild",
        b"v=1; a=rsa-sha256; d=example.pt; s=s1; h=from; bh=AAAA; b=AAAA; c=wild; l=1",
        b"v=1; a=rsa-sha256; d=example.pt; s=s1; h=from; bh=AAAA; b=AAAA; l=-1",
        b"v=1; a=rsa-sha256; d=example.pt; s=s1; h=from; bh=AAAA; b=AAAA; l=" + b"9" * 5000,
        b"v=1; a=rsa-sha256; d=example.pt; s=s1; h=from; bh=AAAA; b=AAAA; q=carrier/pigeon",
        b"v=1; a=rsa-sha256; d=example.pt; i=@example.org; s=s1; h=from; bh=AAAA; b=AAAA",
        b"v=1; a=ed25519-sha256; d=example.pt; s=ed; h=from; bh=AAAA; b=AAAA",
        b"v=2; a=rot13; d=example.pt; s=s1; h=from; bh=AAAA; b=AAAA",
        b"v=1; a=rsa-sha256; d=example.pt; s=s1; h=from" + b":x" * 5000 + b"; bh=AAAA; b=AAAA",
        b"v=1; a=rsa-sha256; d=example.pt; s=s1; h=from; bh=AAAA; b=" + b"\r\n " * 2000 + b"A",
    ],
)
def test_nonsense_in_a_signature_never_passes(prover: Prover, signature: bytes) -> None:
    """Whatever a field holds, there is a result, quickly, and it is not "pass"."""
    used = time.process_time()
    result, aligned = found(prover, letter(extra=b"DKIM-Signature: " + signature + b"\r\n"))
    assert result in {"neutral", "permerror", "policy", "fail"}
    assert not aligned
    assert time.process_time() - used < 1  # thousands of times what it takes, hundredths of what a square would take


def test_a_message_without_signature_has_none(prover: Prover) -> None:
    """That is no failure."""
    assert ("none", False) == found(prover, letter())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n\r\nbody",
        b"no field\r\n" + letter(),
        b" continued\r\n" + letter(),
        b"X: a\rFrom: x@example.org\r\n" + letter(),
        b"X: y\r\n" * 1001 + letter(),
        b"X: " + b"y" * 256_000 + b"\r\n" + letter(),
    ],
    ids=["empty", "no header", "no field", "continued", "carriage return", "many", "long"],
)
def test_a_header_that_can_be_read_in_two_ways_is_not_checked(raw: bytes) -> None:
    """What other programs may take apart otherwise, or is too long, proves nothing."""
    assert None is dkim.split(raw, most_fields=1000, header_bytes=256_000)


def test_a_message_is_taken_apart_as_it_was_signed() -> None:
    """Names and values stay as they are, folded or not, and the body gets its CRLF."""
    raw = b"From a@b\nFrom : x\n\ty\nSubject:z\n\n\none\r\ntwo"
    assert (
        Content(((b"From ", b" x\r\n\ty\r\n"), (b"Subject", b"z\r\n")), b"\r\none\r\ntwo")
        == dkim.split(raw, most_fields=2, header_bytes=len(raw))
    )  # fmt: skip
    assert Content(((b"A", b"b\r\n"),), b"") == dkim.split(b"A:b", most_fields=2, header_bytes=9)


@given(st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"\r", b"a", b"b "]), max_size=30).map(b"".join))
def test_our_relaxed_algorithm_gives_what_dkimpy_gives(body: bytes) -> None:
    """It is faster, and nothing else."""
    theirs = dkim.Relaxed.canonicalize_body(body)
    assert theirs == dkim._LinearRelaxed.canonicalize_body(body)


def test_a_run_of_blanks_takes_no_square_of_time(prover: Prover) -> None:
    """Two million blanks in a row, which would take an hour, are nothing special."""
    raw = signed(letter(body=b"x" + b" " * 2_000_000 + b"y\r\n"), rsa(2048), headers=HEADERS)
    used = time.process_time()
    assert ("pass", True) == found(prover, raw)
    assert time.process_time() - used < 2


@given(st.binary(max_size=600), st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_garbage_has_a_result(prover: Prover, header: bytes, body: bytes) -> None:
    """No message makes the check fail, with garbage as signature, as field, as From or as everything."""
    for raw in (
        header + b"\r\n\r\n" + body,
        b"DKIM-Signature: v=1; d=example.pt; s=s1; " + header + b"\r\n" + letter(body=body),
        b"From: " + header + b"\r\n\r\n" + body,
        signed(letter(), rsa(2048)).replace(b"Subject: ", header),
    ):
        answer = prover.answer(raw, sender="rita@" + header.decode("latin-1"), peer="192.0.2.1")
        assert "Exception" not in str(answer.notes)
        assert {answer.proven.dkim, answer.proven.spf} <= {"none", "pass", "fail", "neutral", "permerror", "policy"}
