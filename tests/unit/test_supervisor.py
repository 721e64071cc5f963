"""The supervisor, with small processes of its own in place of the roles."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon import write_config
from structlog.testing import capture_logs

from abuse_triage import config
from abuse_triage.errors import ConfigError, TemporaryError
from abuse_triage.service import supervisor
from abuse_triage.service.supervisor import Role, Supervisor, serve

FAKE = Path(__file__).resolve().parents[1] / "fake_role.py"


class Stage:
    """A folder in which roles act by plan."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = config.load(write_config(folder, extra="[limits]\nheaders = 999\n"))
        self.ready = 0
        self.logs: list[Any] = []

    def plan(self, **plans: str) -> None:
        """Say what each role does, life after life."""
        for role, plan in plans.items():
            (self.folder / f"{role}.plan").write_text(plan)

    def diary(self) -> list[str]:
        """Return what happened to the processes."""
        file = self.folder / "diary"
        return file.read_text().splitlines() if file.exists() else []

    def events(self, name: str) -> list[Any]:
        """Return what was logged under a name."""
        return [line for line in self.logs if line["event"] == name]

    def play(self, until: Callable[[], bool], roles: tuple[Role, ...] = tuple(Role), workers: int = 1) -> None:
        """Run until something is true, and stop by SIGTERM; at most 20 seconds."""
        settings = self.settings.model_copy(
            update={"triage": self.settings.triage.model_copy(update={"workers": workers})}
        )
        over = threading.Event()

        def watch() -> None:
            give_up = time.monotonic() + 20
            while not until() and time.monotonic() < give_up and not over.is_set():
                time.sleep(0.01)
            if not over.is_set():
                os.kill(os.getpid(), signal.SIGTERM)

        watcher = threading.Thread(target=watch)

        def is_ready() -> None:
            self.ready += 1

        with capture_logs() as self.logs:
            watcher.start()
            try:
                serve(settings, roles, on_ready=is_ready)
            finally:
                over.set()
                watcher.join()


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage, with short pauses; no process is left behind it."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # one that comes a moment too early or too late
    monkeypatch.setattr(supervisor, "_PROGRAM", (str(FAKE), str(tmp_path)))
    yield Stage(tmp_path)
    signal.signal(signal.SIGTERM, before)


def test_all_roles_start_with_the_settings_and_stop_in_order(stage: Stage) -> None:
    """Each role is a process; the intake stops first, the scheduler last, and readiness is told once."""
    stage.play(lambda: stage.ready > 0, workers=2)
    diary = stage.diary()
    assert ["intake", "scheduler", "sender", "triage", "triage"] == sorted(line.split()[0] for line in diary[:5])
    assert [f"{role} stops Test CSIRT" for role in ("intake", "triage", "triage", "sender", "scheduler")] == diary[5:]
    assert 1 == stage.ready
    names = ["intake", "triage-0", "triage-1", "sender", "scheduler"]
    assert names == stage.events("starting")[0]["processes"]
    assert sorted(names) == sorted(line["process"] for line in stage.events("process-ready"))


def test_one_role_runs_alone(stage: Stage) -> None:
    """Only what was asked for is started."""
    stage.play(lambda: stage.ready > 0, roles=(Role.SENDER,))
    assert ["sender begins", "sender stops Test CSIRT"] == stage.diary()


@pytest.mark.parametrize(("set_by_operator", "expected"), [("", "1000000"), ("4000000", "4000000")])
def test_memory_of_large_messages_goes_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, set_by_operator: str, expected: str
) -> None:
    """Every process gets large blocks of memory from the system and gives them back, as the operator sets it if so."""
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    if set_by_operator:
        monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", set_by_operator)
    stage.plan(sender="memory")
    stage.play(lambda: stage.ready > 0, roles=(Role.SENDER,))
    assert f"sender allocates from {expected}" in stage.diary()


