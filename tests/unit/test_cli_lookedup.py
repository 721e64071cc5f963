"""The section "Look-ups" of a ticket, word by word, and the commands that print it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
from contract.asking import answer, claim, found, found_network, wanted, withheld
from contract.values import DRAFT, VERDICT, open_ticket
from csirt import Csirt, install

from abuse_triage.cli import lookedup
from abuse_triage.cli.lookedup import Sources, hosts_of, progress, show_lookups
from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookups import (
    Answer,
    ContactKind,
    DirectoryEntry,
    FoundContact,
    Known,
    LookupKind,
    LookupState,
    Offline,
    Permission,
    Registrar,
    Result,
)
from abuse_triage.store.lookups import TicketLookup

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
ZONE = "Europe/Lisbon"
IP, NAME, OURS = "185.5.80.7", "example.org", "loja.pt"
SUBJECTS = {LookupKind.DOMAIN: NAME, LookupKind.HOSTS: NAME, LookupKind.DELEGATION: OURS, LookupKind.OWN_DOMAIN: OURS}
HOSTILE = "Evil\x1b[2J\x1b]0;pwned\x07 \u202etxt.exe\u2066\r\nJournal\n  root: set by hand \x9b31m\u200b"


def said(kind: LookupKind, **fields: Any) -> Answer:
    """Return an answer of a registry."""
    plain = Answer(kind=kind, subject=SUBJECTS.get(kind, IP), server="rdap.example", result=Result.FOUND)
    return replace(plain, **fields)


def given(one: Answer, state: LookupState = LookupState.ANSWERED, **fields: Any) -> TicketLookup:
    """Return a look-up with its answer."""
    known = Known(answer=one, asked_at=AT, fresh_until=AT, stale_until=AT, tlp=Tlp.GREEN)
    return look_up(one.kind, state, known=known, **fields)


def look_up(kind: LookupKind, state: LookupState, **fields: Any) -> TicketLookup:
    """Return a look-up without an answer."""
    plain = TicketLookup(
        kind=kind, subject=SUBJECTS.get(kind, IP), state=state, permission=Permission.YES, reason="", at=AT
    )
    return replace(plain, **fields)


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return what some look-ups look like."""

    def print_them(*lookups: TicketLookup, sources: Sources | None = None, **more: Any) -> str:
        show_lookups(lookups, sources or Sources(), ZONE, **more)
        return capsys.readouterr().out

    return print_them


def section(text: str) -> str:
    """Return a text as the section prints it: the title above, everything two columns from the left."""
    return "\nLook-ups\n" + indent(dedent(text).strip() + "\n", "  ")


