"""`status`: what waits, and what is left of the budgets."""

from datetime import UTC, datetime
from pathlib import Path

from csirt import install

from abuse_triage import config
from abuse_triage.replies.budget import overall


def test_status_shows_what_is_used_up_of_the_budgets(tmp_path: Path) -> None:
    """Both budgets for all senders stand there in percent, zero before anything was sent."""
    csirt = install(tmp_path)
    lines = [line.split() for line in csirt.lines("status")[-2:]]
    assert [["budget", f"{kind},", "%", "used", "0", "-"] for kind in ("proven", "unproven")] == lines
    _, unproven = overall(config.load(csirt.path).budget)
    csirt.hold_mails([str(number) for number in range(unproven.count // 4)])
    store = csirt.store()
    now = datetime.now(UTC)
    store.pay([(mail.id, [unproven]) for mail in store.mails((), 1000)], now)
    store.close()

    found = {gauge["name"]: gauge["count"] for gauge in csirt.json("status")}

    assert found["budget unproven, % used"] in {24, 25}
    assert 0 == found["budget proven, % used"]
