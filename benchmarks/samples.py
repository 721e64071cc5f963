"""Distinct realistic reports of about 5 kB, made from a seed: no two alike, as in life."""

import random

_OPENINGS = (
    "Hello,\r\n\r\nwe see attacks from an address in your network. Please have a look and stop them.\r\n",
    "Boa tarde,\r\n\r\nVimos por este meio comunicar tentativas de acesso indevido ao nosso servidor.\r\n",
    "Dear abuse team,\r\n\r\na page that imitates our customer portal is online below your domain.\r\n",
    "Exmos. Senhores,\r\n\r\nrecebemos mensagens de spam com origem na vossa rede; seguem os registos.\r\n",
    "Hi,\r\n\r\nplease find below the connections that our sensors logged yesterday (UTC).\r\n",
)
_WORDS = (  # noqa: SIM905 -- a list of words reads best like this
    "server customer network address message portal evidence traffic system account password page report attempt "
    "servidor cliente rede morada mensagem sistema conta palavra acesso registo pedido tentativa equipa "
    "during several hours many different targets following lines further questions contact us any time"
).split()


def report(number: int, size: int = 5000) -> tuple[str, bytes]:
    """Return envelope sender and text of the number-th report, about `size` bytes, CRLF line ends, no lone dots."""
    chance = random.Random(number)
    address = (
        f"{chance.choice((192, 198, 203))}.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"
    )
    host = f"{chance.choice(_WORDS)}-{number}.example.pt"
    lines = [
        f"From: Reporter {number} <reporter{number}@example{number % 97}.example.com>",
        "To: abuse@example.pt",
        f"Subject: [case {number}] abuse from {address}",
        f"Date: Fri, 20 Nov 2026 {number % 24:02}:{number % 60:02}:07 +0000",
        f"Message-ID: <{number}.{chance.getrandbits(64):x}@example.com>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        chance.choice(_OPENINGS),
        f"hxxp://{host}/{chance.getrandbits(32):x}/login.php and {address}",
        "",
    ]
    length = sum(map(len, lines))
    while length < size:
        if chance.random() < 0.5:
            line = " ".join(chance.choices(_WORDS, k=11))
        else:
            clock = f"{chance.randrange(24):02}:{chance.randrange(60):02}:{chance.randrange(60):02}"
            line = (
                f"Nov 20 {clock} gw sshd[{chance.randrange(30000)}]: "
                f"Failed password for {chance.choice(_WORDS)} from {address} port {chance.randrange(1024, 65000)} ssh2"
            )
        lines.append(line)
        length += len(line) + 2
    return f"reporter{number}@example{number % 97}.example.com", "\r\n".join(lines).encode()
