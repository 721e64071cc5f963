"""The tables of look-ups and contacts: what was answered, which ticket wants to know what, and which servers fail."""

_RANK = "CASE tlp WHEN 'clear' THEN 0 WHEN 'green' THEN 1 WHEN 'amber' THEN 2 WHEN 'amber+strict' THEN 3 ELSE 4 END"

_ANSWERS = f"""
CREATE TABLE answers (                  -- what registries and name servers answered
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,                 -- what was asked: network, domain …
    subject TEXT NOT NULL,              -- the address or name that was asked for
    tlp TEXT NOT NULL,                  -- of the question: who is less strict does not see the answer
    tlp_rank INTEGER NOT NULL GENERATED ALWAYS AS ({_RANK}) VIRTUAL,
    server TEXT NOT NULL,               -- who was asked, '' for nobody
    result TEXT NOT NULL,               -- found, not-found or failed
    asked_at TEXT NOT NULL,
    fresh_until TEXT NOT NULL,          -- nobody asks again before
    stale_until TEXT NOT NULL,          -- nobody uses it afterwards
    newest INTEGER NOT NULL DEFAULT 1,  -- 0 where a later answer took its place; tickets still show it
    first_address BLOB,                 -- the network that it holds for: 16 bytes each, IPv4 as ::ffff:192.0.2.0
    last_address BLOB,
    size_bits INTEGER,                  -- 2 to the power of this addresses hold that network, half of them do not
    answer_schema INTEGER NOT NULL,
    answer TEXT NOT NULL                -- JSON
) STRICT
"""

_LOOKUPS = f"""
CREATE TABLE lookups (                  -- what each ticket wants to know, once for each question
    id INTEGER PRIMARY KEY,
    ticket_id INTEGER NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    message_id TEXT NOT NULL,           -- the message that asked first
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,              -- an address or a registrable name
    address BLOB,                       -- 16 bytes where a network is asked for
    tlp TEXT NOT NULL,                  -- of the ticket when the look-up was planned or asked
    tlp_rank INTEGER NOT NULL GENERATED ALWAYS AS ({_RANK}) VIRTUAL,
    state TEXT NOT NULL,                -- waiting, asking, answered, withheld or skipped
    permission TEXT NOT NULL,           -- of the policy: yes, ask or no
    reason TEXT NOT NULL,               -- why it is withheld, waits or failed
    released_by TEXT NOT NULL DEFAULT '',  -- who let it be made although it was withheld
    wanted_at TEXT NOT NULL,
    changed_at TEXT NOT NULL,           -- since when it is in its state
    not_before TEXT,                    -- when it may leave; NULL where it is over
    lease TEXT NOT NULL DEFAULT '',     -- whoever knows it may answer
    leased_until_ms INTEGER,            -- milliseconds since 1970
    tries INTEGER NOT NULL DEFAULT 0,
    result TEXT NOT NULL DEFAULT '',    -- found, not-found or failed once it is answered
    answer_id INTEGER REFERENCES answers (id) ON DELETE SET NULL,
    UNIQUE (ticket_id, kind, subject)
) STRICT
"""

_SERVERS = """
CREATE TABLE servers (                  -- the servers that do not answer as they should
    name TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,          -- in a row
    open_until TEXT,                    -- left alone until then, NULL where it may be asked
    probe_until TEXT,                   -- one question was let through, and the others wait until then
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID
"""

_CONTACTS = """
CREATE TABLE contacts (                 -- the directory of those whom handlers write to
    email TEXT PRIMARY KEY,             -- lower case
    kind TEXT NOT NULL,                 -- cctld, csirt, national-csirt, registrar, law-enforcement, customer or other
    organisation TEXT NOT NULL,
    cctld TEXT NOT NULL,
    representative TEXT NOT NULL,
    country TEXT NOT NULL,              -- two capitals
    domain TEXT NOT NULL,
    telephone TEXT NOT NULL,
    emergency_telephone TEXT NOT NULL,
    messengers TEXT NOT NULL,
    facsimile TEXT NOT NULL,
    other_means TEXT NOT NULL,
    language TEXT NOT NULL,
    openpgp_fingerprint TEXT NOT NULL,
    note TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    updated_by TEXT NOT NULL
) STRICT, WITHOUT ROWID
"""

_COLUMNS = (
    # 1 where late answers came about a message that has its outcome: the rules see it once more.
    "ALTER TABLE messages ADD COLUMN again INTEGER NOT NULL DEFAULT 0",
    # The fields that a handler set, which nothing else changes; JSON list.
    "ALTER TABLE tickets ADD COLUMN by_hand TEXT NOT NULL DEFAULT '[]'",
)

# Partial indexes hold the newest answers and the look-ups that are not over, so that history costs nothing.
_INDEXES = (
    "CREATE INDEX answers_newest ON answers (kind, subject) WHERE newest",
    """
    CREATE INDEX answers_networks ON answers (size_bits, first_address, last_address)
    WHERE newest AND size_bits IS NOT NULL
    """,
    "CREATE INDEX answers_asked ON answers (asked_at)",
    "CREATE INDEX lookups_due ON lookups (state, not_before, wanted_at) WHERE not_before IS NOT NULL",
    "CREATE INDEX lookups_asked ON lookups (kind, subject) WHERE not_before IS NOT NULL",
    "CREATE INDEX lookups_networks ON lookups (address) WHERE not_before IS NOT NULL AND address IS NOT NULL",
    "CREATE INDEX lookups_answer ON lookups (answer_id) WHERE answer_id IS NOT NULL",
    "CREATE INDEX lookups_withheld ON lookups (ticket_id, wanted_at) WHERE state = 'withheld'",
    "CREATE INDEX servers_worst ON servers (failures DESC, name)",
    "CREATE INDEX contacts_order ON contacts (kind, country, organisation)",
    "CREATE INDEX messages_again ON messages (received_at) WHERE again",
)

STEP = (*_COLUMNS, _ANSWERS, _LOOKUPS, _SERVERS, _CONTACTS, *_INDEXES)
"""The statements of the step that brings all of it into a file."""
