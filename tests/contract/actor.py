"""Another process on the same store: `python -m contract.actor SPEC COMMAND ...`; it tells what it did line by line.

Commands: `accept NAME` takes in three messages again and again, `finish` brings everything that waits to a ticket,
`die N` does the same and kills itself while the N-th number is made, in the middle of the transaction.
"""

import os
import signal
import sys
from contextlib import closing
from datetime import timedelta
from itertools import count

from contract.engines import NUMBERS, engine_of
from contract.values import arrival, opens

from abuse_triage.store.interface import Finished, Store

LEASE = timedelta(milliseconds=500)


class Deadly(str):
    """A number format that kills its process when it is used for the N-th time."""

    __slots__ = ("left",)

    def format(self, *values: object, **fields: object) -> str:
        """Fill in the fields, or die."""
        if fields["sequence"]:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return str(self).format(*values, **fields)


def tell(*words: str) -> None:
    """Write one line, at once."""
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


def accept(store: Store, name: str) -> None:
    """Take in messages until killed; an id is told when its message is durable."""
    for number in count():
        ids = [f"{name}-{number:06}-{place}" for place in "abc"]
        store.accept([arrival(message_id, raw=message_id.encode() * 1000) for message_id in ids])
        tell(*ids)


def finish(store: Store) -> None:
    """Finish what waits, by fives; a message and its number are told when they are durable."""
    while store.waiting():
        outcomes = [opens(claimed) for claimed in store.claim(5, LEASE)]
        for result in store.finish(outcomes):
            if isinstance(result, Finished):
                tell(result.message_id, result.number)
        if not outcomes:
            store.wait(0.02)


def main() -> None:
    """Do as told."""
    spec, command, *arguments = sys.argv[1:]
    numbers = NUMBERS
    if command == "die":
        numbers = Deadly(NUMBERS)
        numbers.left = int(arguments[0])
    with closing(engine_of(spec).open(numbers)) as store:
        if command == "accept":
            accept(store, arguments[0])
        else:
            finish(store)


if __name__ == "__main__":
    main()
