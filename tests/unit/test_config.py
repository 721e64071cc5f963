"""Configuration: reading, writing, checking, and the files it names."""

import json
import os
import re
import shutil
import tomllib
from datetime import time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage import config
from abuse_triage.errors import ConfigError
from abuse_triage.model.decision import Priority, TicketKind
from abuse_triage.model.section import Section
from abuse_triage.model.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "config.example.toml"
BAD = sorted(path.name for path in (ROOT / "tests" / "bad_configs").iterdir())
SMALL = """
[team]
name = "Example CSIRT"
ticket_prefix = "EXAMPLE"

[[mailbox]]
address = "Abuse@Example.pt"
"""


def installed(folder: Path, text: str = SMALL) -> Path:
    """Write a configuration with all that belongs to it; returns its path."""
    folder.joinpath("outbox").mkdir(parents=True)
    key = folder / "message-id.key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o600)
    path = folder / "config.toml"
    path.write_text(text, "utf-8")
    return path


def checked(path: Path) -> list[str]:
    """Return every problem that is found in a configuration, with its folder cut out."""
    try:
        found = config.problems(config.load(path), path)
    except ConfigError as error:
        found = list(error.problems)
    return [problem.replace(f"{path.parent}/", "") for problem in found]


@pytest.mark.parametrize("name", BAD)
def test_each_bad_configuration_is_refused_with_the_expected_words(name: str, tmp_path: Path) -> None:
    """Every folder of tests/bad_configs yields exactly the problems that its expected-error lists."""
    case = ROOT / "tests" / "bad_configs" / name
    path = installed(tmp_path / "etc", (case / "config.toml").read_text("utf-8"))

    assert (case / "expected-error").read_text("utf-8").splitlines() == checked(path)


def test_a_good_configuration_has_no_problems(tmp_path: Path) -> None:
    """A small configuration with its secret and folders passes."""
    assert [] == checked(installed(tmp_path / "etc"))


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("authentication", "authserv_id", "mx.example.pt"),
        ("authentication", "authserv_id", "correio.exemplo-é.pt"),
        ("reply", "own_lists", ("abuse.lists.example.pt",)),
        ("reply", "own_lists", ("<abuse.lists.example.pt>", "report_2+x.example.pt")),
    ],
)
def test_ids_that_fields_can_have_are_taken(tmp_path: Path, table: str, key: str, value: object) -> None:
    """As the field has it, with or without angle brackets."""
    written = json.dumps(value, ensure_ascii=False)
    path = installed(tmp_path / "etc", f"{SMALL}[{table}]\n{key} = {written}\n")

    assert [] == checked(path)
    assert value == getattr(getattr(config.load(path), table), key)


def test_paths_start_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths, given or by default, become absolute from the folder of the configuration file."""
    installed(tmp_path / "etc", SMALL + '[rules]\npaths = ["mine", "/usr/share/rules"]\n')
    monkeypatch.chdir(tmp_path)

    settings = config.load(Path("etc/config.toml"))

    assert tmp_path / "etc" / "abuse-triage.sqlite" == settings.store.path
    assert tmp_path / "etc" / "message-id.key" == settings.reply.secret_file
    assert (tmp_path / "etc" / "mine", Path("/usr/share/rules")) == settings.rules.paths


def test_settings_survive_the_way_to_another_process(tmp_path: Path) -> None:
    """The JSON that processes hand each other gives the same settings again."""
    path = installed(tmp_path / "etc", EXAMPLE.read_text("utf-8"))
    settings = config.load(path)

    assert settings == Settings.model_validate_json(settings.model_dump_json())


def test_the_example_is_what_render_writes() -> None:
    """config.example.toml holds every key with its explanation: it equals the rendering of its own settings.

    After a change of settings: `abuse_triage.config.render(abuse_triage.config.parse(text, name=""))` writes it anew.
    """
    text = EXAMPLE.read_text("utf-8")

    assert text == config.render(config.parse(text, name="config.example.toml"))


def test_the_example_has_every_key() -> None:
    """No key of any section is missing from the example."""
    text = EXAMPLE.read_text("utf-8")
    keys = [key for section in Section.__subclasses__() if section is not Settings for key in section.model_fields]

    assert [] == [key for key in keys if not re.search(rf"^(\[+[a-z.]*\b)?{key}( = |\]|\.)", text, re.MULTILINE)]


def test_the_example_has_the_defaults() -> None:
    """Everything in the example but the identity (team, mailboxes, scope, contacts) equals the defaults."""
    example = config.parse(EXAMPLE.read_text("utf-8"), name="config.example.toml")
    bare = config.parse(SMALL, name="small")

    assert {"team", "mailbox", "scope", "contact"} == {
        name for name in Settings.model_fields if getattr(example, name) != getattr(bare, name)
    }


def test_the_example_is_filled_in_and_says_so() -> None:
    """The example's identity is complete, and marked as one, so that nothing is sent in its name."""
    team = config.parse(EXAMPLE.read_text("utf-8"), name="config.example.toml").team

    assert (True, "Europe/Lisbon", 2) == (team.example, team.timezone, len(team.telephones))
    assert all((team.name, team.organisation, team.hours_pt, team.hours_en, team.openpgp_fingerprint))


