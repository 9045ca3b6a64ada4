-- +goose Up
-- Two phones of a line may register one and the same contact (192.168.1.10 at two homes): key tells them apart. instance is the
-- phone's own name for itself (+sip.instance and reg-id), listener where of ours it registered, heard when it did so last.

CREATE TABLE registration_9 (
  line TEXT NOT NULL, contact TEXT NOT NULL,
  received TEXT NOT NULL, transport TEXT NOT NULL, call_id TEXT NOT NULL, cseq INTEGER NOT NULL,
  user_agent TEXT NOT NULL, expires INTEGER NOT NULL, since INTEGER NOT NULL,
  "key" TEXT NOT NULL, instance TEXT NOT NULL DEFAULT '', listener TEXT NOT NULL DEFAULT '', heard INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (line, "key")
) STRICT, WITHOUT ROWID;
INSERT INTO registration_9 SELECT line, contact, received, transport, call_id, cseq, user_agent, expires, since, contact, '', '', since FROM registration;
DROP TABLE registration;
ALTER TABLE registration_9 RENAME TO registration;

-- What a carrier is told of a caller who withholds the number: 'asserted' (P-Asserted-Identity, marked private) or 'removed'.
ALTER TABLE trunk ADD COLUMN withheld TEXT NOT NULL DEFAULT 'asserted';
