"""The tables, and how an older file becomes a newer one; people may open the file with sqlite-utils or Datasette.

All times are UTC text that sorts, except `ready_at_ms`, which belongs to leases. JSON columns hold what the model
defines. A step that was published is never edited: a change is a new step, and one that older programs can live with.
"""

from abuse_triage.store.sqlite import lookup_schema
from abuse_triage.store.sqlite.connection import Connection

MIGRATION_SET = "abuse-triage"

_MESSAGES = """
CREATE TABLE messages (                 -- every mail that was accepted, one row each
    id TEXT PRIMARY KEY,                -- sorts by time of arrival
    received_at TEXT NOT NULL,
    sender TEXT NOT NULL,               -- envelope sender, '' for the null return path
    recipients TEXT NOT NULL,           -- JSON list of our mailboxes
    channel TEXT NOT NULL,              -- smtp, lmtp, imap or file
    peer TEXT NOT NULL,                 -- address of the client, '' for none
    helo TEXT NOT NULL,
    tls INTEGER NOT NULL,
    raw_size INTEGER NOT NULL,          -- bytes
    truncated INTEGER NOT NULL,         -- 1 where only the beginning was kept
    state TEXT NOT NULL DEFAULT 'received',
    attempts INTEGER NOT NULL DEFAULT 0,
    ready_at_ms INTEGER DEFAULT 0,      -- 0: now; else milliseconds since 1970 when it may be claimed; NULL: finished
    lease TEXT NOT NULL DEFAULT '',     -- whoever knows it may finish the message
    error TEXT NOT NULL DEFAULT '',     -- why the last attempt failed
    outcome TEXT,                       -- opened, joined, parked or quarantined
    reason TEXT NOT NULL DEFAULT '',
    refused TEXT NOT NULL DEFAULT '',   -- why no acknowledgement was sent, '' where one was
    ticket_id INTEGER REFERENCES tickets (id),
    finished_at TEXT
) STRICT, WITHOUT ROWID
"""

_RAW_MESSAGES = """
CREATE TABLE raw_messages (             -- apart from messages, so that these stay small to walk through
    message_id TEXT PRIMARY KEY REFERENCES messages (id),
    raw BLOB NOT NULL                   -- the mail byte for byte, compressed with zlib
) STRICT
"""

_TICKETS = """
CREATE TABLE tickets (
    id INTEGER PRIMARY KEY,
    number TEXT NOT NULL UNIQUE,        -- what reporters see
    sequence INTEGER NOT NULL,          -- the number's own part, counted in "counters"
    kind TEXT NOT NULL,                 -- incident or enquiry
    state TEXT NOT NULL,                -- new, resolved or closed
    category TEXT NOT NULL,
    type TEXT NOT NULL,
    tlp TEXT NOT NULL,
    tlp_marked INTEGER NOT NULL,        -- 1 where the reporter marked it, 0 for a default
    priority TEXT NOT NULL,             -- p1 is the most urgent
    review INTEGER NOT NULL,            -- 1 where a person is asked to look
    summary TEXT NOT NULL,
    reporter TEXT NOT NULL,
    mailbox TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    due TEXT NOT NULL,                  -- when the response clock runs out
    messages INTEGER NOT NULL DEFAULT 1 -- how many came in for it
) STRICT
"""

_REPORTS = """
CREATE TABLE reports (                  -- what each message said and what the rules made of it
    message_id TEXT PRIMARY KEY REFERENCES messages (id),
    ticket_id INTEGER REFERENCES tickets (id),  -- NULL where the message was parked
    format TEXT NOT NULL,
    fingerprint TEXT NOT NULL,          -- equal for equal content, '' for none
    verdict_schema INTEGER NOT NULL,
    verdict TEXT,                       -- JSON, NULL where there was nothing to decide
    facts TEXT NOT NULL                 -- JSON with its own schema number
) STRICT
"""