def test_every_key_is_explained_in_one_line() -> None:
    """Each key of each section has an explanation of one line that ends like a sentence."""
    explained = {
        f"{section.__name__}.{name}": field.description or ""
        for section in Section.__subclasses__()
        if section is not Settings
        for name, field in section.model_fields.items()
    }

    assert [] == [name for name, text in explained.items() if not re.fullmatch(r"[^\n]{8,150}\.", text)]


@pytest.mark.parametrize("comments", [True, False])
def test_what_is_written_reads_back_the_same(comments: bool) -> None:
    """Rendering and parsing gives equal settings, with every key changed from its default where it can be."""
    settings = config.parse(
        SMALL
        + """
[digest]
times = [07:30:00, 16:00:00]
recipients = ["handlers@example.pt"]

[tickets]
response = {p1 = "30m", p3 = "36h"}

[smtp]
max_message = "12345 B"
idle_timeout = "1500ms"

[rules]
paths = ["a \\"quoted\\" folder", "/b"]
""",
        name="x",
    )

    assert settings == config.parse(config.render(settings, comments=comments), name="y")


def test_without_comments_there_are_none() -> None:
    """print-config's form has keys and values only."""
    assert "#" not in config.render(config.neutral(), comments=False).replace("{prefix}#{year}", "")


def test_priorities_that_are_not_named_keep_their_default() -> None:
    """A response time for one priority leaves those of the others."""
    settings = config.parse(SMALL + '[tickets.response]\np2 = "4h"\n', name="x")

    assert {Priority.P1: 1, Priority.P2: 4, Priority.P3: 24, Priority.P4: 24} == {
        priority: duration // timedelta(hours=1) for priority, duration in settings.tickets.response.items()
    }


def test_times_are_times_and_addresses_are_lower_case() -> None:
    """Values arrive in the types that the program works with."""
    settings = config.parse(SMALL, name="x")

    assert (time(8, 0),) == settings.digest.times
    assert "abuse@example.pt" == settings.mailbox[0].address
    assert TicketKind.INCIDENT is settings.mailbox[0].kind


def test_the_number_format_has_the_prefix_filled_in() -> None:
    """The store gets a format that lacks year and sequence only."""
    assert "EXAMPLE#2026-000007" == config.number_format(config.parse(SMALL, name="x")).format(year=2026, sequence=7)


@pytest.mark.parametrize(
    "prefix_and_number",
    ["{prefix}#{year}-{sequence:06}", "{year}/{sequence}", "T-{prefix}.{year}_{sequence:04d}"],
)
def test_good_number_formats_are_taken(prefix_and_number: str) -> None:
    """Formats with year and sequence once each are allowed, with or without prefix and width."""
    settings = config.parse(SMALL + f'[tickets]\nnumber = "{prefix_and_number}"\n', name="x")

    assert prefix_and_number == settings.tickets.number


