BEGIN TRANSACTION;
CREATE TABLE cursors(sink TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID;
INSERT INTO "cursors" VALUES('cloud',2);
INSERT INTO "cursors" VALUES('local',2);
CREATE TABLE gaps(stream TEXT, seq INTEGER, PRIMARY KEY(stream, seq)) WITHOUT ROWID;
INSERT INTO "gaps" VALUES('cam1',3);
CREATE TABLE held(stream TEXT, seq INTEGER, body TEXT,
  PRIMARY KEY(stream, seq)) WITHOUT ROWID;
CREATE TABLE jobs(job TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID;
INSERT INTO "jobs" VALUES('j','{"streams":{"cam1":{"first_seq":2,"last_seq":null}},"images":2,"ok":2,"failed":0,"dropped":0,"gaps":0,"labels":{},"started":1790000000.0,"ended":1790000012.0}');
CREATE TABLE log(n INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, stream TEXT,
  first INTEGER, last INTEGER, count INTEGER, bytes INTEGER, body TEXT);
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO "meta" VALUES('cloud_window','[2,"day=2026-09-21/hour=14"]');
INSERT INTO "meta" VALUES('epoch','6c07a383');
INSERT INTO "meta" VALUES('retired','[]');
CREATE TABLE streams(stream TEXT PRIMARY KEY, next INTEGER) WITHOUT ROWID;
INSERT INTO "streams" VALUES('cam1',5);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('log',2);
COMMIT;
PRAGMA user_version=1;