NETWORK = said(
    LookupKind.NETWORK,
    first="185.5.80.0",
    last="185.5.80.255",
    network="EX-NET",
    holder="Exemplo Redes",
    country="PT",
    registry="ripe",
)
FOUND: Mapping[str, tuple[Answer, str]] = {
    "network": (
        NETWORK,
        """
          185[.]5[.]80[.]7
            network       EX-NET, 185.5.80.0 to 185.5.80.255, Exemplo Redes, PT, ripe  [rdap.example, 2026-11-22 10:00]
        """,
    ),
    "domain": (
        said(
            LookupKind.DOMAIN,
            holder="Example Shop",
            registrar="Example Registrar",
            created=AT - timedelta(days=10, hours=10),
            expires=AT + timedelta(days=300),
            statuses=("client hold", "inactive"),
            name_servers=("ns1.example.net", "ns2.example.net"),
            signed=True,
            ds=("1 13 2 AB", "2 13 2 CD"),
        ),
        """
          example[.]org
            domain        Example Shop, registrar Example Registrar  [rdap.example, 2026-11-22 10:00]
                          registered 2026-11-12, expires 2027-09-18, client hold, inactive
                          name servers ns1.example.net ns2.example.net
                          signed (DNSSEC)
                          DS 1 13 2 AB
                          DS 2 13 2 CD
        """,
    ),
    "own-domain": (
        said(
            LookupKind.OWN_DOMAIN,
            server="whois.example.pt",
            managed_by="Registos Exemplo",
            statuses=("Registered",),
            contacts=(
                FoundContact(role="registrant", name="Loja", email="loja@loja.pt"),
                FoundContact(role="technical", email="noc@registos.example"),
                FoundContact(role="billing", name="Nobody", telephone="+351210000000"),
            ),
        ),
        """
          loja[.]pt
            own-domain    managed by Registos Exemplo  [whois.example.pt, 2026-11-22 10:00]
                          Registered
                          registrant: loja@loja.pt (Loja)
                          technical: noc@registos.example
        """,
    ),
    "delegation": (
        said(LookupKind.DELEGATION, name_servers=("ns1.loja.pt",), signed=False, reason="one server was silent"),
        """
          loja[.]pt
            delegation    name servers ns1.loja.pt  [rdap.example, 2026-11-22 10:00]
                          not signed (DNSSEC)
                          one server was silent
        """,
    ),
    "hosts": (
        said(
            LookupKind.HOSTS,
            server="",
            addresses=("192.0.2.1", "2001:db8::1"),
            mail_hosts=("mx1.example.org", "mx2.example.org"),
            texts=("v=spf1 -all", "a b"),
        ),
        """
          example[.]org
            hosts         192.0.2.1 2001:db8::1  [nobody, 2026-11-22 10:00]
                          mail to mx1.example.org mx2.example.org
                          text v=spf1 -all
                          text a b
        """,
    ),
    "pointer": (
        said(LookupKind.POINTER, names=("a.example.net", "b.example.net")),
        """
          185[.]5[.]80[.]7
            pointer       a.example.net b.example.net  [rdap.example, 2026-11-22 10:00]
        """,
    ),
    "abuse-contact": (
        said(
            LookupKind.ABUSE_CONTACT,
            contacts=(FoundContact(role="abuse", email="abuse@redes.example", source="RIPE abuse-c"),),
        ),
        """
          185[.]5[.]80[.]7
            abuse-contact see below  [rdap.example, 2026-11-22 10:00]
            write to      abuse@redes.example (RIPE abuse-c)
        """,
    ),
    "nothing told": (
        said(LookupKind.NETWORK),
        """
          185[.]5[.]80[.]7
            network       found  [rdap.example, 2026-11-22 10:00]
        """,
    ),
}


@pytest.mark.parametrize("kind", FOUND)
def test_each_kind_of_answer_has_its_words(shown: Callable[..., str], kind: str) -> None:
    """What belongs together stands on one line, with the server and the time of the answer on the first."""
    one, text = FOUND[kind]
    assert section(text) == shown(given(one))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (LookupKind.NETWORK, "no such network"),
        (LookupKind.ABUSE_CONTACT, "no abuse contact"),
        (LookupKind.DOMAIN, "not registered"),
        (LookupKind.OWN_DOMAIN, "not registered"),
        (LookupKind.DELEGATION, "not delegated"),
        (LookupKind.HOSTS, "no addresses"),
        (LookupKind.POINTER, "no name"),
    ],
)
def test_what_does_not_exist_is_said_by_kind(shown: Callable[..., str], kind: LookupKind, words: str) -> None:
    """Each kind says what is not there, with the reason where one is known."""
    missing = said(kind, result=Result.NOT_FOUND)
    line = f"    {kind.ljust(14)}{words}  [rdap.example, 2026-11-22 10:00]"
    assert line == shown(given(missing)).splitlines()[3]
    assert (
        line.replace(words, f"{words} (it says so)")
        == (shown(given(replace(missing, reason="it says so"))).splitlines()[3])
    )


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (look_up(LookupKind.NETWORK, LookupState.WAITING), "network       not asked yet"),
        (look_up(LookupKind.NETWORK, LookupState.WAITING, reason="waits for x"), "network       waits for x"),
        (look_up(LookupKind.NETWORK, LookupState.ASKING), "network       being asked"),
        (
            look_up(LookupKind.NETWORK, LookupState.ANSWERED),
            "network       it was answered; the answer is not kept any more (lookups.retention)",
        ),
        (look_up(LookupKind.NETWORK, LookupState.SKIPPED), "network       not asked"),
        (
            look_up(LookupKind.NETWORK, LookupState.SKIPPED, reason="not asked: a message has at most 50 look-ups"),
            "network       not asked: a message has at most 50 look-ups",
        ),
        (
            given(said(LookupKind.NETWORK, result=Result.FAILED, reason="status 400")),
            "network       failed: status 400  [rdap.example, 2026-11-22 10:00]",
        ),
        (
            given(replace(NETWORK, holder="", first="", registry=""), LookupState.WAITING),
            "network       EX-NET, PT  [rdap.example, 2026-11-22 10:00; asked again]",
        ),
        (
            given(said(LookupKind.NETWORK, country="PT"), LookupState.ASKING),
            "network       PT  [rdap.example, 2026-11-22 10:00; asked again]",
        ),
        (
            given(said(LookupKind.NETWORK, country="PT"), LookupState.WITHHELD),
            "network       PT  [rdap.example, 2026-11-22 10:00]",
        ),
    ],
)
def test_where_a_look_up_stands(shown: Callable[..., str], one: TicketLookup, line: str) -> None:
    """Waiting, being asked, gone, skipped, failed, and stale while it is asked again."""
    assert f"\nLook-ups\n  185[.]5[.]80[.]7\n    {line}\n" == shown(one)