_CONTENTS = """
CREATE TABLE contents (                 -- where the same content from the same sender went last
    fingerprint TEXT NOT NULL,
    sender TEXT NOT NULL,
    ticket_id INTEGER NOT NULL REFERENCES tickets (id),
    received_at TEXT NOT NULL,
    PRIMARY KEY (fingerprint, sender)
) STRICT, WITHOUT ROWID
"""

_INDICATORS = """
CREATE TABLE indicators (               -- what the reports point at, one row for each message that does
    id INTEGER PRIMARY KEY,
    ticket_id INTEGER NOT NULL REFERENCES tickets (id),
    message_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    registrable TEXT NOT NULL,          -- the name below the public suffix, '' for none
    ours INTEGER NOT NULL,              -- 1 for our constituency
    reason TEXT NOT NULL,               -- why it is ours, or not
    asn INTEGER NOT NULL,
    name_server TEXT NOT NULL,
    registry TEXT NOT NULL,
    special TEXT NOT NULL               -- name of the special-purpose range, '' for none
) STRICT
"""

_PARTICIPANTS = """
CREATE TABLE participants (             -- who wrote to a ticket or was written to
    ticket_id INTEGER NOT NULL REFERENCES tickets (id),
    address TEXT NOT NULL,
    PRIMARY KEY (ticket_id, address)
) STRICT, WITHOUT ROWID
"""

_LINKS = """
CREATE TABLE links (                    -- one ticket mentions another
    ticket_id INTEGER NOT NULL REFERENCES tickets (id),
    mentioned_id INTEGER NOT NULL REFERENCES tickets (id),
    PRIMARY KEY (ticket_id, mentioned_id)
) STRICT, WITHOUT ROWID
"""

_JOURNAL = """
CREATE TABLE journal (                  -- who did what, when and why; rows are only ever added
    id INTEGER PRIMARY KEY,
    ticket_id INTEGER REFERENCES tickets (id),
    message_id TEXT REFERENCES messages (id),
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT
"""

_OUTBOX = """
CREATE TABLE outbox (                   -- mail of ours
    id INTEGER PRIMARY KEY,
    ticket_id INTEGER REFERENCES tickets (id),  -- NULL for a digest
    kind TEXT NOT NULL,
    message_id TEXT NOT NULL UNIQUE,    -- the Message-ID: nothing is ever queued twice
    recipient TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    tries INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    next_try TEXT NOT NULL,
    sent_at TEXT,
    error TEXT NOT NULL DEFAULT '',     -- the last answer
    content BLOB NOT NULL               -- the whole mail
) STRICT
"""

_COUNTERS = """
CREATE TABLE counters (                 -- the last ticket number of each year and format
    series TEXT PRIMARY KEY,            -- the number with a sequence of 0
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID
"""

_MEMORY = """
CREATE TABLE memory (                   -- small facts that outlive a restart
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID
"""

# Partial indexes hold what waits and nothing else, so that the hundred thousandth message costs what the first did.
# Nothing finds indicators by value yet, and an index at random places is what does not stay cheap: over all of ten
# indicators a message it makes `finish` 1.5 times slower at 20,000 tickets. Whoever relates by them chooses the key.
_INDEXES = (
    "CREATE INDEX messages_waiting ON messages (state, ready_at_ms, received_at) WHERE ready_at_ms IS NOT NULL",
    "CREATE INDEX messages_set_aside ON messages (outcome, received_at) WHERE outcome IN ('parked', 'quarantined')",
    "CREATE INDEX tickets_sequence ON tickets (sequence)",
    "CREATE INDEX tickets_created ON tickets (created_at, category)",
    "CREATE INDEX tickets_open ON tickets (priority, due, created_at) WHERE state = 'new'",
    "CREATE INDEX reports_ticket ON reports (ticket_id)",
    "CREATE INDEX contents_newest ON contents (fingerprint, received_at)",
    "CREATE INDEX indicators_ticket ON indicators (ticket_id)",
    "CREATE INDEX links_mentioned ON links (mentioned_id)",
    "CREATE INDEX journal_ticket ON journal (ticket_id)",
    "CREATE INDEX outbox_ticket ON outbox (ticket_id)",
    "CREATE INDEX outbox_unsent ON outbox (state, next_try, created_at) WHERE sent_at IS NULL",
)

