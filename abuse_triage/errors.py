"""Two families of errors: theirs (bad input) and ours (a fault of the installation), each saying what to do next."""


class TriageError(Exception):
    """Something went wrong; `advice` says in one sentence what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, advice: str = "") -> None:
        """Keep the message and the advice apart, so that each edge can show them its own way."""
        super().__init__(message)
        self.advice = advice


class InputError(TriageError):
    """Theirs: what somebody sent or wrote cannot be used as it is (exit code 65, EX_DATAERR)."""

    exit_code = 65


class NotFoundError(TriageError):
    """Theirs: there is no such ticket, message or rule (exit code 3)."""

    exit_code = 3


class ConfigError(TriageError):
    """Ours: configuration or rules are wrong; `problems` are lines `file: key: problem` (exit code 78, EX_CONFIG)."""

    exit_code = 78

    def __init__(
        self, problems: tuple[str, ...], *, advice: str = "Mend the lines above and run check-config again."
    ) -> None:
        """Take every problem at once; the message is one line per problem."""
        super().__init__("\n".join(problems), advice=advice)
        self.problems = problems


class TemporaryError(TriageError):
    """Ours: disk, database or a peer does not answer now; the same again later may work (exit code 75, EX_TEMPFAIL)."""

    exit_code = 75


class AddressError(TemporaryError):
    """Ours: an address to listen on is taken or cannot be had (exit code 75: whoever has it may give it back)."""
