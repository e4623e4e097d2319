BEGIN TRANSACTION;
CREATE TABLE events(n INTEGER PRIMARY KEY, stream TEXT, id TEXT,
  seq INTEGER, count INTEGER, UNIQUE(stream, id));
INSERT INTO "events" VALUES(1,'cam1','sha256:64906eb6cdb977a4fac57150b38334b4',1,1);
INSERT INTO "events" VALUES(2,'cam1','m',2,4);
INSERT INTO "events" VALUES(3,'cam2','c2',1,1);
INSERT INTO "events" VALUES(4,'cam1','file:8a54fa47e056d456dd34f2170c244a93',6,1);
CREATE TABLE images(stream TEXT, seq INTEGER, item TEXT, verdict TEXT,
  PRIMARY KEY(stream, seq)) WITHOUT ROWID;
INSERT INTO "images" VALUES('cam1',3,'{"stream":"cam1","seq":3,"id":"m/1","file":"cam1/1.jpg","job":"j","last":false,"t_in":1790000000.0}',NULL);
INSERT INTO "images" VALUES('cam1',5,'{"stream":"cam1","seq":5,"id":"m/3","file":"cam1/3.jpg","job":"j","last":true,"t_in":1790000000.0}',NULL);
INSERT INTO "images" VALUES('cam1',6,'{"stream":"cam1","seq":6,"id":"file:8a54fa47e056d456dd34f2170c244a93","file":"drop/cam1/d.jpg","t_in":1790000000.0}',NULL);
INSERT INTO "images" VALUES('cam2',1,'{"stream":"cam2","seq":1,"id":"c2","file":"cam1/0.jpg","t_in":1790000000.0}',NULL);
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO "meta" VALUES('drained','[]');
INSERT INTO "meta" VALUES('epoch','6c07a383');
INSERT INTO "meta" VALUES('run',1);
INSERT INTO "meta" VALUES('synced',1);
CREATE TABLE seen(path TEXT PRIMARY KEY, mark TEXT, seq INTEGER) WITHOUT ROWID;
INSERT INTO "seen" VALUES('drop/cam1/d.jpg','18:1000000000000',6);
CREATE TABLE streams(stream TEXT PRIMARY KEY, next INTEGER) WITHOUT ROWID;
INSERT INTO "streams" VALUES('cam1',7);
INSERT INTO "streams" VALUES('cam2',2);
COMMIT;
PRAGMA user_version=1;
