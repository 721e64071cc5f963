"""A private GnuPG home in memory: the team's secret keys, unlocked once, with an agent that ends with this process."""

import contextlib
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from abuse_triage.errors import InputError
from abuse_triage.openpgp import listing
from abuse_triage.openpgp.agent import Agent
from abuse_triage.openpgp.command import CommandError, run
from abuse_triage.openpgp.runtime import private_folder

CHEAP = 1024
"""How often a passphrase is hashed in memory (RFC 9580 section 3.7.1.3), where nobody finds keys to try it."""


class Home:
    """A folder 0700 with a key ring and an agent; `folder` is for `--homedir`, and it ends with `close`.

    Homes of processes that are gone are removed when the next one is made beside them.
    """

    def __init__(self, runtime: Path, *, stretch: int = CHEAP) -> None:
        """Make it.

        Args:
            runtime: the folder for it, best on a file system in memory: see `runtime_folder`.
            stretch: what protects exported keys against guessing; the default is for keys that stay here, and for
                passphrases of 256 random bits. 0 for those that people make.

        Raises:
            ConfigError: if the folder is not fit.
            TemporaryError: if GnuPG is not there, or does not start.
        """
        self._stretch = stretch
        self._unlocking: dict[str, bytes] = {}
        self._keys: tuple[listing.Key, ...] = ()
        with contextlib.ExitStack() as opened:
            self.folder = opened.enter_context(private_folder(runtime))
            self._agent = Agent(self.folder, stretch=stretch)
            self._folder = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def keys(self) -> tuple[listing.Key, ...]:
        """The keys of which at least one secret part is here; a primary key may be elsewhere."""
        return self._keys

    def certificates(self, fingerprints: Iterable[str] = ()) -> bytes:
        """Export our own certificates in binary form, one after the other, as a key ring wants them; () for all."""
        chosen = tuple(fingerprints) or tuple(key.fingerprint for key in self.keys)
        return run(self.folder, "--export", *map(_fingerprint, chosen))

    def published(self, fingerprint: str, address: str = "") -> bytes:
        """Export a certificate of ours: armoured and whole, or binary with the user ids of one address."""
        how = ("--export-filter", f"keep-uid=mbox = {address}") if address else ("--armor",)
        return run(self.folder, *how, "--export", _fingerprint(fingerprint))

    def take(self, secret_keys: bytes, passphrase: bytes) -> None:
        """Import secret keys and unlock them for good; other keys stay.

        Args:
            secret_keys: as exported, armoured or binary, perhaps several.
            passphrase: of all of them, b"" for none; it never stands in an argument or file.

        Raises:
            InputError: if there is no secret key, or the passphrase is wrong.
        """
        try:
            run(self.folder, "--import", given=secret_keys, passphrase=passphrase)
        except CommandError as error:
            raise InputError(
                "the secret keys cannot be opened",
                advice="Either the passphrase is wrong, or the file holds no OpenPGP secret keys.",
            ) from error
        self.adopt(passphrase)
        if not self._keys:
            raise InputError(
                "there is no secret key in it", advice="Export it with gpg --export-secret-keys, or -secret-subkeys."
            )

    def adopt(self, passphrase: bytes) -> None:
        """Unlock the keys that gpg has made or imported here since, all with the same passphrase."""
        listed = listing.parse(run(self.folder, *listing.OPTIONS, "--list-secret-keys"))
        self._keys = tuple(key for key in listed if any(part.secret for part in key.parts))
        grips = {part.grip for key in self._keys for part in key.parts if part.secret}
        self._unlock(dict.fromkeys(grips - self._unlocking.keys(), passphrase))

    def change_passphrase(self, passphrase: bytes) -> None:
        """Protect every key here with this passphrase, whatever it had before."""
        for grip, old in self._unlocking.items():
            if old != passphrase:
                self._agent.ask(f"CLEAR_PASSPHRASE --mode=normal {grip}")
                self._agent.ask(f"PASSWD {grip}", {"PASSPHRASE": old, "NEW_PASSPHRASE": passphrase})
        self._unlock(dict.fromkeys(self._unlocking, passphrase))

    def problems(self, fingerprint: str) -> list[str]:
        """Try to sign with a key, and to open what is encrypted to it; returns in words what does not work.

        That it has expired is not among it: what is encrypted to it opens all the same, and mail has to be accepted.
        """
        key = next((key for key in self.keys if key.fingerprint == fingerprint), None)
        whole = next((key for key in self.keys if fingerprint in (part.fingerprint for part in key.parts)), None)
        if key is None and whole is not None:
            return [f"{fingerprint} is a subkey; team.openpgp_fingerprint is that of its primary, {whole.fingerprint}"]
        if key is None:
            return [f"the secret key of {fingerprint} is not in it"]
        now = datetime.now(UTC)
        if key.primary.revoked:
            return [f"{fingerprint} is revoked"]
        lapsed = {use for use in "es" if not key.parts_for(use, now) and key.secret_for(use)}
        found = []
        test = secrets.token_bytes(32)
        try:
            if "s" not in lapsed:
                run(self.folder, "--local-user", fingerprint, "--detach-sign", given=test)
        except CommandError:
            found.append(f"{fingerprint} cannot sign here: the secret part of a valid signing key is missing")
        try:
            to = ("--trust-model", "always", "--recipient", fingerprint, "--encrypt")
            opened = run(self.folder, "--decrypt", given=run(self.folder, *to, given=test))
        except CommandError:
            opened = b""
        if opened != test and "e" not in lapsed:
            found.append(f"{fingerprint} cannot decrypt here: the secret part of a valid encryption key is missing")
        return found

    def revive(self) -> bool:
        """Start the agent again if it has ended; returns whether it had."""
        if self._agent.alive:
            return False
        self._agent.close()
        self._agent = Agent(self.folder, stretch=self._stretch)
        self._unlock(self._unlocking)
        return True

    def close(self) -> None:
        """End the agent and remove everything."""
        self._agent.close()
        self._folder.close()

    def _unlock(self, passphrases: dict[str, bytes]) -> None:
        """Give the agent the passphrases of keys, by keygrip, for good."""
        for grip, passphrase in passphrases.items():
            if passphrase:
                self._agent.ask(f"PRESET_PASSPHRASE {grip} -1 {passphrase.hex().upper()}")
        self._unlocking = {**self._unlocking, **passphrases}


def _fingerprint(text: str) -> str:
    if not re.fullmatch(r"[0-9A-F]{40}", text):
        raise ValueError("a fingerprint has 40 digits")
    return text
