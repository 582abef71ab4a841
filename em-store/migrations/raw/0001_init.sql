-- Rows lie in the order of arrival, the digest has an index of its own: a digest is random, and
-- a tree of such keys would put every few kilobytes on another page.
-- `put_at` is in nanoseconds since 1970-01-01T00:00:00Z.
CREATE TABLE raw (
    number INTEGER PRIMARY KEY,
    digest BLOB    NOT NULL,
    put_at INTEGER NOT NULL,
    bytes  BLOB    NOT NULL
);
CREATE UNIQUE INDEX raw_by_digest ON raw (digest);
