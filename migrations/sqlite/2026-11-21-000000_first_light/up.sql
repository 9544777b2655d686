-- Ids are never used again (AUTOINCREMENT); times are microseconds since 1970 in UTC; money and rates are
-- whole ten-thousandths, never a binary float; `*_key` is the text without regard to case, for uniqueness.

CREATE TABLE users (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    email               TEXT    NOT NULL,
    username            TEXT    NOT NULL,
    username_key        TEXT    NOT NULL,
    full_name           TEXT,
    age                 INTEGER CHECK (age BETWEEN 0 AND 150),
    website             TEXT,
    role                TEXT    NOT NULL CHECK (role IN ('admin', 'user', 'guest')),
    is_active           BOOLEAN NOT NULL CHECK (is_active IN (0, 1)),
    password_hash       TEXT,
    credentials_version BIGINT  NOT NULL,
    version             BIGINT  NOT NULL,
    created_at          BIGINT  NOT NULL,
    updated_at          BIGINT  NOT NULL,
    last_login_at       BIGINT
);
CREATE UNIQUE INDEX users_email_unique ON users (email);
CREATE UNIQUE INDEX users_username_key_unique ON users (username_key);

CREATE TABLE categories (
    id          INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    name        TEXT   NOT NULL,
    name_key    TEXT   NOT NULL,
    description TEXT,
    version     BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX categories_name_key_unique ON categories (name_key);
CREATE INDEX categories_created_at ON categories (created_at, id);

CREATE TABLE items (
    id          INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    sku         TEXT,
    name        TEXT    NOT NULL,
    description TEXT,
    price       BIGINT  NOT NULL CHECK (price > 0),
    currency    TEXT    NOT NULL,
    tax_rate    BIGINT  NOT NULL CHECK (tax_rate BETWEEN 0 AND 10000),
    is_active   BOOLEAN NOT NULL CHECK (is_active IN (0, 1)),
    category_id BIGINT  NOT NULL REFERENCES categories (id),
    owner_id    BIGINT  NOT NULL REFERENCES users (id),
    version     BIGINT  NOT NULL,
    created_at  BIGINT  NOT NULL,
    updated_at  BIGINT  NOT NULL
);
-- One index for each sort that is offered; each ends in the id, which breaks ties and carries the cursor.
CREATE UNIQUE INDEX items_sku_unique ON items (sku);
CREATE INDEX items_sku ON items (coalesce(sku, ''), id);
CREATE INDEX items_name ON items (lower(name), id);
CREATE INDEX items_price ON items (price, id);
CREATE INDEX items_created_at ON items (created_at, id);
CREATE INDEX items_updated_at ON items (updated_at, id);
CREATE INDEX items_category_id ON items (category_id, id);
CREATE INDEX items_owner_id ON items (owner_id, id);

-- The words of each item, as `search::words` cuts them. Contentless: it is fed once for each group of
-- commits (5 µs an item; by triggers 57 µs).
CREATE VIRTUAL TABLE item_search USING fts5(words, content = '', contentless_delete = 1, tokenize = "ascii tokenchars '.'");

-- Numbers that lists show: kept in the transaction that changes them. `shard` spreads the writers of
-- PostgreSQL; the value is the sum of all shards.
CREATE TABLE counters (
    name  TEXT    NOT NULL,
    shard INTEGER NOT NULL,
    value BIGINT  NOT NULL,
    PRIMARY KEY (name, shard)
) WITHOUT ROWID;

-- One row for each act, and one for each entity that it touched. Append-only.
CREATE TABLE changesets (
    id         INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at         BIGINT NOT NULL,
    actor_id   BIGINT,
    actor      TEXT   NOT NULL,
    door       TEXT   NOT NULL CHECK (door IN ('api', 'admin', 'cli', 'job')),
    summary    TEXT   NOT NULL,
    request_id TEXT   NOT NULL,
    address    TEXT
);
CREATE INDEX changesets_actor_id ON changesets (actor_id, id);

CREATE TABLE changes (
    changeset_id BIGINT  NOT NULL REFERENCES changesets (id),
    seq          INTEGER NOT NULL,
    entity       TEXT    NOT NULL,
    entity_id    BIGINT  NOT NULL,
    action       TEXT    NOT NULL CHECK (action IN ('created', 'updated', 'deleted')),
    version      BIGINT  NOT NULL,
    before       TEXT,
    after        TEXT,
    PRIMARY KEY (changeset_id, seq)
) WITHOUT ROWID;
CREATE INDEX changes_entity ON changes (entity, entity_id, changeset_id, seq);

-- Browser sessions. The key is stored as its SHA-256, so that a copy of the database opens no door.
CREATE TABLE sessions (
    key_hash   TEXT   NOT NULL,
    user_id    BIGINT REFERENCES users (id) ON DELETE CASCADE,
    state      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (key_hash)
);
CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