@pytest.mark.parametrize(
    "number",
    [
        "{year}-{sequence",
        "{year}-{sequence:999999}",
        "{year!r}-{sequence}",
        "[{year}-{sequence}]",
        "{0}{year}{sequence}",
    ],
)
def test_bad_number_formats_are_refused(number: str) -> None:
    """Formats that break, that fill memory, or that could not stand in a subject are configuration problems."""
    with pytest.raises(ConfigError, match=r"^x: tickets\.number: "):
        config.parse(SMALL + f"[tickets]\nnumber = '{number}'\n", name="x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:25", ("127.0.0.1", 25)),
        ("[2001:db8::1]:8025", ("2001:db8::1", 8025)),
        ("mail.example.pt:587", ("mail.example.pt", 587)),
    ],
)
def test_host_and_port_are_split(text: str, expected: tuple[str, int]) -> None:
    """IPv4, bracketed IPv6 and names with a port are understood."""
    assert expected == config.host_port(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":25",
        "mail.example.pt",
        "2001:db8::1:25",
        "[127.0.0.1]:25",
        "[::g]:25",
        "a b:25",
        "mail:65536",
        "mail:²",
        "-a:1",
    ],
)
def test_what_is_no_host_and_port_is_refused(text: str) -> None:
    """Everything else says how to write it."""
    with pytest.raises(ValueError, match=r"."):
        config.host_port(text)


def test_a_smarthost_needs_a_real_port() -> None:
    """Port 0, which lets the system choose, makes sense only for listening."""
    with pytest.raises(ConfigError, match="a port is at least 1"):
        config.parse(SMALL + '[outbox]\nsmarthost = "mail.example.pt:0"\n', name="x")
    assert ("127.0.0.1:0",) == config.parse(SMALL + '[smtp]\nlisten = ["127.0.0.1:0"]\n', name="x").smtp.listen


def test_a_path_with_a_control_character_is_refused() -> None:
    """A path cannot smuggle a NUL or a line end."""
    with pytest.raises(ConfigError, match="has a control character"):
        config.parse(SMALL + '[store]\npath = "a\\u0000b"\n', name="x")


def test_retries_do_not_shrink() -> None:
    """The cap of the pauses is not below the first pause."""
    with pytest.raises(ConfigError, match=r"outbox\.retry_cap: should not be shorter than outbox\.retry_first"):
        config.parse(SMALL + '[outbox]\nretry_first = "2h"\n', name="x")


@pytest.mark.parametrize("rate", ["5/1h", "1/11m", "1/1d"])
def test_handlers_hear_of_urgent_tickets_soon(rate: str) -> None:
    """The budget of notices lets one leave every ten minutes, because all that waits is told in the next one."""
    config.parse(SMALL + '[budget]\nnotices = "1/10m"\n', name="x")
    with pytest.raises(ConfigError, match=r"budget\.notices: should let one leave every ten minutes"):
        config.parse(SMALL + f'[budget]\nnotices = "{rate}"\n', name="x")


def test_a_missing_file_says_how_to_begin(tmp_path: Path) -> None:
    """Where there is no configuration, the advice names `init`."""
    with pytest.raises(ConfigError, match=r"config\.toml: cannot be read: No such file") as caught:
        config.load(tmp_path / "config.toml")
    assert "init" in caught.value.advice


def test_what_is_not_utf8_is_named_by_its_line(tmp_path: Path) -> None:
    """A file in another encoding is refused with the line of the first odd byte."""
    path = tmp_path / "config.toml"
    path.write_bytes(b'[team]\nname = "Associa\xe7\xe3o"\n')

    with pytest.raises(ConfigError, match="line 2: is not UTF-8"):
        config.load(path)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """More than 1 MB is no configuration."""
    path = tmp_path / "config.toml"
    path.write_bytes(b"#" * 1_000_001)

    with pytest.raises(ConfigError, match="is larger than 1 MB"):
        config.load(path)


def test_deep_nesting_is_a_problem_like_any_other() -> None:
    """TOML that exhausts the parser's stack is refused, not a crash."""
    with pytest.raises(ConfigError, match="is not TOML"):
        config.parse("a = " + "[" * 5000 + "]" * 5000, name="x")


def test_the_neutral_identity_is_an_example_with_documentation_networks() -> None:
    """Without answers, `init` writes an example identity whose addresses belong to nobody."""
    settings = config.neutral()

    assert settings.team.example
    assert ["abuse@example.pt", "csirt@example.pt"] == [mailbox.address for mailbox in settings.mailbox]
    assert ["198.51.100.0/24", "2001:db8:100::/40"] == [
        str(network) for network in settings.scope.autonomous_system[0].networks
    ]


