-- +goose Up
-- A call that is over for its parties stays open until every leg is known to be over: ending says how it ended (JSON, '' is not
-- over). anchor fixes the answer on clocks that outlive the process: "BOOT UPTIME-NS STORE-µS". carrier_talk in ns.

ALTER TABLE open_call ADD COLUMN anchor TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE open_call ADD COLUMN ending TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE cdr ADD COLUMN carrier_talk BIGINT NOT NULL DEFAULT 0;
