"""How bounces, automatic replies and challenges without any of the standard fields begin, in languages that reach us.

All of it is in lower case. Subjects are compared with their beginnings; texts are searched, but only within their first
words, because people quote bounces, while bounces begin with these words.
"""

BOUNCE_SUBJECTS = (
    "undelivered mail returned to sender", "undeliverable mail", "undeliverable:", "undeliverable message",
    "delivery status notification", "delivery failure", "mail delivery failed", "mail delivery failure",
    "mail delivery problem", "mail delivery subsystem", "mail system error", "mail could not be delivered",
    "message could not be delivered", "message delivery failure", "message undeliverable",
    "message status - undeliverable", "nondeliverable mail", "non-delivery report", "failure notice",
    "returned mail:", "warning: could not send message", "unzustellbar", "mail non recapitabile",
    "não é possível entregar", "não entregue:", "mensagem não entregue", "no se puede entregar",
)  # fmt: skip
"""What people write about parcels or forged notices ("delivery problem") is not among these subjects."""
REPLY_SUBJECTS = (
    "auto:", "auto reply", "auto-reply", "autoreply", "automatic reply", "automated reply", "auto response",
    "auto-response", "autoresponse", "automated response", "automatic response", "out of office", "out-of-office",
    "out of the office", "[auto-reply]", "[autoreply]", "vacation:", "away from my mail", "resposta automática",
    "resposta automatica", "ausência temporária", "ausencia temporaria", "ausência do escritório",
    "ausencia do escritorio", "fora do escritório", "fora do escritorio", "ausente:", "respuesta automática",
    "respuesta automatica", "réponse automatique", "reponse automatique", "automatische antwort",
    "abwesenheitsnotiz", "risposta automatica", "please confirm your message", "message held",
    "verification required", "requires verification", "confirmação necessária",
)  # fmt: skip
BOUNCE_BEGINNINGS = (
    "this message was created automatically by mail", "this is the mail system at host",
    "this is the mail delivery system", "hi. this is the qmail-send program", "hi. this is the deliver program",
    "this is an automatically generated delivery status notification", "could not be delivered to one or more",
    "a message that you sent could not be delivered", "the following addresses had permanent fatal errors",
    "the following address(es) failed", "the following message to <", "your message could not be delivered",
    "your message wasn't delivered", "your message was not delivered", "delivery to the following recipient",
    "delivery has failed to these recipients", "the original message was received at",
    "i was unable to deliver your message", "i wasn't able to deliver", "unable to deliver message to the following",
    "sent <<< rcpt to:<", "did not reach the following recipient",
    "this report relates to a message you sent", "a sua mensagem não foi entregue",
    "a sua mensagem não pôde ser entregue", "não foi possível entregar a sua mensagem",
    "falha na entrega para estes destinatários", "esta é uma mensagem automática de não entrega",
)  # fmt: skip
REPLY_BEGINNINGS = (
    "i am out of the office", "i'm out of the office", "i am currently out of the office", "i am currently away",
    "i will be out of the office", "this is an automatic reply", "this is an automated reply",
    "this is an automated response", "this is an automatic response", "encontro-me ausente", "estou ausente",
    "estarei ausente", "estou fora do escritório", "esta é uma resposta automática",
    "esta mensagem é uma resposta automática", "obrigado pela sua mensagem. encontro-me",
    "protecting myself from receiving junk mail", "complete the verification process", "not on the guest list",
    "confirm that you are human", "confirmar que é uma pessoa", "confirme que é uma pessoa", "real live human",
    "has been held until you", "requires that you verify that you",
)  # fmt: skip
BEGINNING = 300
"""Characters of a text that are searched."""
