"""Portuguese, English or something else."""

import pytest

from abuse_triage.mail.decode import decode
from abuse_triage.model.settings import LimitSettings
from abuse_triage.reports.language import language


def told(text: str, fields: str = "Subject: x") -> str:
    """Ask for the language of a text in a message with these fields."""
    return language(text, decode(f"{fields}\n\n{text}".encode(), LimitSettings()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bom dia, recebi esta mensagem de phishing e peço que seja removida.", "pt"),
        ("Recebi isto e acho que é burla, obrigado", "pt"),
        ("NÃO RECEBI NADA DE VOSSA PARTE", "pt"),
        ("Please take down this phishing site, it is hosted in your network.", "en"),
        ("Hello, the attached log shows attacks from your address.", "en"),
        ("Hola, el servidor de la empresa envía correo con el virus y los datos del banco", ""),
        ("Bonjour, le site est une copie et les clients sont dans la base", ""),
        ("Guten Tag, die Seite ist eine Kopie und das ist nicht erlaubt", ""),
        ("192.0.2.1 198.51.100.2", ""),
        ("", ""),
    ],
)
def test_small_words_tell(text: str, expected: str) -> None:
    """A sentence or two are enough, and neighbouring languages are taken for neither."""
    assert expected == told(text)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("Content-Language: pt-PT", "pt"),
        ("Content-Language: en-GB", "en"),
        ("Accept-Language: pt-PT, en-US", "pt"),
        ("Content-Language: fr\nAccept-Language: en-US", "en"),
        ("Content-Language: fr", ""),
    ],
)
def test_fields_tell_where_the_text_does_not(fields: str, expected: str) -> None:
    """A text too short to tell is judged by what the mail program says."""
    assert expected == told("192.0.2.1", fields)
    assert told("Please help, this is phishing and it is in your network.", fields) == "en"