_APPEND_ONLY = tuple(
    f"CREATE TRIGGER journal_no_{verb} BEFORE {verb} ON journal"
    " BEGIN SELECT RAISE (ABORT, 'the journal is append-only'); END"
    for verb in ("UPDATE", "DELETE")
)

_MORE_COLUMNS = (
    # What stood behind the "+" of the addresses that were written to; JSON list.
    "ALTER TABLE messages ADD COLUMN details TEXT NOT NULL DEFAULT '[]'",
    # Who took a parked message for a report, '' for nobody, and when.
    "ALTER TABLE messages ADD COLUMN promoted_by TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE messages ADD COLUMN promoted_at TEXT",
    # 1 where the recipient is proven to have written.
    "ALTER TABLE outbox ADD COLUMN proven INTEGER NOT NULL DEFAULT 0",
    # The Message-ID that the mail answers, and the language that it begins with.
    "ALTER TABLE outbox ADD COLUMN answers TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE outbox ADD COLUMN language TEXT NOT NULL DEFAULT ''",
    # Since when a queued mail waits for its budget, NULL where it does not; and when its budget was paid, once.
    "ALTER TABLE outbox ADD COLUMN held_at TEXT",
    "ALTER TABLE outbox ADD COLUMN paid_at TEXT",
    # The mail that told the recipient in place of this one.
    "ALTER TABLE outbox ADD COLUMN folded_into INTEGER REFERENCES outbox (id)",
)

_PEERS = """
CREATE TABLE peers (                    -- the newest ticket about a number of another team's
    peer TEXT PRIMARY KEY,              -- the team's name and its number
    ticket_id INTEGER NOT NULL REFERENCES tickets (id)
) STRICT, WITHOUT ROWID
"""

_BUDGETS = """
CREATE TABLE budgets (                  -- what was taken from each budget and has not come back yet
    name TEXT PRIMARY KEY,
    used_us INTEGER NOT NULL,           -- microseconds until all of it has come back, counted from "as_of_us"
    as_of_us INTEGER NOT NULL           -- microseconds since 1970
) STRICT, WITHOUT ROWID
"""

_MORE_INDEXES = (
    "CREATE INDEX outbox_held ON outbox (recipient, held_at) WHERE held_at IS NOT NULL",
    "CREATE INDEX outbox_folded ON outbox (folded_into) WHERE folded_into IS NOT NULL",
    "CREATE INDEX budgets_back ON budgets (as_of_us + used_us)",
)

# The number of a row grows with each certificate that is stored, also where it replaces an earlier copy of itself.
_CERTIFICATES = """
CREATE TABLE certificates (             -- OpenPGP keys of others, public parts only
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,   -- of the primary key, upper-case hexadecimal digits
    origin TEXT NOT NULL,               -- operator, wkd or attached; only the first is anybody's word
    names TEXT NOT NULL,                -- JSON list of the user ids; whoever made the key wrote them
    created TEXT NOT NULL,
    expires TEXT,                       -- NULL for never
    revoked INTEGER NOT NULL,
    can_encrypt INTEGER NOT NULL,
    note TEXT NOT NULL,
    added_at TEXT NOT NULL,
    added_by TEXT NOT NULL,
    blob BLOB NOT NULL                  -- the certificate in binary form
) STRICT
"""

_CERTIFICATE_KEYS = """
CREATE TABLE certificate_keys (         -- by what a signature or ciphertext names a certificate
    id INTEGER PRIMARY KEY,
    certificate_id INTEGER NOT NULL REFERENCES certificates (id) ON DELETE CASCADE,
    key_id TEXT NOT NULL,               -- of the primary key or a subkey, 16 upper-case hexadecimal digits
    UNIQUE (key_id, certificate_id)
) STRICT
"""

