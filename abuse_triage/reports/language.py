"""Portuguese, English or something else: told by the small words."""

from abuse_triage.model.message import Mail


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORDS = {
    "pt": _words(
        "de que não uma um para os em por está foi este esta dos das na ao à às se sua seu são pela pelo também já"
        " muito vossa vosso nosso nossa ou mas como mais foram sobre num numa pelos pelas nos com o e isto aqui bom"
        " boa obrigado obrigada dia tarde noite cumprimentos exmos senhores qual quando porque até ter tem temos"
    ),
    "en": _words(
        "the of and to is that for on with this are from was have be by not your we you it been has our will please"
        " or which an at any their they were there these if can would should dear regards thank thanks hello"
    ),
    # Neighbours that share words with the two are counted so that they are taken for neither.
    "other": _words(
        "el los las una y con del en se su al le les des et est une vous dans pour du der die das und ist nicht von"
        " den mit zu sie ein eine auf il che di la è per sono het een van niet"
    ),
}
_PORTUGUESE_LETTERS = "ãõ"
_LONGEST = 4000
_LEAST = 2


def language(text: str, mail: Mail) -> str:
    """Return "pt", "en" or "" for a text; only its beginning is read.

    Small words decide, letters with a tilde count for Portuguese. A text too short to tell is judged by the message's
    Content-Language (RFC 3282) and, that failing, by its Accept-Language.
    """
    words = text[:_LONGEST].lower().split()
    scores = {name: sum(map(known.__contains__, words)) for name, known in _WORDS.items()}
    scores["pt"] += sum(map(text[:_LONGEST].count, _PORTUGUESE_LETTERS))
    best = max(scores, key=lambda name: scores[name])
    if scores[best] >= _LEAST and list(scores.values()).count(scores[best]) == 1:
        return "" if best == "other" else best
    for name in ("content-language", "accept-language"):
        declared = mail.header(name).strip().lower()[:2]
        if declared in {"pt", "en"}:
            return declared
    return ""
