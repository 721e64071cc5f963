"""New text, quoted text and signatures."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.reports.quoting import SIGNATURE_LINES, Written, split

_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = "-----BEGIN PGP SIGNATURE-----\n\nabc=\n-----END PGP SIGNATURE-----"


@pytest.mark.parametrize(
    ("text", "new", "quoted", "signature"),
    [
        ("Bom dia,\ntexto", "Bom dia,\ntexto", "", ""),
        (
            "novo\n\nEm 05/10/2026 09:42, Ana escreveu:\n> antigo\n>> mais\n",
            "novo",
            "Em 05/10/2026 09:42, Ana escreveu:\n> antigo\n>> mais",
            "",
        ),
        (
            "new\n\nOn Sat, Nov 21, 2026, Ana <ana@example.pt> wrote:\n\n> old",
            "new",
            "On Sat, Nov 21, 2026, Ana <ana@example.pt> wrote:\n> old",
            "",
        ),
        (
            "new\nOn Sat, Nov 21, 2026 at 10:00, Ana Silva\n<ana@example.pt> wrote:\n> old\ninline\n> more",
            "new\ninline",
            "On Sat, Nov 21, 2026 at 10:00, Ana Silva\n<ana@example.pt> wrote:\n> old\n> more",
            "",
        ),
        ("Ana wrote:\n> old", "", "Ana wrote:\n> old", ""),
        ("we saw this\nand then Ana wrote:\n> old", "we saw this", "and then Ana wrote:\n> old", ""),
        (
            "novo\n\nEm sábado, Ana escreveu:\n\nantigo sem marcas",
            "novo",
            "Em sábado, Ana escreveu:\n\nantigo sem marcas",
            "",
        ),
        ("On Monday our CERT wrote:", "On Monday our CERT wrote:", "", ""),
        ("new\n-----Original Message-----\nFrom: x\nold", "new", "-----Original Message-----\nFrom: x\nold", ""),
        (
            "novo\n---------- Forwarded message ---------\nDe: x",
            "novo",
            "---------- Forwarded message ---------\nDe: x",
            "",
        ),
        (
            "novo\n\nInício da mensagem reencaminhada:\n\nDe: x",
            "novo",
            "Início da mensagem reencaminhada:\n\nDe: x",
            "",
        ),
        (
            "new\n\nFrom: Ana\nSent: Monday\nTo: x\nSubject: y\n\nold",
            "new",
            "From: Ana\nSent: Monday\nTo: x\nSubject: y\n\nold",
            "",
        ),
        ("novo\n\n*De:* Ana\n*Enviado:* segunda\n\nantigo", "novo", "*De:* Ana\n*Enviado:* segunda\n\nantigo", ""),
        (
            "headers:\nFrom: spam@example.net\nTo: me\nSubject: y\nafter",
            "headers:\nFrom: spam@example.net\nTo: me\nSubject: y\nafter",
            "",
            "",
        ),
        ("text\n-- \nAna\nCERT", "text", "", "-- \nAna\nCERT"),
        ("text\n- -- \nAna", "text", "", "- -- \nAna"),
        (
            "text\n--\nAna\n____________________\nlist@example.pt",
            "text",
            "",
            "--\nAna\n____________________\nlist@example.pt",
        ),
        ("top\n-- \nAna\n\nOn Monday, Rui wrote:\n> old", "top", "On Monday, Rui wrote:\n> old", "-- \nAna"),
        (
            "a\n--\n" + "line\n" * (SIGNATURE_LINES + 1) + "end",
            "a\n--\n" + "line\n" * (SIGNATURE_LINES + 1) + "end",
            "",
            "",
        ),
        (f"{_SIGNED}\nHash: SHA256\n\ntexto\n{_SIGNATURE}\nfim", "texto\nfim", "", ""),
        ("> only quoted", "", "> only quoted", ""),
        ("", "", "", ""),
        ("\n\n", "", "", ""),
    ],
)
def test_split(text: str, new: str, quoted: str, signature: str) -> None:
    """The ways in which mail programs and people quote, in both languages, are told from what they write."""
    assert Written(new, quoted, signature) == split(text)


@pytest.mark.parametrize(
    "line", ["", ">", "--", "On x wrote:", "From: x", "____________________", "-----BEGIN PGP SIG"]
)
def test_time_grows_with_the_length_only(line: str) -> None:
    """Hundreds of thousands of any one line are told apart within seconds."""
    before = time.process_time()
    split(f"{line}\n" * 100_000)
    assert time.process_time() - before < 5


_LINES = st.sampled_from(
    ["texto", "> citado", "", "-- ", "Em x, Ana escreveu:", "De: x", "Enviado: y", "____________________"]
)


@given(st.lists(_LINES, max_size=20))
def test_every_line_stays_somewhere(lines: list[str]) -> None:
    """No line with words is lost or doubled."""
    written = split("\n".join(lines))
    kept = "\n".join(written).split("\n")
    assert sorted(line for line in lines if line) == sorted(line for line in kept if line)