def test_what_is_withheld_stands_together_by_its_reason(shown: Callable[..., str]) -> None:
    """One line for each reason; "(never)" is what nobody may release; how to release stands once, at the end."""
    red, other = "withheld by TLP:RED", "withheld by TLP:AMBER, which the ticket has now"
    lookups = (
        look_up(LookupKind.OWN_DOMAIN, LookupState.WITHHELD, reason=red, permission=Permission.ASK),
        look_up(LookupKind.DELEGATION, LookupState.WITHHELD, reason=red, permission=Permission.NO),
        look_up(LookupKind.NETWORK, LookupState.WITHHELD, reason=other, permission=Permission.ASK),
        look_up(LookupKind.POINTER, LookupState.WITHHELD, reason=red, permission=Permission.NO),
    )
    text = """
      loja[.]pt
        not asked     own-domain, delegation (never): withheld by TLP:RED
      185[.]5[.]80[.]7
        not asked     network: withheld by TLP:AMBER, which the ticket has now
        not asked     pointer (never): withheld by TLP:RED
    """
    assert section(text) == shown(*lookups)
    hint = "  To let one of them be asked: abuse-triage ticket lookup T-1 --allow SUBJECT\n"
    assert section(text) + hint == shown(*lookups, number="T-1")


def test_what_nobody_may_release_has_no_advice(shown: Callable[..., str]) -> None:
    """Where everything withheld is "(never)", no command would help."""
    one = look_up(LookupKind.POINTER, LookupState.WITHHELD, reason="withheld by TLP:RED", permission=Permission.NO)
    assert "--allow" not in shown(one, number="T-1")


def test_nothing_is_printed_where_nothing_is_known(shown: Callable[..., str]) -> None:
    """No title without a section; hosts of which the files say nothing are no reason for one."""
    assert "" == shown(hosts=["192.0.2.1", "example.org"])


def test_local_files_speak_about_what_is_asked_and_about_other_hosts(shown: Callable[..., str]) -> None:
    """Each host once; a host below a name that is asked about has no section of its own."""
    known = {
        IP: Offline(asn=64500, as_name="Exemplo", country="PT"),
        "192.0.2.9": Offline(owner="Cliente", owner_contact="soc@cliente.example", owner_key="192.0.2.0/24"),
        "shop.example.net": Offline(owner="Loja", owner_key="example.net", owner_note="24 h"),
        "2001:db8::1": Offline(as_name="Nameless"),
        "login.example.org": Offline(owner="Never", owner_key="example.org"),
    }
    text = """
      185[.]5[.]80[.]7
        local files   AS64500 Exemplo, PT
        network       not asked yet
      example[.]org
        domain        being asked
      192[.]0[.]2[.]9
        local files   Cliente (192.0.2.0/24)
        write to      soc@cliente.example (Cliente; your table of owners, 192.0.2.0/24)
      shop[.]example[.]net
        local files   Loja (example.net), 24 h
      2001[:]db8[:][:]1
        local files   Nameless
    """
    assert section(text) == shown(
        look_up(LookupKind.NETWORK, LookupState.WAITING),
        look_up(LookupKind.DOMAIN, LookupState.ASKING),
        sources=Sources(offline=known.get),
        hosts=["192.0.2.9", "login.example.org", "192.0.2.9", IP, "shop.example.net", "nothing.example", "2001:db8::1"],
    )


def test_hosts_of_indicators() -> None:
    """Of URLs the host without port, of addresses and names themselves, of e-mail addresses nothing."""
    indicators = [
        ("url", "https://login.example.org:8443/a?b"),
        ("url", "http://[2001:db8::1]/"),
        ("url", "nonsense"),
        ("ipv4", "192.0.2.1"),
        ("domain", "example.pt"),
        ("email", "ana@example.org"),
    ]
    assert ["login.example.org", "2001:db8::1", "", "192.0.2.1", "example.pt"] == hosts_of(indicators)


