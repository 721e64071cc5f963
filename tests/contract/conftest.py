"""One empty store for each test, on every engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.engines import Engine, engine_of

from abuse_triage.store.interface import Store


@pytest.fixture(params=["sqlite"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """An engine with an empty place."""
    return engine_of(f"{request.param}:{tmp_path / 'store.sqlite'}")


@pytest.fixture
def store(engine: Engine) -> Iterator[Store]:
    """A store on it."""
    opened = engine.open()
    yield opened
    opened.close()


@pytest.fixture
def other(engine: Engine, store: Store) -> Iterator[Store]:
    """A second store on the same place, as another process has it."""
    opened = engine.open()
    yield opened
    opened.close()
