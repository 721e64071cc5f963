"""What every client of a registry or name server looks like to whoever asks."""

from typing import Protocol

from abuse_triage.model.lookups import Answer


class Client(Protocol):
    """Asks one kind of question; used by several threads at once."""

    def server(self, subject: str) -> str:
        """Return the host that would be asked about a subject, "" where nobody is known; without any network.

        It is what budgets and failures are counted by: lower case, without port.
        """

    def ask(self, subject: str, seconds: float) -> Answer:
        """Ask once, within so many seconds in all; never raises for anything that the other end does.

        A server that does not answer as it should, or at all, is an `Answer` that FAILED and says why in our words.
        """