def test_a_full_identity_is_no_example_and_has_no_foreign_networks() -> None:
    """With own mailboxes and domains the identity counts, and the example's networks are gone."""
    settings = config.neutral(
        name="CERT-X", ticket_prefix="CERT-X", incidents="abuse@nic.pt", enquiries="", domains=("pt",)
    )

    assert not settings.team.example
    assert (("pt",), ()) == (settings.scope.domains, settings.scope.autonomous_system)
    assert ["abuse@nic.pt"] == [mailbox.address for mailbox in settings.mailbox]


def test_half_an_identity_is_still_an_example() -> None:
    """Own domains with the example's mailboxes must not send mail."""
    assert config.neutral(domains=("pt",)).team.example


def test_a_wrong_identity_is_refused_in_the_same_words() -> None:
    """`neutral` says what is wrong as a configuration would."""
    with pytest.raises(ConfigError, match=r"identity: team\.timezone: is not a time zone"):
        config.neutral(timezone="Lisbon")


@given(st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8) | st.booleans(), max_size=4))
def test_odd_tables_are_problems_and_nothing_else(table: dict[str, object]) -> None:
    """Whatever stands where a table should, the answer is settings or ConfigError."""
    from abuse_triage.config.read import validate

    base = tomllib.loads(SMALL)
    for key in Settings.model_fields:
        problems: tuple[str, ...] = ()
        try:
            validate({**base, key: table}, name="x")
        except ConfigError as error:
            problems = error.problems
        assert all(problem.startswith(f"x: {key}") for problem in problems)


@pytest.mark.parametrize(
    ("content", "mode", "problem"),
    [
        (b"short", 0o600, "has 5 bytes; 32 to 4096 are needed"),
        (b"x" * 5000, 0o600, "has 5000 bytes; 32 to 4096 are needed"),
        (b"x" * 32, 0o640, "can be read by others; chmod 600 it"),
    ],
)
def test_a_weak_secret_is_refused(content: bytes, mode: int, problem: str, tmp_path: Path) -> None:
    """A secret that is short, huge or open to others is a problem of check-config, and is not used."""
    path = installed(tmp_path / "etc")
    key = path.parent / "message-id.key"
    key.write_bytes(content)
    key.chmod(mode)

    assert [f"config.toml: reply.secret_file: message-id.key {problem}"] == checked(path)
    with pytest.raises(ConfigError, match=problem):
        config.secret(config.load(path))


def test_a_missing_secret_says_how_to_make_one(tmp_path: Path) -> None:
    """Without secret file the problem names the command."""
    path = installed(tmp_path / "etc")
    (path.parent / "message-id.key").unlink()

    problem = "No such file or directory; `head -c 32 /dev/urandom` makes one"
    assert [f"config.toml: reply.secret_file: message-id.key: {problem}"] == checked(path)


def test_a_folder_is_no_secret(tmp_path: Path) -> None:
    """Only a plain file can be the secret."""
    path = installed(tmp_path / "etc")
    (path.parent / "message-id.key").unlink()
    (path.parent / "message-id.key").mkdir()

    assert ["config.toml: reply.secret_file: message-id.key is not a file"] == checked(path)


def test_the_secret_is_what_stands_in_the_file(tmp_path: Path) -> None:
    """A good secret is returned byte for byte."""
    assert b"k" * 32 == config.secret(config.load(installed(tmp_path / "etc")))