def test_what_dies_starts_again_after_a_growing_pause(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause doubles up to its longest; the others go on."""
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(supervisor, "_LONGEST_PAUSE", 0.04)
    monkeypatch.setattr(supervisor._Child, "__init__", _with_pause(0.01))
    stage.plan(sender="die die die die work")
    stage.play(lambda: stage.ready > 0, roles=(Role.SENDER, Role.SCHEDULER))
    assert [0.01, 0.02, 0.04, 0.04] == [line["pause"] for line in stage.events("process-died")]
    assert {9} == {line["code"] for line in stage.events("process-died")}
    assert 5 == stage.diary().count("sender begins")
    assert 1 == stage.diary().count("scheduler begins")


def _with_pause(pause: float) -> Callable[..., None]:
    original = supervisor._Child.__init__

    def init(self: Any, *arguments: Any) -> None:
        original(self, *arguments)
        self.pause = pause

    return init


def test_what_lived_long_starts_again_at_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause is the first one again after a healthy life."""
    monkeypatch.setattr(supervisor, "_HEALTHY_SECONDS", 0.0)
    stage.plan(sender="die die die work")
    stage.play(lambda: stage.ready > 0, roles=(Role.SENDER,))
    assert [0.2, 0.2, 0.2] == [line["pause"] for line in stage.events("process-died")]


def test_the_next_worker_learns_what_the_last_one_left(stage: Stage) -> None:
    """After a death the claim and the message that was worked on are passed on; after "idle" there is none."""
    stage.plan(triage="die-on die-idle work")
    stage.play(lambda: stage.ready > 0, roles=(Role.TRIAGE,))
    assert [
        "triage begins",
        "triage begins --abandoned L1 --charged M2",
        "triage begins",
    ] == stage.diary()[:3]
    assert ["M2", ""] == [line["message"] for line in stage.events("process-died")]


def test_a_line_without_end_harms_nobody(stage: Stage) -> None:
    """What is no status line is dropped, and the lines behind it are heard."""
    stage.plan(sender="long")
    stage.play(lambda: stage.ready > 0, roles=(Role.SENDER,))
    assert 1 == stage.ready
    assert ["sender begins", "sender stops Test CSIRT"] == stage.diary()


def test_what_does_not_stop_is_killed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ignores its stop ends by SIGKILL, and those behind it are still asked in order."""
    monkeypatch.setattr(supervisor, "_STOP_SECONDS", 0.5)
    stage.plan(triage="deaf")
    stage.play(lambda: stage.ready > 0)
    assert ["triage-0"] == [line["process"] for line in stage.events("killing")]
    assert ["intake stops Test CSIRT", "sender stops Test CSIRT", "scheduler stops Test CSIRT"] == stage.diary()[4:]


def test_wrong_configuration_at_the_start_stops_everything(stage: Stage) -> None:
    """A process that ends with code 78 before all are ready ends the daemon with that code."""
    stage.plan(triage="misconfigured")
    with pytest.raises(ConfigError, match="triage-0: the configuration is wrong"):
        stage.play(lambda: False)
    assert 1 == stage.diary().count("triage begins")
    assert "intake stops Test CSIRT" in stage.diary()
    assert 0 == stage.ready


def test_wrong_configuration_later_stops_only_who_needs_it(stage: Stage) -> None:
    """Rules that somebody breaks while the daemon runs do not close the door: the process is started again."""
    stage.plan(triage="late work")
    stage.play(lambda: stage.diary().count("triage begins") == 2, roles=(Role.INTAKE, Role.TRIAGE))
    assert [78] == [line["code"] for line in stage.events("process-died")]
    assert 1 == stage.diary().count("intake begins")


def test_an_address_that_was_never_had_stops_everything(stage: Stage) -> None:
    """A daemon that cannot listen ends with code 75 at its start, and says where to look."""
    stage.plan(intake="no-address")
    with pytest.raises(TemporaryError, match="intake: cannot listen") as caught:
        stage.play(lambda: False)
    assert '"role-failed"' in caught.value.advice
    assert (75, 1) == (caught.value.exit_code, stage.diary().count("intake begins"))
    assert 0 == stage.ready


def test_an_address_that_was_had_is_tried_for_again(stage: Stage) -> None:
    """An intake that listened once and comes back to an address that is taken is started until it has it."""
    stage.plan(intake="lost-address no-address no-address work")
    stage.play(lambda: stage.diary().count("intake begins") == 4, roles=(Role.INTAKE,))
    assert [75, 75, 75] == [line["code"] for line in stage.events("process-died")]
    assert "intake stops Test CSIRT" in stage.diary()


def test_no_room_for_a_process_is_waited_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system refuses to start a process, it is asked again after the pause."""
    start, refusals = asyncio.create_subprocess_exec, [OSError(11, "Resource temporarily unavailable")]

    async def refuse_once(*arguments: Any, **options: Any) -> Any:
        if refusals:
            raise refusals.pop()
        return await start(*arguments, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse_once)
    stage.play(lambda: stage.ready > 0, roles=(Role.SENDER,))
    assert [-11] == [line["code"] for line in stage.events("process-died")]
    assert ["sender begins", "sender stops Test CSIRT"] == stage.diary()


def test_a_stop_while_a_process_starts_reaches_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was being started when the stop came ends at once as well."""
    start = asyncio.create_subprocess_exec

    async def slow(*arguments: Any, **options: Any) -> Any:
        process = await start(*arguments, **options)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.2)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", slow)
    began = time.monotonic()
    stage.play(lambda: False, roles=(Role.SENDER,))
    assert time.monotonic() - began < 5
    assert [] == stage.events("killing")


def test_a_stop_does_not_wait_for_a_pause(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits to start again does not start any more."""
    monkeypatch.setattr(supervisor._Child, "__init__", _with_pause(30))
    stage.plan(sender="die")
    began = time.monotonic()
    stage.play(lambda: stage.diary() == ["sender begins"] and time.monotonic() - began > 1, roles=(Role.SENDER,))
    assert time.monotonic() - began < 5
    assert ["sender begins"] == stage.diary()


def test_every_setting_reaches_the_process(stage: Stage) -> None:
    """The settings are the same after their way through the pipe."""
    sent = Supervisor(stage.settings, [])._settings
    assert stage.settings == type(stage.settings).model_validate_json(sent)
    assert 999 == stage.settings.limits.headers


def test_a_looker_runs_where_look_ups_are_enabled(stage: Stage) -> None:
    """It is one of the processes, and stops before the scheduler; otherwise there is none, whoever asks for all."""
    lookups = stage.settings.lookups.model_copy(update={"enabled": True})
    stage.settings = stage.settings.model_copy(update={"lookups": lookups})
    stage.play(lambda: stage.ready > 0, roles=(Role.SCHEDULER, Role.LOOKER))
    assert ["looker", "scheduler"] == stage.events("starting")[0]["processes"]
    assert ["looker stops Test CSIRT", "scheduler stops Test CSIRT"] == stage.diary()[2:]


def test_a_looker_alone_without_look_ups_is_a_wrong_configuration(stage: Stage) -> None:
    """Whoever starts only that role would wait for ever."""
    with pytest.raises(ConfigError, match=r"lookups\.enabled"):
        stage.play(lambda: True, roles=(Role.LOOKER,))
    assert [] == stage.diary()
