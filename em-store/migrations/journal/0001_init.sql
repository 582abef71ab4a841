-- One row: who this store is. Everything the manager changes outside carries this id.
CREATE TABLE store (id TEXT NOT NULL);
INSERT INTO store (id) VALUES (lower(hex(randomblob(8))));

-- `epoch` grows by one with every claim.
CREATE TABLE experiment (
    id    INTEGER PRIMARY KEY,
    name  TEXT    NOT NULL UNIQUE,
    epoch INTEGER NOT NULL
);

-- Rows lie in the order of arrival, so what many streams write in one commit fills one page, not
-- one page each; the index finds them by stream. The numbers in a stream's name are its key, so
-- there is no table of streams. `kind`, `major`, `minor`: 0 experiment; 1 hold, slot, n;
-- 2 iteration, trial, n; 3 delivery, n. `at` is in nanoseconds since 1970-01-01T00:00:00Z.
CREATE TABLE entry (
    experiment INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    major      INTEGER NOT NULL,
    minor      INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    body       TEXT    NOT NULL,
    UNIQUE (experiment, kind, major, minor, seq)
);

-- The last word on who may write, whatever the writing process believes.
CREATE TRIGGER fence BEFORE INSERT ON entry
BEGIN
    SELECT RAISE(ABORT, 'stale epoch')
    WHERE (SELECT epoch FROM experiment WHERE id = NEW.experiment) IS NOT NEW.epoch;
END;

-- Requests from anybody. AUTOINCREMENT: a number is never used twice, even after a deletion.
CREATE TABLE inbox (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    experiment TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    body       TEXT    NOT NULL
);
CREATE INDEX inbox_of_experiment ON inbox (experiment, number);