_CERTIFICATE_ADDRESSES = """
CREATE TABLE certificate_addresses (    -- whom a certificate may belong to
    id INTEGER PRIMARY KEY,
    certificate_id INTEGER NOT NULL REFERENCES certificates (id) ON DELETE CASCADE,
    address TEXT NOT NULL,              -- lower case
    said INTEGER NOT NULL,              -- 1 where whoever added it says so, 0 where only a name in it claims so
    UNIQUE (address, certificate_id, said)
) STRICT
"""

# No reference to "messages", so that a message may be deleted and its signature still not be used again. Nothing
# removes rows yet: one for each signed or encrypted message; what limits how long messages are kept goes by "seen_at".
_SIGNATURES = """
CREATE TABLE signatures (               -- signatures and ciphertexts that came, so that a replay is known
    signature_id TEXT PRIMARY KEY,      -- a hash
    message_id TEXT NOT NULL,           -- the first message that brought it
    seen_at TEXT NOT NULL
) STRICT, WITHOUT ROWID
"""

_KEY_COLUMNS = (
    # The fingerprint of the key that the mail is encrypted to on its way out, '' for none.
    "ALTER TABLE outbox ADD COLUMN encrypt_to TEXT NOT NULL DEFAULT ''",
    # What OpenPGP proves about the ticket's first message, in words; '' where it has none.
    "ALTER TABLE tickets ADD COLUMN protection TEXT NOT NULL DEFAULT ''",
)

_KEY_INDEXES = (
    "CREATE INDEX certificates_origin ON certificates (origin)",
    "CREATE INDEX certificates_expiring ON certificates (expires) WHERE origin = 'operator' AND expires IS NOT NULL",
    "CREATE INDEX certificate_keys_of ON certificate_keys (certificate_id)",
    "CREATE INDEX certificate_addresses_of ON certificate_addresses (certificate_id)",
)

STEPS: dict[str, tuple[str, ...]] = {
    "0001 messages, tickets and outbox": (
        *(_TICKETS, _MESSAGES, _RAW_MESSAGES, _REPORTS, _CONTENTS, _INDICATORS, _PARTICIPANTS, _LINKS),
        *(_JOURNAL, _OUTBOX, _COUNTERS, _MEMORY, *_INDEXES, *_APPEND_ONLY),
    ),
    "0002 proof, promotion, peers and budgets": (*_MORE_COLUMNS, _PEERS, _BUDGETS, *_MORE_INDEXES),
    "0003 keys and signatures": (
        *_KEY_COLUMNS,
        *(_CERTIFICATES, _CERTIFICATE_KEYS, _CERTIFICATE_ADDRESSES, _SIGNATURES, *_KEY_INDEXES),
    ),
    "0004 look-ups and contacts": lookup_schema.STEP,
}
"""Every step in order, by the name under which the file remembers it; another engine's steps have the same names."""


def migrate(connection: Connection) -> None:
    """Bring the file to the newest shape, all steps in one transaction; several programs may start at once."""
    with connection.reading():
        if connection.one("SELECT 1 FROM sqlite_schema WHERE name = '_sqlite_migrations'"):
            names = connection.all("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", MIGRATION_SET)
            if STEPS.keys() <= {name for (name,) in names}:
                return
    # Imported here because it takes 90 ms, which every command would pay and only a new file or version needs.
    from sqlite_utils import Database  # noqa: PLC0415 - see above
    from sqlite_utils.migrations import Migrations  # noqa: PLC0415 - see above

    migrations = Migrations(MIGRATION_SET)
    for name, statements in STEPS.items():

        @migrations(name=name)
        def step(db: Database, statements: tuple[str, ...] = statements) -> None:
            for statement in statements:
                db.execute(statement)

    with connection.writing():
        migrations.apply(Database(connection.sqlite, recursive_triggers=False, execute_plugins=False))