def test_a_file_where_a_folder_should_be_is_a_problem(tmp_path: Path) -> None:
    """The outbox must be a folder, the store a file."""
    path = installed(tmp_path / "etc", SMALL + '[store]\npath = "folder"\n\n[outbox]\nfolder = "file"\n')
    (path.parent / "folder").mkdir()
    (path.parent / "file").touch()

    assert [
        "config.toml: store.path: folder is not a file that this user may write",
        "config.toml: outbox.folder: file is not a folder",
    ] == checked(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write and read everything")
def test_rights_that_are_missing_are_problems(tmp_path: Path) -> None:
    """What this user may not write or read is found before the daemon starts."""
    path = installed(tmp_path / "etc")
    (path.parent / "message-id.key").chmod(0)
    (path.parent / "outbox").chmod(0o500)

    assert [
        "config.toml: reply.secret_file: message-id.key cannot be read by this user",
        "config.toml: outbox.folder: outbox cannot be written by this user",
    ] == checked(path)


def test_a_configuration_that_everybody_may_write_is_a_problem(tmp_path: Path) -> None:
    """Whoever may write the configuration may send mail in the team's name."""
    path = installed(tmp_path / "etc")
    path.chmod(0o666)

    assert ["config.toml: permissions: everybody may write this file"] == checked(path)


def test_the_shipped_rules_are_found() -> None:
    """Without configured folders the rules that come with the program are read, the taxonomy apart."""
    files, taxonomy = config.rule_files(config.neutral())

    assert files
    assert all(name.startswith(("rules/", "shipped/")) for name in files)
    assert (config.shipped_rules() / "taxonomy.yaml").read_text("utf-8") == taxonomy


def test_a_wheel_has_its_rules_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed program finds its rules in abuse_triage/rules/shipped."""
    from abuse_triage.config import rulefiles

    shipped = tmp_path / "abuse_triage" / "rules" / "shipped"
    shipped.mkdir(parents=True)
    monkeypatch.setattr(rulefiles, "__file__", str(tmp_path / "abuse_triage" / "config" / "rulefiles.py"))

    assert shipped == config.shipped_rules()


def test_own_folders_replace_the_shipped_rules(tmp_path: Path) -> None:
    """Files are read folder by folder in the order of names, with whole paths where two names are alike."""
    for parent in ("a", "b"):
        folder = tmp_path / parent / "rules"
        folder.mkdir(parents=True)
        (folder / "10-x.yaml").write_text(parent, "utf-8")
    (tmp_path / "b" / "rules" / "taxonomy.yaml").write_text("mine", "utf-8")
    path = installed(tmp_path / "etc", SMALL + '[rules]\npaths = ["../a/rules", "../b/rules"]\n')
    settings = config.load(path)

    files, taxonomy = config.rule_files(settings)

    assert ["a", "b"] == list(files.values())
    assert "rules/10-x.yaml" == next(iter(files))
    assert "mine" == taxonomy
    assert ("rules/taxonomy.yaml", "mine") == config.taxonomy(settings)


def test_rule_files_that_cannot_be_read_are_all_named(tmp_path: Path) -> None:
    """Folders without rules, files in other encodings, over 2 MB or unreadable are problems, all at once."""
    (tmp_path / "empty").mkdir()
    odd = tmp_path / "odd"
    odd.mkdir()
    (odd / "latin.yaml").write_bytes(b"# a\n# \xe7\n")
    (odd / "large.yaml").write_bytes(b"#" * 2_000_001)
    (odd / "linked.yaml").symlink_to(tmp_path / "nowhere")
    (odd / "taxonomy.yaml").write_bytes(b"\xff")
    path = installed(tmp_path / "etc", SMALL + '[rules]\npaths = ["../absent", "../empty", "../odd"]\n')

    with pytest.raises(ConfigError) as caught:
        config.rule_files(config.load(path))

    assert [
        "../absent: rules.paths: is not a folder",
        "../empty: rules.paths: has 0 rule files (*.yaml); 1 to 500 are read",
        "../odd/large.yaml: is larger than 2 MB",
        "../odd/latin.yaml: line 2: is not UTF-8",
        "../odd/linked.yaml: cannot be read: No such file or directory",
        "../odd/taxonomy.yaml: line 1: is not UTF-8",
    ] == sorted(problem.replace(f"{path.parent}/", "") for problem in caught.value.problems)


def test_the_configuration_folder_may_be_copied(tmp_path: Path) -> None:
    """A configuration with relative paths works from wherever it is moved to."""
    path = installed(tmp_path / "etc")
    shutil.copytree(path.parent, tmp_path / "moved")

    assert tmp_path / "moved" / "outbox" == config.load(tmp_path / "moved" / "config.toml").outbox.folder


def test_tables_can_be_added_to_what_init_writes(tmp_path: Path) -> None:
    """A configuration that has no contacts, networks or name servers yet leaves room for them at its end."""
    text = config.render(config.neutral(domains=["alfa.pt"], incidents="abuse@alfa.pt", enquiries=""))
    text += '\n[[contact]]\nname = "CERT"\ndomains = ["cert.example.org"]\n'
    text += '\n[[scope.name_server]]\nname = "ns.alfa.pt"\naddresses = ["192.0.2.53"]\n'
    path = tmp_path / "config.toml"
    path.write_text(text, "utf-8")
    settings = config.load(path)
    assert ("CERT", "ns.alfa.pt") == (settings.contact[0].name, settings.scope.name_server[0].name)