def test_whom_to_write_to_in_order(shown: Callable[..., str]) -> None:
    """Your owners, the abuse role, RIPE's contact, the managing entity, your registrars, the national CSIRT."""
    contact = FoundContact(role="abuse", name="Desk", email="abuse@redes.example", source="RDAP abuse role of AB")
    ripe = FoundContact(role="abuse", email="abuse-c@redes.example", source="RIPE abuse-c")
    manager = FoundContact(role="administrative", name="Registos", email="dom@registos.example", source="managing it")
    lookups = (
        given(said(LookupKind.ABUSE_CONTACT, contacts=(ripe,))),
        given(said(LookupKind.NETWORK, country="PT", contacts=(contact,))),
        given(said(LookupKind.OWN_DOMAIN, managed_by="Registos", contacts=(manager,))),
    )
    owner = Offline(owner="Cliente", owner_contact="soc@cliente.example", owner_key="185.5.80.0/24")
    national = DirectoryEntry(email="cert@cert.example", kind=ContactKind.NATIONAL_CSIRT, organisation="CERT Exemplo")
    sources = Sources(
        offline={IP: owner}.get,
        registrars=[Registrar(name="registos", contact="abuso@registos.example")],
        nationals={"PT": national},
    )
    text = """
      185[.]5[.]80[.]7
        local files   Cliente (185.5.80.0/24)
        abuse-contact see below  [rdap.example, 2026-11-22 10:00]
        network       PT  [rdap.example, 2026-11-22 10:00]
        write to      soc@cliente.example (Cliente; your table of owners, 185.5.80.0/24)
        or to         abuse@redes.example (Desk; RDAP abuse role of AB)
        or to         abuse-c@redes.example (RIPE abuse-c)
        or to         cert@cert.example (CERT Exemplo; your contact directory, national CSIRT of PT)
      loja[.]pt
        own-domain    managed by Registos  [rdap.example, 2026-11-22 10:00]
                      administrative: dom@registos.example (Registos)
        write to      dom@registos.example (Registos; managing it)
        or to         abuso@registos.example (Registos; your table of registrars)
        or to         cert@cert.example (CERT Exemplo; your contact directory, national CSIRT of PT)
    """
    assert section(text) == shown(*lookups, sources=sources)


def test_persons_are_not_named(shown: Callable[..., str]) -> None:
    """Of whom an answer marks as a person the address is shown, the name is not, as a proposal neither."""
    person = FoundContact(
        role="administrative", name="Maria Exemplo", email="maria@loja.pt", source="managing entity", personal=True
    )
    text = """
      loja[.]pt
        own-domain    see below  [rdap.example, 2026-11-22 10:00]
                      administrative: maria@loja.pt
        write to      maria@loja.pt (managing entity)
    """
    assert section(text) == shown(given(said(LookupKind.OWN_DOMAIN, contacts=(person,))))


@pytest.mark.parametrize("kind", list(LookupKind))
@pytest.mark.parametrize("result", list(Result))
def test_a_hostile_answer_leaves_the_terminal_clean(
    shown: Callable[..., str], kind: LookupKind, result: Result
) -> None:
    """No control or direction character of any text is printed, and none of them begins a line of its own."""
    contacts = tuple(
        FoundContact(role=role, name=HOSTILE, email=HOSTILE, source=HOSTILE, telephone=HOSTILE)
        for role in ("abuse", "administrative", HOSTILE)
    )
    texts = dict.fromkeys(
        ("server", "reason", "first", "last", "network", "holder", "country", "registry", "registrar"), HOSTILE
    )
    lists = dict.fromkeys(
        ("statuses", "name_servers", "ds", "addresses", "mail_hosts", "texts", "names"), (HOSTILE, HOSTILE)
    )
    answered = said(kind, result=result, managed_by=HOSTILE, signed=False, contacts=contacts, **texts, **lists)
    entry = DirectoryEntry(email=HOSTILE, kind=ContactKind.NATIONAL_CSIRT, organisation=HOSTILE)
    sources = Sources(
        offline=lambda _subject: Offline(as_name=HOSTILE, owner=HOSTILE, owner_contact=HOSTILE, owner_note=HOSTILE),
        nationals={"PT": entry},
    )
    skipped = look_up(kind, LookupState.SKIPPED, reason=HOSTILE)
    text = shown(given(answered), skipped, look_up(kind, LookupState.WITHHELD, reason=HOSTILE), sources=sources)
    assert "Evil" in text
    assert [] == [character for character in text if not character.isprintable() and character != "\n"]
    assert [] == [line for line in text.splitlines()[2:] if not line.startswith("  ")]
    assert "Evil\\x1b[2J\\x1b]0;pwned\\x07 \\u202etxt.exe\\u2066\\r\\nJournal" in text


