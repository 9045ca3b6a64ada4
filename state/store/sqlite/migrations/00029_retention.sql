-- +goose Up
-- What staff hold beyond its time, archives of old calls, files that no item of a case names yet, and what finds the oldest of each kind.

CREATE TABLE legal_hold (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  call TEXT NOT NULL, line TEXT NOT NULL, customer TEXT NOT NULL, begins INTEGER NOT NULL, until INTEGER NOT NULL,
  actor TEXT NOT NULL, why TEXT NOT NULL, made INTEGER NOT NULL, lifted INTEGER NOT NULL, lifted_by TEXT NOT NULL, lifted_why TEXT NOT NULL
) STRICT;
CREATE INDEX legal_hold_now ON legal_hold (id) WHERE lifted = 0;

-- state: 'made' (its calls are being deleted) or 'kept'. last: when the last of its calls began.
CREATE TABLE archive (
  name TEXT PRIMARY KEY,
  node TEXT NOT NULL, state TEXT NOT NULL, made INTEGER NOT NULL, first_id TEXT NOT NULL, last_id TEXT NOT NULL, last INTEGER NOT NULL,
  calls INTEGER NOT NULL, facts INTEGER NOT NULL, bytes INTEGER NOT NULL, calls_hash TEXT NOT NULL, facts_hash TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX archive_last ON archive (last, name);
CREATE TABLE archive_call (archive TEXT NOT NULL, call TEXT NOT NULL, PRIMARY KEY (archive, call)) STRICT, WITHOUT ROWID;

CREATE TABLE case_upload (code TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX case_upload_at ON case_upload (at);
INSERT INTO case_upload (code, at) SELECT DISTINCT code, 0 FROM case_piece p WHERE NOT EXISTS (SELECT 1 FROM case_item i WHERE i.file LIKE '%"' || p.code || '"%');

-- Whatever ties a thing to a case or hold, and whatever deletes, takes this row, so that one of them sees the other.
INSERT INTO counter (name, n) VALUES ('retention', 0) ON CONFLICT DO NOTHING;

CREATE INDEX device_last ON device (last_at, line, place, family);
CREATE INDEX notice_at ON notice (at, id);
CREATE INDEX finding_last ON finding (last_at, id) WHERE closed <> 0;
CREATE INDEX case_finished ON fraud_case (finished, id) WHERE finished <> 0;
CREATE INDEX bill_made ON bill (made, number) WHERE state = 'issued';
CREATE INDEX entry_at ON entry (at, id);
