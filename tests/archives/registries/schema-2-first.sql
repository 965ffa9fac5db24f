PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE audit (
    time_ns INTEGER NOT NULL, user TEXT NOT NULL, host TEXT NOT NULL, peer TEXT NOT NULL,
    pv TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL, outcome TEXT NOT NULL);
INSERT INTO "audit" VALUES(1700000000000000000,'ops','console','127.0.0.1:4711','ARCH:CH:A:Rate','2','7','done');
CREATE TABLE channel (
    name TEXT PRIMARY KEY, row INTEGER NOT NULL UNIQUE, generation INTEGER NOT NULL, revision INTEGER NOT NULL,
    enable INTEGER NOT NULL, mode INTEGER NOT NULL, rate REAL NOT NULL, description TEXT NOT NULL,
    in_file INTEGER NOT NULL, channel_group TEXT NOT NULL,
    deadband REAL NOT NULL DEFAULT 0, deadband_pct REAL NOT NULL DEFAULT 0, max_interval REAL NOT NULL DEFAULT 0) WITHOUT ROWID;
INSERT INTO "channel" VALUES('A',0,1,1,1,0,2.0,'it''s a pump',1,'vacuum',0.0,0.0,0.0);
INSERT INTO "channel" VALUES('B',1,1,1,0,0,0.0,'',1,'',0.0,0.0,0.0);
INSERT INTO "channel" VALUES('C',2,1,1,1,1,0.5,'',0,'',0.0,0.0,0.0);
CREATE TABLE meta (revision INTEGER NOT NULL);
INSERT INTO "meta" VALUES(2);
CREATE TABLE override (
    channel TEXT NOT NULL, setting TEXT NOT NULL, value TEXT NOT NULL, file_value TEXT NOT NULL,
    PRIMARY KEY (channel, setting)) WITHOUT ROWID;
INSERT INTO "override" VALUES('A','rate','7.0','2.0');
CREATE TABLE removed_row (row INTEGER PRIMARY KEY, generation INTEGER NOT NULL);
INSERT INTO "removed_row" VALUES(3,2);
CREATE INDEX channel_revision ON channel (revision);
COMMIT;