def test_progress_is_told_on_one_line_of_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It writes over itself until all is over; elsewhere only the end is told."""
    progress(0, 2)
    progress(1, 2)
    assert "" == capsys.readouterr().err
    progress(2, 2)
    assert "2 look-ups done\n" == capsys.readouterr().err
    monkeypatch.setattr(lookedup.sys.stderr, "isatty", lambda: True)
    for over in range(3):
        progress(over, 2)
    assert "\r0 of 2 look-ups done\r1 of 2 look-ups done\r2 of 2 look-ups done\n" == capsys.readouterr().err


@pytest.fixture
def csirt(tmp_path: Path) -> Csirt:
    """An installation with one ticket, TLP:GREEN, that has three look-ups, one of them answered."""
    made = install(tmp_path)
    store = made.store()
    opens = replace(DRAFT, tlp=Tlp.GREEN, tlp_marked=False)
    open_ticket(
        *(store, "m1"),
        opens=opens,
        verdict=replace(VERDICT, tlp=Tlp.GREEN, tlp_marked=False),
        wanted=(
            wanted("185.5.80.7", LookupKind.NETWORK),
            withheld("example.org"),
            withheld("example.org", kind=LookupKind.HOSTS, permission=Permission.NO),
        ),
    )
    (task,) = claim(store)
    answer(store, task, found_network("185.5.80.0", "185.5.80.255", IP, country="PT", holder="Exemplo\x1b[31m"))
    store.close()
    return made


def untimed(text: str) -> str:
    """Return a text without times."""
    return re.sub(r", \d{4}-\d\d-\d\d \d\d:\d\d\]", "]", text)


TICKET = """\

