-- +goose Up
-- Two phones of a line may register one and the same contact (192.168.1.10 at two homes): key tells them apart. instance is the
-- phone's own name for itself (+sip.instance and reg-id), listener where of ours it registered, heard when it did so last.

ALTER TABLE registration ADD COLUMN "key" TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE registration ADD COLUMN instance TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE registration ADD COLUMN listener TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE registration ADD COLUMN heard BIGINT NOT NULL DEFAULT 0;
UPDATE registration SET "key" = contact, heard = since;
ALTER TABLE registration ALTER COLUMN "key" DROP DEFAULT;
ALTER TABLE registration DROP CONSTRAINT registration_pkey;
ALTER TABLE registration ADD PRIMARY KEY (line, "key");

-- What a carrier is told of a caller who withholds the number: 'asserted' (P-Asserted-Identity, marked private) or 'removed'.
ALTER TABLE trunk ADD COLUMN withheld TEXT COLLATE "C" NOT NULL DEFAULT 'asserted';
