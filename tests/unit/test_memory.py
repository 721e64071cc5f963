"""Memory that sessions share."""

from abuse_triage.service.memory import SMALL_BYTES, SharedMemory


def test_small_messages_always_fit() -> None:
    """What is small asks for nothing."""
    memory = SharedMemory(0)
    with memory.share() as hold:
        assert hold(SMALL_BYTES)
        assert not hold(SMALL_BYTES + 1)


def test_shares_add_up() -> None:
    """Two large messages get what there is together, and give it back."""
    memory = SharedMemory(1000)
    with memory.share() as one:
        assert one(SMALL_BYTES + 300)
        assert one(SMALL_BYTES + 600)
        with memory.share() as two:
            assert not two(SMALL_BYTES + 401)
            assert two(SMALL_BYTES + 400)
            assert 0 == memory.free
        assert 400 == memory.free
    assert 1000 == memory.free


def test_what_is_kept() -> None:
    """Who may not have everything leaves what is kept, also where others have taken some of it."""
    memory = SharedMemory(1000, kept=400)
    with memory.share(everything=False) as stranger, memory.share() as relay:
        assert not stranger(SMALL_BYTES + 601)
        assert stranger(SMALL_BYTES + 600)
        assert relay(SMALL_BYTES + 300)
        assert not stranger(SMALL_BYTES + 601)
        assert stranger(SMALL_BYTES + 600)
        assert relay(SMALL_BYTES + 400)
    assert 1000 == memory.free