Look-ups
  185[.]5[.]80[.]7
    network       NET-EXAMPLE, 185.5.80.0 to 185.5.80.255, Exemplo\\x1b[31m, PT  [rdap.example.net]
  example[.]org
    not asked     domain, hosts (never): withheld by TLP:GREEN
  To let one of them be asked: abuse-triage ticket lookup 1 --allow SUBJECT
"""


def test_ticket_lookup_shows_the_section_alone(csirt: Csirt) -> None:
    """Without options nothing changes; the number may have its sign in front."""
    result = csirt.run("ticket", "lookup", "#1")
    assert (TICKET, "") == (untimed(result.stdout), result.stderr)


def test_ticket_lookup_in_json(csirt: Csirt) -> None:
    """Every look-up with its state and its answer."""
    rows = csirt.json("ticket", "lookup", "1")
    assert [("network", "answered"), ("domain", "withheld"), ("hosts", "withheld")] == [
        (one["kind"], one["state"]) for one in rows
    ]
    assert "NET-EXAMPLE" == rows[0]["known"]["answer"]["network"]


@pytest.mark.parametrize("written", ["example.org", "EXAMPLE[.]org", " example(.)org "])
def test_a_release_takes_a_subject_as_it_is_printed(csirt: Csirt, written: str) -> None:
    """Defanged or not: it waits then, which is told, and that nobody asks while look-ups are off."""
    result = csirt.run("ticket", "lookup", "1", "--allow", written, "--kind", "domain")
    assert [
        "released: domain example.org",
        "lookups.enabled is false: nothing is asked until that is true and the daemon runs",
        "1 not answered yet",
    ] == result.stderr.splitlines()
    assert "    domain        not asked yet\n" in result.stdout
    assert "hosts (never): withheld by TLP:GREEN" in result.stdout


def test_a_release_where_look_ups_are_on_says_no_more(csirt: Csirt) -> None:
    """The daemon asks it soon."""
    text = csirt.path.read_text("utf-8")
    csirt.path.write_text(re.sub(r"(?m)^(# true asks as far.*\n)enabled = false", r"\1enabled = true", text), "utf-8")
    result = csirt.run("ticket", "lookup", "1", "--allow", "example.org")
    assert ["released: domain example.org", "1 not answered yet"] == result.stderr.splitlines()


def test_kind_alone_is_wrong_usage(csirt: Csirt) -> None:
    """It only says which of the released subjects' kinds are meant."""
    assert "--kind goes with --allow" in csirt.run("ticket", "lookup", "1", "--kind", "domain", code=2).stderr


def test_what_the_policy_forbids_cannot_be_released(csirt: Csirt) -> None:
    """It stays withheld, and nothing else is released with it."""
    csirt.run("ticket", "lookup", "1", "--allow", "example.org", "--kind", "hosts", code=65)
    csirt.run("ticket", "lookup", "1", "--allow", "nowhere.org", code=65)
    assert TICKET == untimed(csirt.run("ticket", "lookup", "1").stdout)


def test_a_ticket_without_look_ups_says_so(csirt: Csirt) -> None:
    """It ends with code 65 and says why; as a document it is an empty list; an unknown ticket is not found."""
    store = csirt.store()
    open_ticket(store, "m2", sender="rui@example.org", opens=replace(DRAFT, reporter="rui@example.org"))
    store.close()
    result = csirt.run("ticket", "lookup", "2", code=65)
    assert "this ticket has no look-ups" in result.stderr
    assert "lookups.enabled" in result.stderr
    assert [] == csirt.json("ticket", "lookup", "2")
    csirt.run("ticket", "lookup", "99", code=3)


def test_broken_local_files_are_told_and_the_ticket_is_shown(csirt: Csirt) -> None:
    """A warning for each problem; what does not need the files is there, the national CSIRT included."""
    (csirt.folder / "owners.csv").write_text("key,owner\nnonsense,x\n")
    text = csirt.path.read_text("utf-8")
    csirt.path.write_text(re.sub(r'(?m)^owners = ""', 'owners = "owners.csv"', text), "utf-8")
    store = csirt.store()
    entries = [
        DirectoryEntry(email=f"{name}@cert.example", kind=ContactKind.NATIONAL_CSIRT, organisation=name, country=where)
        for name, where in (("cert", "PT"), ("nowhere", ""))
    ]
    store.put_contacts(entries, "ana", AT)
    store.close()

    for words in (("ticket", "show", "1"), ("ticket", "lookup", "1")):
        result = csirt.run(*words)
        assert "warning: " in result.stderr
        assert "owners.csv" in result.stderr
        assert "NET-EXAMPLE, 185.5.80.0 to 185.5.80.255" in result.stdout
        assert "write to      cert@cert.example (cert; your contact directory, national CSIRT of PT)" in result.stdout


def test_local_files_are_shown_with_a_ticket(csirt: Csirt) -> None:
    """The owner of the network is proposed first."""
    (csirt.folder / "owners.csv").write_text("key,owner,contact,note\n185.5.80.0/24,Cliente,soc@cliente.example,\n")
    text = csirt.path.read_text("utf-8")
    csirt.path.write_text(re.sub(r'(?m)^owners = ""', 'owners = "owners.csv"', text), "utf-8")
    shown = csirt.run("ticket", "lookup", "1")
    assert "" == shown.stderr
    assert "    local files   Cliente (185.5.80.0/24)\n" in shown.stdout
    assert "write to      soc@cliente.example (Cliente; your table of owners, 185.5.80.0/24)" in shown.stdout


def test_answers_that_are_gone_leave_a_line(csirt: Csirt) -> None:
    """After lookups.retention a ticket still says that there was an answer."""
    store = csirt.store()
    assert 1 == store.forget_answers(datetime.now(UTC) + timedelta(days=1))
    store.close()
    shown = csirt.run("ticket", "lookup", "1").stdout
    assert "    network       it was answered; the answer is not kept any more (lookups.retention)\n" in shown


def test_a_failed_look_up_keeps_its_reason(csirt: Csirt) -> None:
    """What could not be asked is told in the words of the one who asked."""
    store = csirt.store()
    store.release_lookups("1", ["example.org"], [LookupKind.DOMAIN], "ana", AT)
    for task in store.claim_lookups(5, timedelta(minutes=1), AT):
        broken = found("example.org", result=Result.FAILED, reason="status 400", registrar="")
        answer(store, task, broken)
    store.close()
    assert "    domain        failed: status 400  [rdap.example.net]\n" in untimed(
        csirt.run("ticket", "lookup", "1").stdout
    )
