"""The operator's own files in a process: what they say, and what happens when they change."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import mmdb
import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from abuse_triage import config
from abuse_triage.cli.configuration import create
from abuse_triage.cli.main import cli
from abuse_triage.errors import ConfigError
from abuse_triage.model.lookup_settings import LookupSettings
from abuse_triage.model.lookups import Offline, Registrar
from abuse_triage.service import localfiles
from abuse_triage.service.localfiles import LocalFiles

OWNERS = "key,owner,contact,note\n192.0.2.0/24,Rede Exemplo,abuse@example.net,24 h\nexample.pt,Loja,loja@example.pt,\n"
REGISTRARS = "name,contact,note\nRegisto Exemplo,abuse@example.org,\n"


class Clock:
    """A monotonic clock that stands still."""

    def __init__(self) -> None:
        """Begin anywhere."""
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def settings(tmp_path: Path) -> LookupSettings:
    """Settings with all three files."""
    (tmp_path / "owners.csv").write_text(OWNERS)
    (tmp_path / "registrars.csv").write_text(REGISTRARS)
    mmdb.write(tmp_path / "asn.mmdb", {"192.0.2.0/23": {"asn": "AS64500", "as_name": "Net", "country": "PT"}})
    return LookupSettings(
        owners=tmp_path / "owners.csv", registrars=tmp_path / "registrars.csv", asn=tmp_path / "asn.mmdb"
    )


@pytest.fixture
def clock() -> Clock:
    """Time that the test moves."""
    return Clock()


@pytest.fixture
def files(settings: LookupSettings, clock: Clock) -> LocalFiles:
    """The files as they are read at the start."""
    return LocalFiles(settings, clock=clock)


@pytest.fixture
def logged() -> Iterator[list[dict[str, object]]]:
    """What is logged."""
    with capture_logs() as entries:
        yield entries


def test_all_files_speak_together(files: LocalFiles) -> None:
    """Of an address, owner and system; of a name, the owner; of what nobody knows, nothing."""
    both = Offline(
        asn=64500,
        as_name="Net",
        country="PT",
        owner="Rede Exemplo",
        owner_contact="abuse@example.net",
        owner_note="24 h",
        owner_key="192.0.2.0/24",
    )
    assert both == files.offline("192.0.2.7")
    assert Offline(asn=64500, as_name="Net", country="PT") == files.offline("192.0.3.7")
    shop = Offline(owner="Loja", owner_contact="loja@example.pt", owner_key="example.pt")
    assert shop == files.offline("example.pt")
    for stranger in ("203.0.113.1", "2001:db8::1", "example.org", "example.xn--q9jyb4c1"):
        assert files.offline(stranger) is None
    assert (Registrar(name="registo exemplo", contact="abuse@example.org"),) == tuple(files.registrars)
    assert files.systems_built is not None


def test_without_files_nothing_is_known() -> None:
    """None of them is needed."""
    files = LocalFiles(LookupSettings())
    assert (None, (), None) == (files.offline("192.0.2.7"), files.registrars, files.systems_built)
    assert [] == localfiles.problems(LookupSettings())
    assert [] == localfiles.notes(LookupSettings())


def test_changed_files_count_within_a_second(
    files: LocalFiles, settings: LookupSettings, clock: Clock, tmp_path: Path, logged: list[dict[str, object]]
) -> None:
    """They are looked at once a second at most; each is read again by itself, while others have the old one open."""
    (tmp_path / "owners.csv").write_text(OWNERS.replace("Loja", "Outra loja"))
    (tmp_path / "registrars.csv").write_text("name,contact,note\n")
    assert settings.asn is not None
    mmdb.write(settings.asn, {"192.0.2.0/23": {"asn": "AS64511"}})
    clock.now += 0.9
    assert "Loja" == getattr(files.offline("example.pt"), "owner", "")
    assert 1 == len(files.registrars)
    clock.now += 0.2
    assert "Outra loja" == getattr(files.offline("example.pt"), "owner", "")
    assert 0 == len(files.registrars)
    assert 64511 == getattr(files.offline("192.0.2.7"), "asn", 0)
    assert {"local-file-read"} == {entry["event"] for entry in logged}
    assert 3 == len(logged)


@pytest.mark.parametrize(
    ("name", "content"),
    [(name, what) for name in ("owners.csv", "registrars.csv", "asn.mmdb") for what in (b"x\n", None)],
)
def test_a_file_that_cannot_be_used_changes_nothing(
    settings: LookupSettings, clock: Clock, logged: list[dict[str, object]], name: str, content: bytes | None
) -> None:
    """What was read before goes on to count, the log says so once, and a mended file counts again."""
    files = LocalFiles(settings, clock=clock)
    assert settings.owners is not None
    folder = settings.owners.parent
    before = files.offline("192.0.2.7"), files.registrars
    path = folder / name
    good = path.read_bytes()
    path.unlink()
    if content is not None:
        (folder / "new").write_bytes(content)
        (folder / "new").replace(path)
    for _ in range(3):
        clock.now += 2
        assert before == (files.offline("192.0.2.7"), files.registrars)
    assert ["local-file-unfit"] == [entry["event"] for entry in logged]
    assert str(path) == logged[0]["path"]
    assert 1 == len(logged[0]["problems"])  # type: ignore[arg-type]  # a list
    (folder / "new").write_bytes(good)
    (folder / "new").replace(path)
    clock.now += 2
    assert before == (files.offline("192.0.2.7"), files.registrars)
    assert "local-file-read" == logged[-1]["event"]


def test_at_the_start_every_problem_of_all_files_is_said(settings: LookupSettings, tmp_path: Path) -> None:
    """Nobody mends one file after the other."""
    (tmp_path / "owners.csv").write_text("key,owner,contact,note\n192.0.2.1/24,A,,\nb.example.pt,,,\n")
    (tmp_path / "registrars.csv").unlink()
    (tmp_path / "asn.mmdb").unlink()
    expected = [
        f"{tmp_path}/owners.csv:2: key is an address in a network; write 192.0.2.0/24 for the network",
        f"{tmp_path}/owners.csv:3: owner is empty",
        f"{tmp_path}/registrars.csv: lookups.registrars: cannot be read: No such file or directory",
        f"{tmp_path}/asn.mmdb: lookups.asn: cannot be read: No such file or directory",
    ]
    assert expected == localfiles.problems(settings)
    with pytest.raises(ConfigError):
        LocalFiles(settings)


def test_an_old_file_of_systems_is_noted(settings: LookupSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """After thirty days networks have moved."""
    assert [] == localfiles.notes(settings)
    monkeypatch.setattr(localfiles, "OLD", timedelta(seconds=-1))
    assert [f"lookups.asn: {settings.asn} was made 0 days ago; get a newer one"] == localfiles.notes(settings)


def test_check_config_reads_the_files(tmp_path: Path) -> None:
    """It prints their problems beside the others, and ends with the code of a wrong configuration."""
    table = tmp_path / "owners.csv"
    found = config.neutral()
    create(
        tmp_path / "etc",
        found.model_copy(update={"lookups": found.lookups.model_copy(update={"owners": table})}),
    )
    table.write_text("key,owner,contact,note\nnonsense,A,,\n")
    command = ["check-config", "--config", str(tmp_path / "etc" / "config.toml")]
    result = CliRunner().invoke(cli, command)
    assert 78 == result.exit_code
    assert "owners.csv:2: key is not a network" in " ".join(result.stdout.split())
    table.write_text("key,owner,contact,note\n192.0.2.0/24,A,,\n")
    assert 0 == CliRunner().invoke(cli, command).exit_code
