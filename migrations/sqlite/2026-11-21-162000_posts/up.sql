-- Posts: Markdown, kept as it was written. `title_key` is the title without regard to case, for sorting and finding.
CREATE TABLE posts (
    id           INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    title        TEXT    NOT NULL,
    title_key    TEXT    NOT NULL,
    content      TEXT    NOT NULL,
    published    BOOLEAN NOT NULL CHECK (published IN (0, 1)),
    published_at BIGINT,
    author_id    BIGINT  NOT NULL REFERENCES users (id),
    version      BIGINT  NOT NULL,
    created_at   BIGINT  NOT NULL,
    updated_at   BIGINT  NOT NULL
);
CREATE INDEX posts_title_key ON posts (title_key, id);
CREATE INDEX posts_created_at ON posts (created_at, id);
CREATE INDEX posts_published ON posts (published, created_at, id);
CREATE INDEX posts_author_id ON posts (author_id, id);
