"""Lists of robots and of freemail domains: what comes with the program, and what operators add or take out."""

from pathlib import Path

import pytest

from abuse_triage import config
from abuse_triage.config.lists import list_problems
from abuse_triage.errors import ConfigError
from abuse_triage.model.identity import Contact
from abuse_triage.model.settings import Settings

SHIPPED = config.shipped_rules()


def settings(robots: Path | None = None, freemail: Path | None = None, *contacts: Contact) -> Settings:
    """Return an example's settings with these files and contacts."""
    found = config.neutral()
    reply = found.reply.model_copy(update={"robots": robots, "freemail": freemail})
    return found.model_copy(update={"reply": reply, "contact": contacts})


def written(folder: Path, text: str) -> Path:
    """Write a list."""
    path = folder / "list.txt"
    path.write_text(text, "utf-8")
    return path


def test_the_shipped_lists_are_read() -> None:
    """Known robots and freemail services are there without any file of one's own, and no problem is."""
    assert {"autoreports@shadowserver.org", "reports.spamcop.net"} <= config.robots(settings())
    assert {"gmail.com", "sapo.pt", "outlook.com"} <= config.freemail(settings())
    assert [] == list_problems(settings())


@pytest.mark.parametrize("name", ["robots.txt", "freemail.txt"])
def test_a_shipped_list_names_nothing_twice(name: str) -> None:
    """Every entry of a shipped list stands there once, in lower case."""
    lines = (SHIPPED / name).read_text("utf-8").splitlines()
    entries = [line for line in lines if line and not line.startswith("#")]
    assert len(set(entries)) == len(entries)
    assert [entry.strip().lower() for entry in entries] == entries


def test_a_company_of_people_is_no_robot() -> None:
    """Of companies whose people report too, only the robots' exact addresses are listed."""
    assert set() == {"netcraft.com", "shadowserver.org", "spamcop.net", "blocklist.de"} & config.robots(settings())


def test_an_own_list_adds_and_takes_out(tmp_path: Path) -> None:
    """Entries of one's own come besides the shipped; "!" takes a shipped one out; comments and case do not count."""
    path = written(
        tmp_path, "# ours\n\nFeed@Example.org  # sensors\nfeeds.example.net\r\n! autoreports@shadowserver.org\n"
    )
    found = config.robots(settings(path))
    assert {"feed@example.org", "feeds.example.net", "reports.spamcop.net"} <= found
    assert "autoreports@shadowserver.org" not in found
    own = written(tmp_path, "mail.example.pt\n!gmail.com")
    assert "mail.example.pt" in config.freemail(settings(None, own))
    assert "gmail.com" not in config.freemail(settings(None, own))


def test_contacts_that_are_robots_are_listed() -> None:
    """A contact of kind "robot" is on the list with addresses and domains, a team is not."""
    robot = Contact(name="Feed", kind="robot", addresses=("feed@example.org",), domains=("feeds.example.net",))
    team = Contact(name="CERT Example", domains=("cert.example.org",))
    found = config.robots(settings(None, None, robot, team))
    assert {"feed@example.org", "feeds.example.net"} <= found
    assert "cert.example.org" not in found


def test_every_wrong_line_is_told(tmp_path: Path) -> None:
    """A line that is no entry is told with file and line, all of them at once, and nothing of it is repeated."""
    path = written(tmp_path, "feed@example.org\nno entry\n@example.org\nexample\n!\n\x1b[31mred.example.org\n")
    with pytest.raises(ConfigError) as caught:
        config.robots(settings(path))
    assert [
        f"{path}:{line}: is not an address or a domain, such as feed@example.org" for line in (2, 3, 4, 5, 6)
    ] == list(caught.value.problems)
    assert list(caught.value.problems) == list_problems(settings(path))


def test_freemail_takes_domains_only(tmp_path: Path) -> None:
    """An address is no domain."""
    path = written(tmp_path, "ana@example.org")
    assert [f"{path}:1: is not a domain, such as example.org"] == list_problems(settings(None, path))


def test_a_list_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A missing file, one above 1 MB, and one with too many entries each have their problem."""
    missing = tmp_path / "none.txt"
    assert [f"{missing}: reply.robots: cannot be read: No such file or directory"] == list_problems(settings(missing))
    large = written(tmp_path, "#" * 1_000_001)
    assert [f"{large}: reply.robots: is larger than 1 MB"] == list_problems(settings(large))
    assert [] == list_problems(settings(written(tmp_path, "#" * 1_000_000)))
    long = written(tmp_path, "\n".join(f"{number}.example.org" for number in range(20_001)))
    assert [f"{long}: reply.freemail: has more than 20000 entries"] == list_problems(settings(None, long))
    assert 20_000 < len(config.freemail(settings(None, written(tmp_path, long.read_text().partition("\n")[2]))))


def test_bytes_that_are_no_text_are_a_wrong_line(tmp_path: Path) -> None:
    """What is not UTF-8 is a problem in its line, unless it stands in a comment."""
    path = tmp_path / "list.txt"
    path.write_bytes(b"# caf\xe9\nf\xe9ed@example.org\n")
    assert 1 == len(list_problems(settings(path)))
    assert list_problems(settings(path))[0].startswith(f"{path}:2: ")
