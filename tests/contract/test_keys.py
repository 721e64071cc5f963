"""The contract of keys: the operator's stay his, strangers' are few and apart, and a signature is new only once."""

from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from contract.engines import Engine
from contract.values import (
    LEASE,
    NOON,
    REPORTER,
    arrival,
    arrivals,
    certificate,
    claim_one,
    joins,
    known,
    open_ticket,
    opens,
    parks,
    quarantines,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abuse_triage.errors import InputError, NotFoundError
from abuse_triage.model.openpgp import Certificate, KeyOrigin, KnownKey
from abuse_triage.model.ticket import RelationKeys
from abuse_triage.store.interface import Finished, Store, Unfinished

ANA, RUI = "ana@example.org", "rui@example.pt"
DAY = timedelta(days=1)


def numbers(keys: list[KnownKey]) -> list[int]:
    """Which certificates these are."""
    return [int(key.certificate.fingerprint, 16) for key in keys]


def offer(store: Store, name: str, *offered: Certificate) -> None:
    """Let a message bring certificates."""
    open_ticket(store, name, offered=offered)


def test_certificate_comes_back_as_it_was(store: Store, other: Store) -> None:
    """Everything about a certificate is kept, and any process finds it."""
    whole = known(certificate(7, ANA, RUI), RUI, "soc@example.pt")
    store.add_key(whole)
    assert whole == other.known_key(whole.certificate.fingerprint)
    bare = known(
        certificate(8, expires=None, revoked=True, can_encrypt=False, created=NOON + timedelta(microseconds=1)),
        origin=KeyOrigin.WKD,
        note="",
    )
    store.add_key(bare)
    assert [bare, whole] == other.known_keys()


def test_strange_names_are_kept_safely(store: Store) -> None:
    """NUL and lone surrogates in what strangers wrote into their keys are replaced, everything else stays."""
    store.add_key(known(certificate(1, names=("a\0b", "\ud800", 'Zé "\\u0000" \U0001f511'))))
    assert store.known_key("1").certificate.names == ("a\ufffdb", "\ufffd", 'Zé "\\u0000" \U0001f511')


def test_newer_copy_replaces(store: Store) -> None:
    """A certificate that is added again is there once, with what is known of it now."""
    store.add_key(known(certificate(1, ANA), ANA))
    newer = known(certificate(1, RUI, key_ids=("F" * 16,)), RUI, note="", added_at=NOON + DAY)
    store.add_key(newer)
    assert [newer] == store.known_keys()
    assert [newer] == store.keys_of(RUI) == store.keys_with(["F" * 16])
    assert store.keys_of(ANA) == store.keys_with([certificate(1).key_ids[0]]) == []


def test_offered_certificate_becomes_the_operators(store: Store) -> None:
    """What came with a report is the operator's once he has added it, and is a stranger's no more."""
    offer(store, "m1", certificate(1, ANA))
    store.add_key(known(certificate(1, ANA), ANA))
    assert [known(certificate(1, ANA), ANA)] == store.known_keys()
    assert store.known_keys([KeyOrigin.ATTACHED]) == []


@pytest.mark.parametrize("better", [KeyOrigin.OPERATOR, KeyOrigin.WKD])
def test_what_came_in_a_better_way_stays(store: Store, better: KeyOrigin) -> None:
    """No message and no domain changes what the operator has added, and no message what a domain publishes."""
    mine = known(certificate(1, ANA), ANA, origin=better)
    store.add_key(mine)
    offer(store, "m1", certificate(1, RUI, key_ids=("F" * 16,), blob=b"x"))
    store.add_key(known(certificate(1, RUI), RUI, origin=KeyOrigin.ATTACHED))
    if better is KeyOrigin.OPERATOR:
        store.add_key(known(certificate(1, RUI), RUI, origin=KeyOrigin.WKD))
    assert [mine] == store.known_keys()
    assert store.keys_of(RUI) == store.keys_with(["F" * 16]) == []


@pytest.mark.parametrize("better", [KeyOrigin.OPERATOR, KeyOrigin.WKD])
@pytest.mark.parametrize("way", ["message", KeyOrigin.ATTACHED, KeyOrigin.WKD])
def test_a_revocation_is_believed_whoever_brings_it(store: Store, better: KeyOrigin, way: str) -> None:
    """The copy that its owner revoked takes the place of the certificate; whose it is, addresses and note stay."""
    mine = known(certificate(1, ANA), ANA, origin=better)
    store.add_key(mine)
    revoked = certificate(1, ANA, revoked=True, can_encrypt=False, blob=b"revoked")
    stays = known(revoked, ANA, origin=better)
    if way == "message":
        offer(store, "m1", revoked)
    else:
        store.add_key(known(revoked, ANA, origin=KeyOrigin(way), note=mine.note))
    assert [stays] == store.known_keys() == store.keys_of(ANA)
    for copy in (certificate(1, ANA), certificate(1, RUI, revoked=True, blob=b"another")):
        offer(store, f"again{copy.revoked}", copy)
        assert [stays] == store.known_keys()


@pytest.mark.parametrize("origin", KeyOrigin)
def test_no_copy_takes_a_revocation_back(store: Store, origin: KeyOrigin) -> None:
    """A copy from before the revocation changes addresses and origin at most."""
    revoked = certificate(1, ANA, revoked=True, can_encrypt=False, blob=b"revoked")
    store.add_key(known(revoked, ANA, origin=origin))
    store.add_key(known(certificate(1, ANA), ANA, RUI))
    assert [known(revoked, ANA, RUI)] == store.known_keys()


def test_removed_certificate_is_gone(store: Store) -> None:
    """Nothing of a certificate is found after it was removed, and all others stay."""
    store.add_key(known(certificate(1, ANA), ANA))
    store.add_key(known(certificate(2, ANA), ANA))
    store.remove_key(certificate(1).fingerprint)
    assert [2] == numbers(store.known_keys()) == numbers(store.keys_of(ANA))
    assert store.keys_with(certificate(1).key_ids) == []
    for fingerprint in (certificate(1).fingerprint, ""):
        with pytest.raises(NotFoundError):
            store.remove_key(fingerprint)
    assert numbers(store.known_keys()) == [2]


def test_certificates_are_listed_newest_first(store: Store) -> None:
    """A list has what was stored last on top, of the origins asked for, and ends at its limit."""
    for number, origin in enumerate(KeyOrigin, 1):
        store.add_key(known(certificate(number), origin=origin))
    assert list(KeyOrigin) == [KeyOrigin.OPERATOR, KeyOrigin.WKD, KeyOrigin.ATTACHED]
    assert numbers(store.known_keys()) == [3, 2, 1]
    assert numbers(store.known_keys(limit=2)) == [3, 2]
    assert numbers(store.known_keys([KeyOrigin.WKD, KeyOrigin.OPERATOR])) == [2, 1]
    store.add_key(known(certificate(1)))
    assert numbers(store.known_keys()) == [1, 3, 2]


def test_certificate_is_found_by_the_end_of_its_fingerprint(store: Store) -> None:
    """People write fingerprints with blanks, in small letters, with 0x, or the end only; several are too many."""
    store.add_key(known(certificate(0xABC1234)))
    store.add_key(known(certificate(0xDEF1234)))
    for written in ("ABC1234", "abc 1234", "0xABC1234", certificate(0xABC1234).fingerprint):
        assert numbers([store.known_key(written)]) == [0xABC1234]
    for ask in (store.known_key, store.remove_key):
        with pytest.raises(InputError, match=f"'1234' may be several keys: {certificate(0xABC1234).fingerprint}, 0"):
            ask("1234")
    assert len(store.known_keys()) == 2


@pytest.mark.parametrize("written", ["", " ", "9", "%", "_", "0x", "g", "0" * 41, "\0", "\ud800", "1" * 10_000])
def test_unknown_certificate_is_an_error(store: Store, written: str) -> None:
    """What is no fingerprint, or of no certificate here, is not found, and the message about it is short."""
    store.add_key(known(certificate(1)))
    with pytest.raises(NotFoundError) as caught:
        store.known_key(written)
    assert len(str(caught.value)) < 200


def test_who_may_speak_for_an_address(store: Store) -> None:
    """First the operator's word for the address, then its domain's, then claims; of each the newest first."""
    wkd, attached = KeyOrigin.WKD, KeyOrigin.ATTACHED
    for number, (origin, addresses) in enumerate(
        [(attached, ()), (wkd, ()), (wkd, (ANA,)), (KeyOrigin.OPERATOR, (ANA,)), (attached, ())], 1
    ):
        store.add_key(known(certificate(number, ANA, RUI), *addresses, origin=origin))
    store.add_key(known(certificate(6), RUI, ANA))
    assert numbers(store.keys_of(ANA)) == numbers(store.keys_of("Ana@Example.org")) == [6, 4, 3, 5, 2, 1]
    assert store.keys_of("nobody@example.org") == store.keys_of("") == []


def test_names_in_the_operators_keys_are_no_word_of_his(store: Store) -> None:
    """A partner whose key also names others does not speak for them."""
    store.add_key(known(certificate(1, ANA, RUI), ANA))
    assert numbers(store.keys_of(ANA)) == [1]
    assert store.keys_of(RUI) == []


def test_certificates_are_found_by_their_key_ids(store: Store) -> None:
    """A key id or fingerprint, of the primary key or of a subkey, finds its certificate, once."""
    store.add_key(known(certificate(1)))
    store.add_key(known(certificate(2)))
    primary, subkey = certificate(1).key_ids
    for key_ids in ([primary], [subkey], [primary.lower()], ["A" * 24 + subkey], [certificate(1).fingerprint]):
        assert numbers(store.keys_with(key_ids)) == [1]
    assert numbers(store.keys_with([primary, subkey, *certificate(2).key_ids, "F" * 16])) == [2, 1]
    assert store.keys_with([]) == store.keys_with(["", "F" * 16, primary[1:]]) == []


def test_strangers_do_not_push_a_partner_out(store: Store) -> None:
    """However many offer certificates with a partner's key ids and address, his comes first, and 20 come at most."""
    mine = known(certificate(1000), ANA)
    store.add_key(mine)
    ids = mine.certificate.key_ids
    for number in range(1, 31):
        store.add_key(known(certificate(number, ANA, key_ids=ids), origin=KeyOrigin.ATTACHED))
    strangers = list(range(30, 11, -1))
    assert [1000, *strangers] == numbers(store.keys_with(ids)) == numbers(store.keys_of(ANA))


def test_expiring_certificates_are_told(store: Store) -> None:
    """The operator's that have expired, or will before the time, come soonest first; no others."""
    for number, days in enumerate((30, -5, 60, 59), 1):
        store.add_key(known(certificate(number, expires=NOON + days * DAY)))
    store.add_key(known(certificate(5, expires=None)))
    store.add_key(known(certificate(6, expires=NOON), origin=KeyOrigin.WKD))
    offer(store, "m1", certificate(7, expires=NOON))
    assert numbers(store.expiring_keys(NOON + 60 * DAY)) == [2, 1, 4]
    assert store.expiring_keys(NOON - 6 * DAY) == []


def test_signature_is_new_once(store: Store, other: Store) -> None:
    """A signature that came in one message is a replay in every other one, whatever became of the first."""
    store.accept(arrivals(4))
    for name, make in zip("wxyz", (opens, parks, quarantines, opens), strict=True):
        assert not other.seen_signature(name, "m009")
        claimed = claim_one(store)
        store.finish([make(claimed, signature_id=name)])
        assert not other.seen_signature(name, claimed.arrival.id)
        assert other.seen_signature(name, "m009")


def test_message_without_signature_marks_nothing(store: Store) -> None:
    """That two messages have no signature makes neither a replay."""
    open_ticket(store)
    assert not store.seen_signature("", "m2")


def test_message_that_is_tried_again_is_no_replay(store: Store) -> None:
    """Its own signature is new to it still; it stays the first one when another message brings the same."""
    store.accept([arrival("m1")])
    store.finish([quarantines(claim_one(store), signature_id="s", unseen=True)])
    open_ticket(store, "m2", signature_id="s")
    store.retry("m1", "ana", NOON)
    assert not store.seen_signature("s", "m1")
    assert store.seen_signature("s", "m2")
    (result,) = store.finish([opens(claim_one(store), signature_id="s", unseen=True)])
    assert isinstance(result, Finished)
    assert not store.seen_signature("s", "m1")


def test_two_that_were_decided_at_once_are_not_both_new(store: Store) -> None:
    """A decision that takes a signature for new is stale where another message has brought it meanwhile."""
    store.accept(arrivals(2))
    first, second = store.claim(2, LEASE)
    outcomes = [opens(claimed, signature_id="s", unseen=True) for claimed in (first, second)]
    done, stale = store.finish(outcomes)
    assert isinstance(done, Finished)
    assert Unfinished(message_id="m001", stale=True) == stale
    (decided,) = store.finish([replace(outcomes[1], unseen=False)])
    assert isinstance(decided, Finished)
    assert store.seen_signature("s", "m001")


def test_offered_certificate_is_kept_apart(store: Store) -> None:
    """What a message brings is nobody's word, and says which message brought it and when."""
    offer(store, "m1", certificate(1, ANA))
    (key,) = store.known_keys()
    assert key == KnownKey(
        certificate=certificate(1, ANA),
        origin=KeyOrigin.ATTACHED,
        added_at=NOON + timedelta(minutes=1),
        added_by="message m1",
    )
    assert [key] == store.keys_of(ANA) == store.keys_with(certificate(1).key_ids)


def test_later_copy_of_an_offered_certificate_replaces_it(store: Store) -> None:
    """A later copy counts, such as one that lives longer; the same copy changes nothing."""
    offer(store, "m1", certificate(1, ANA), certificate(2))
    offer(store, "m2", certificate(1, ANA))
    assert [(key.added_by, *numbers([key])) for key in store.known_keys()] == [("message m1", 2), ("message m1", 1)]
    longer = certificate(1, ANA, expires=NOON + 900 * DAY, blob=b"longer")
    offer(store, "m3", longer)
    assert [(key.added_by, *numbers([key])) for key in store.known_keys()] == [("message m3", 1), ("message m1", 2)]
    assert longer == store.known_key("1").certificate


def test_revocation_is_not_taken_back_by_an_old_copy(store: Store) -> None:
    """Who sends the copy from before a key was revoked does not make it good again."""
    offer(store, "m1", certificate(1, revoked=True, blob=b"revoked"))
    offer(store, "m2", certificate(1))
    assert store.known_key("1").certificate.revoked


def test_only_so_many_are_kept(engine: Engine, store: Store) -> None:
    """Those that came first make room; what the operator or a domain gave neither counts nor goes."""
    with closing(engine.open(max_offered=3)) as small:
        small.add_key(known(certificate(100)))
        small.add_key(known(certificate(101), origin=KeyOrigin.WKD))
        for number in range(1, 5):
            offer(small, f"m{number}", certificate(number))
        offer(small, "m5", *(certificate(number) for number in (5, 6)))
    assert numbers(store.known_keys()) == [6, 5, 4, 101, 100]


def test_one_address_has_only_so_many(store: Store) -> None:
    """Many certificates with one address push out each other, and nobody else's."""
    store.add_key(known(certificate(100, ANA), ANA))
    offer(store, "m0", certificate(50, RUI))
    offer(store, "m1", *(certificate(number, ANA, f"x{number}@example.org") for number in range(1, 10)))
    assert numbers(store.keys_of(ANA)) == [100, 9, 8, 7, 6, 5]
    assert numbers(store.known_keys([KeyOrigin.ATTACHED])) == [9, 8, 7, 6, 5, 50]
    assert store.keys_of("x4@example.org") == store.keys_with(certificate(4).key_ids) == []


def test_outcome_that_is_not_stored_leaves_no_key_behind(store: Store) -> None:
    """Where an outcome is stale, lost or impossible, neither its certificates nor its signature are kept."""
    store.accept(arrivals(3))
    first, second, third = store.claim(3, LEASE)
    brought = {"signature_id": "s", "offered": (certificate(1, ANA),)}
    lookup = RelationKeys(our_message_ids=(), numbers=(), fingerprint="same", sender=REPORTER, since=NOON - DAY)
    results = store.finish(
        [
            opens(first, keys=lookup),
            opens(second, keys=lookup, **brought),
            opens(replace(third, lease="another"), **brought),
            joins(third, 999, **brought),
        ]
    )
    assert [True, False, False, False] == [isinstance(result, Finished) for result in results]
    assert store.known_keys() == []
    assert not store.seen_signature("s", "m009")


# Certificates that are alike in number, with any of three addresses, more and more of them at once.
_OFFERS = st.lists(
    st.lists(
        st.builds(
            lambda number, emails, revoked: certificate(number, *emails, revoked=revoked),
            st.integers(1, 12),
            st.lists(st.sampled_from([ANA, RUI, "soc@example.pt"]), unique=True, max_size=3),
            st.booleans(),
        ),
        max_size=4,
    ),
    min_size=1,
    max_size=8,
)


_NAMES = (f"h{number}" for number in count())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(offers=_OFFERS)
def test_no_offers_break_the_limits(engine: Engine, offers: list[list[Certificate]]) -> None:
    """Whatever messages bring, no limit is passed, what the operator has added stays, and what came last is there."""
    mine = known(certificate(1, ANA), ANA)
    with closing(engine.open(max_offered=7)) as store:
        for key in store.known_keys():
            store.remove_key(key.certificate.fingerprint)
        store.add_key(mine)
        for name, offered in zip(_NAMES, offers, strict=False):
            offer(store, name, *offered)
            strangers = store.known_keys([KeyOrigin.ATTACHED])
            assert len(strangers) <= 7
            assert max(Counter(email for key in strangers for email in key.certificate.emails).values(), default=0) <= 5
            (operators,) = store.known_keys([KeyOrigin.OPERATOR])
            assert mine == replace(operators, certificate=mine.certificate)
            assert operators.certificate == mine.certificate or operators.certificate.revoked
            for found in offered[-1:]:
                assert found.fingerprint == store.known_key(found.fingerprint).certificate.fingerprint
