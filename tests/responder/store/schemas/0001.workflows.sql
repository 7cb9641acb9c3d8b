BEGIN TRANSACTION;
CREATE TABLE application_versions (
    version_id TEXT NOT NULL PRIMARY KEY,
    version_name TEXT NOT NULL UNIQUE,
    version_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
, "application_name" TEXT DEFAULT NULL);
INSERT INTO "application_versions" VALUES('4daef6de-334f-4587-a5cf-6a16757b6bd7','1',1795409091000,1795409091000,'vigie');
CREATE TABLE dbos_migrations (version INTEGER NOT NULL PRIMARY KEY);
INSERT INTO "dbos_migrations" VALUES(125);
CREATE TABLE notifications (
    message_uuid TEXT NOT NULL DEFAULT (hex(randomblob(16))) PRIMARY KEY,
    destination_uuid TEXT NOT NULL,
    topic TEXT,
    message TEXT NOT NULL,
    created_at_epoch_ms INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000), "serialization" TEXT DEFAULT NULL, "consumed" BOOLEAN NOT NULL DEFAULT FALSE, consumed_by_function_id INTEGER,
    FOREIGN KEY (destination_uuid) REFERENCES workflow_status(workflow_uuid) 
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE "operation_outputs" (
    workflow_uuid TEXT NOT NULL,
    function_id INTEGER NOT NULL,
    function_name TEXT NOT NULL DEFAULT '',
    output TEXT,
    error TEXT,
    child_workflow_id TEXT,
    started_at_epoch_ms INTEGER,
    completed_at_epoch_ms INTEGER,
    serialization TEXT,
    application_name TEXT DEFAULT NULL,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    PRIMARY KEY (workflow_uuid, function_id)
);
INSERT INTO "operation_outputs" VALUES('ea7be68c38614a10-1',1,'begin','{"incident":{"id":"ea7be68c38614a10","opened_at":1795409092.0882752,"state":"investigating","reason":"its turn has come","episodes":[{"id":"84c6e4ddad504c9da9eb1ed129578828","alert":{"fingerprint":"00000000000000a1","status":"firing","labels":{"alertname":"VigieTargetDown","target":"chat","severity":"critical","service":"chat"},"annotations":{"summary":"VigieTargetDown on chat"},"starts_at":1795168800.0,"ends_at":null,"generator_url":"http://prometheus.example.org/graph"},"first_seen_at":1795409092.0882752,"resolved_at":null,"seen_late":false}],"resolved_at":null,"occurrence_of":null},"changes":[{"id":"f3acb0676655c11c","at":1795409092.062567,"service":"chat","kind":"deployment","title":"chat 1.2","version":"1.2","author":"","link":""}],"started_at":1795409092.1353064}',NULL,NULL,1795409092132,1795409092141,'vigie_json','vigie',1795409092000);
INSERT INTO "operation_outputs" VALUES('ea7be68c38614a10-1',2,'gather','{"window":{"start":1795147200.0,"end":1795409092.147308},"evidence":[{"id":"E1","source":"alert","title":"VigieTargetDown chat (critical)","query":"webhook","window":{"start":1795168800.0,"end":1795409092.147308},"status":"ok","component":null,"quantities":[{"name":"fired at","value":1795168800.0,"unit":"timestamp","labels":{},"at":null},{"name":"alerts in the incident","value":1.0,"unit":"count","labels":{},"at":null}],"facts":{"origin":"alert","label alertname":"VigieTargetDown","label target":"chat","label severity":"critical","label service":"chat","annotation summary":"VigieTargetDown on chat"},"detail":"","chart_svg":"","link":"","seconds":0.0},{"id":"E2","source":"alertmanager","title":"other active alerts","query":"/api/v2/alerts","window":{"start":1795147200.0,"end":1795409092.147308},"status":"unavailable","component":null,"quantities":[],"facts":{"origin":"alertmanager"},"detail":"cannot connect (ConnectionRefusedError)","chart_svg":"","link":"http://127.0.0.1:9/#/alerts","seconds":0.004},{"id":"E3","source":"alertmanager","title":"this alert in Alertmanager: silences, inhibitions, receivers","query":"/api/v2/alerts","window":{"start":1795147200.0,"end":1795409092.147308},"status":"unavailable","component":null,"quantities":[],"facts":{"origin":"alertmanager"},"detail":"cannot connect (ConnectionRefusedError)","chart_svg":"","link":"http://127.0.0.1:9/#/alerts","seconds":0.004},{"id":"E4","source":"alertmanager","title":"silences","query":"/api/v2/silences","window":{"start":1795147200.0,"end":1795409092.147308},"status":"unavailable","component":null,"quantities":[],"facts":{"origin":"alertmanager"},"detail":"cannot connect (ConnectionRefusedError)","chart_svg":"","link":"http://127.0.0.1:9/#/silences","seconds":0.001},{"id":"E5","source":"exporter","title":"exporter","query":"","window":{"start":1795147200.0,"end":1795409092.147308},"status":"unavailable","component":null,"quantities":[],"facts":{},"detail":"not configured","chart_svg":"","link":"","seconds":0.0},{"id":"E6","source":"prometheus","title":"prometheus","query":"","window":{"start":1795147200.0,"end":1795409092.147308},"status":"unavailable","component":null,"quantities":[],"facts":{},"detail":"not configured","chart_svg":"","link":"","seconds":0.0},{"id":"E7","source":"runbooks","title":"runbooks","query":"","window":{"start":1795147200.0,"end":1795409092.147308},"status":"unavailable","component":null,"quantities":[],"facts":{},"detail":"not configured","chart_svg":"","link":"","seconds":0.0},{"id":"E8","source":"changes","title":"deployment of chat: chat 1.2","query":"changes before the alert","window":{"start":1795147200.0,"end":1795409092.147308},"status":"ok","component":"chat","quantities":[{"name":"changed at","value":1795409092.062567,"unit":"timestamp","labels":{},"at":1795409092.062567}],"facts":{"change":"f3acb0676655c11c","origin":"changes","service":"chat","kind":"deployment","title":"chat 1.2","version":"1.2"},"detail":"","chart_svg":"","link":"","seconds":0.0},{"id":"E9","source":"changes","title":"changes of services that nothing here calls","query":"changes before the alert","window":{"start":1795147200.0,"end":1795409092.147308},"status":"empty","component":null,"quantities":[],"facts":{"origin":"changes"},"detail":"","chart_svg":"","link":"","seconds":0.0},{"id":"E10","source":"onset","title":"onset of the incident","query":"change point of the alerting series","window":{"start":1795147200.0,"end":1795409092.147308},"status":"ok","component":"chat","quantities":[{"name":"onset","value":1795168800.0,"unit":"timestamp","labels":{},"at":1795168800.0},{"name":"uncertainty","value":300.0,"unit":"seconds","labels":{},"at":null}],"facts":{"found in":"the alert''s own time: no series showed a departure","origin":"onset"},"detail":"","chart_svg":"","link":"","seconds":0.0}],"has_frame":false,"runbooks":{}}',NULL,NULL,1795409092146,1795409092157,'vigie_json','vigie',1795409092000);
INSERT INTO "operation_outputs" VALUES('ea7be68c38614a10-1',3,'rank','{"onset_at":1795168800.0,"onset_uncertainty_seconds":300.0,"suspects":[{"component":"chat","kind":"unknown","score":0.1,"onset_at":null,"explanation":"VigieTargetDown fires on chat","supporting":["E1"],"opposing":[],"points":[{"text":"VigieTargetDown fires on chat","evidence":["E1"]}]}]}',NULL,NULL,1795409092159,1795409092164,'vigie_json','vigie',1795409092000);
INSERT INTO "operation_outputs" VALUES('ea7be68c38614a10-1',4,'disprove','{"disproofs":[],"evidence":[]}',NULL,NULL,1795409092167,1795409092173,'vigie_json','vigie',1795409092000);
INSERT INTO "operation_outputs" VALUES('ea7be68c38614a10-1',5,'analyse','{"analyst":"embedded","headline":"what ails chat could not be found","summary":[{"text":"VigieTargetDown on chat fired at 10:00:00; it began at 10:00:00","evidence":["E1","E10"],"standing":"unverified","problem":""},{"text":"VigieTargetDown fires on chat","evidence":["E1"],"standing":"unverified","problem":""}],"causes":[{"component":"chat","kind":"unknown","confidence":"low","claims":[{"text":"VigieTargetDown fires on chat","evidence":["E1"],"standing":"unverified","problem":""}]}],"ruled_out":[],"actions":[],"partial":false,"notes":[],"spend":{"model":"","prompt_tokens":0,"output_tokens":0,"calls":0,"price":null,"currency":""}}',NULL,NULL,1795409092176,1795409092183,'vigie_json','vigie',1795409092000);
INSERT INTO "operation_outputs" VALUES('ea7be68c38614a10-1',6,'report','"ea7be68c38614a10-r1"',NULL,NULL,1795409092190,1795409092219,'vigie_json','vigie',1795409092000);
INSERT INTO "operation_outputs" VALUES('9c63a0b591d74241-1',1,'begin','{"incident":{"id":"9c63a0b591d74241","opened_at":1795409092.5236158,"state":"investigating","reason":"its turn has come","episodes":[{"id":"a95906986f8445149982d0d26fff750a","alert":{"fingerprint":"00000000000000b1","status":"firing","labels":{"alertname":"VigieSlowFirstToken","target":"embeddings","severity":"warning","service":"embeddings"},"annotations":{"summary":"VigieSlowFirstToken on embeddings"},"starts_at":1795168800.0,"ends_at":null,"generator_url":"http://prometheus.example.org/graph"},"first_seen_at":1795409092.5236158,"resolved_at":null,"seen_late":false}],"resolved_at":null,"occurrence_of":null},"changes":[{"id":"f3acb0676655c11c","at":1795409092.062567,"service":"chat","kind":"deployment","title":"chat 1.2","version":"1.2","author":"","link":""}],"started_at":1795409093.5394392}',NULL,NULL,1795409093537,1795409093549,'vigie_json','vigie',1795409093000);
INSERT INTO "operation_outputs" VALUES('9c63a0b591d74241-1',2,'gather','{"window":{"start":1795147200.0,"end":1795409093.5635993},"evidence":[{"id":"E1","source":"alert","title":"VigieSlowFirstToken embeddings (warning)","query":"webhook","window":{"start":1795168800.0,"end":1795409093.5635993},"status":"ok","component":null,"quantities":[{"name":"fired at","value":1795168800.0,"unit":"timestamp","labels":{},"at":null},{"name":"alerts in the incident","value":1.0,"unit":"count","labels":{},"at":null}],"facts":{"origin":"alert","label alertname":"VigieSlowFirstToken","label target":"embeddings","label severity":"warning","label service":"embeddings","annotation summary":"VigieSlowFirstToken on embeddings"},"detail":"","chart_svg":"","link":"","seconds":0.0},{"id":"E2","source":"alertmanager","title":"other active alerts","query":"/api/v2/alerts","window":{"start":1795147200.0,"end":1795409093.5635993},"status":"unavailable","component":null,"quantities":[],"facts":{"origin":"alertmanager"},"detail":"cannot connect (ConnectionRefusedError)","chart_svg":"","link":"http://127.0.0.1:9/#/alerts","seconds":0.002},{"id":"E3","source":"alertmanager","title":"this alert in Alertmanager: silences, inhibitions, receivers","query":"/api/v2/alerts","window":{"start":1795147200.0,"end":1795409093.5635993},"status":"unavailable","component":null,"quantities":[],"facts":{"origin":"alertmanager"},"detail":"cannot connect (ConnectionRefusedError)","chart_svg":"","link":"http://127.0.0.1:9/#/alerts","seconds":0.002},{"id":"E4","source":"alertmanager","title":"silences","query":"/api/v2/silences","window":{"start":1795147200.0,"end":1795409093.5635993},"status":"unavailable","component":null,"quantities":[],"facts":{"origin":"alertmanager"},"detail":"cannot connect (ConnectionRefusedError)","chart_svg":"","link":"http://127.0.0.1:9/#/silences","seconds":0.002},{"id":"E5","source":"exporter","title":"exporter","query":"","window":{"start":1795147200.0,"end":1795409093.5635993},"status":"unavailable","component":null,"quantities":[],"facts":{},"detail":"not configured","chart_svg":"","link":"","seconds":0.0},{"id":"E6","source":"prometheus","title":"prometheus","query":"","window":{"start":1795147200.0,"end":1795409093.5635993},"status":"unavailable","component":null,"quantities":[],"facts":{},"detail":"not configured","chart_svg":"","link":"","seconds":0.0},{"id":"E7","source":"runbooks","title":"runbooks","query":"","window":{"start":1795147200.0,"end":1795409093.5635993},"status":"unavailable","component":null,"quantities":[],"facts":{},"detail":"not configured","chart_svg":"","link":"","seconds":0.0},{"id":"E8","source":"changes","title":"deployment of chat: chat 1.2","query":"changes before the alert","window":{"start":1795147200.0,"end":1795409093.5635993},"status":"ok","component":"chat","quantities":[{"name":"changed at","value":1795409092.062567,"unit":"timestamp","labels":{},"at":1795409092.062567}],"facts":{"change":"f3acb0676655c11c","origin":"changes","service":"chat","kind":"deployment","title":"chat 1.2","version":"1.2"},"detail":"","chart_svg":"","link":"","seconds":0.0},{"id":"E9","source":"changes","title":"changes of services that nothing here calls","query":"changes before the alert","window":{"start":1795147200.0,"end":1795409093.5635993},"status":"empty","component":null,"quantities":[],"facts":{"origin":"changes"},"detail":"","chart_svg":"","link":"","seconds":0.0},{"id":"E10","source":"onset","title":"onset of the incident","query":"change point of the alerting series","window":{"start":1795147200.0,"end":1795409093.5635993},"status":"ok","component":"embeddings","quantities":[{"name":"onset","value":1795168800.0,"unit":"timestamp","labels":{},"at":1795168800.0},{"name":"uncertainty","value":300.0,"unit":"seconds","labels":{},"at":null}],"facts":{"found in":"the alert''s own time: no series showed a departure","origin":"onset"},"detail":"","chart_svg":"","link":"","seconds":0.0}],"has_frame":false,"runbooks":{}}',NULL,NULL,1795409093561,1795409093575,'vigie_json','vigie',1795409093000);
INSERT INTO "operation_outputs" VALUES('9c63a0b591d74241-1',3,'rank','{"onset_at":1795168800.0,"onset_uncertainty_seconds":300.0,"suspects":[{"component":"embeddings","kind":"unknown","score":0.1,"onset_at":null,"explanation":"VigieSlowFirstToken fires on embeddings","supporting":["E1"],"opposing":[],"points":[{"text":"VigieSlowFirstToken fires on embeddings","evidence":["E1"]}]}]}',NULL,NULL,1795409093581,1795409093593,'vigie_json','vigie',1795409093000);
INSERT INTO "operation_outputs" VALUES('9c63a0b591d74241-1',4,'disprove','{"disproofs":[],"evidence":[]}',NULL,NULL,1795409093599,1795409093604,'vigie_json','vigie',1795409093000);
INSERT INTO "operation_outputs" VALUES('9c63a0b591d74241-1',5,'analyse','{"analyst":"embedded","headline":"what ails embeddings could not be found","summary":[{"text":"VigieSlowFirstToken on embeddings fired at 10:00:00; it began at 10:00:00","evidence":["E1","E10"],"standing":"unverified","problem":""},{"text":"VigieSlowFirstToken fires on embeddings","evidence":["E1"],"standing":"unverified","problem":""}],"causes":[{"component":"embeddings","kind":"unknown","confidence":"low","claims":[{"text":"VigieSlowFirstToken fires on embeddings","evidence":["E1"],"standing":"unverified","problem":""}]}],"ruled_out":[],"actions":[],"partial":false,"notes":[],"spend":{"model":"","prompt_tokens":0,"output_tokens":0,"calls":0,"price":null,"currency":""}}',NULL,NULL,1795409093607,1795409093612,'vigie_json','vigie',1795409093000);
INSERT INTO "operation_outputs" VALUES('9c63a0b591d74241-1',6,'report','"9c63a0b591d74241-r1"',NULL,NULL,1795409093616,1795409093634,'vigie_json','vigie',1795409093000);
INSERT INTO "operation_outputs" VALUES('44249927cbe34601-1',1,'begin','{"incident":{"id":"44249927cbe34601","opened_at":1795409102.041628,"state":"investigating","reason":"its turn has come","episodes":[{"id":"55e71ef2bbab4d378d591ac75fcbc5ad","alert":{"fingerprint":"00000000000000d1","status":"firing","labels":{"alertname":"VigieTargetHung","target":"gateway","severity":"critical","service":"gateway"},"annotations":{"summary":"VigieTargetHung on gateway"},"starts_at":1795168800.0,"ends_at":null,"generator_url":"http://prometheus.example.org/graph"},"first_seen_at":1795409102.041628,"resolved_at":null,"seen_late":false}],"resolved_at":null,"occurrence_of":null},"changes":[{"id":"f3acb0676655c11c","at":1795409092.062567,"service":"chat","kind":"deployment","title":"chat 1.2","version":"1.2","author":"","link":""}],"started_at":1795409102.10296}',NULL,NULL,1795409102100,1795409102115,'vigie_json','vigie',1795409102000);
CREATE TABLE queues (
    queue_id TEXT PRIMARY KEY DEFAULT (hex(randomblob(16))),
    name TEXT NOT NULL UNIQUE,
    concurrency INTEGER,
    worker_concurrency INTEGER,
    rate_limit_max INTEGER,
    rate_limit_period_sec REAL,
    priority_enabled BOOLEAN NOT NULL DEFAULT FALSE,
    partition_queue BOOLEAN NOT NULL DEFAULT FALSE,
    polling_interval_sec REAL NOT NULL DEFAULT 1.0,
    created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    updated_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
, "application_name" TEXT DEFAULT NULL, "partition_concurrency" INTEGER DEFAULT NULL, "partition_worker_concurrency" INTEGER DEFAULT NULL, "partition_rate_limit_max" INTEGER DEFAULT NULL, "partition_rate_limit_period_sec" REAL DEFAULT NULL);
CREATE TABLE streams (
    workflow_uuid TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    "offset" INTEGER NOT NULL, function_id INTEGER NOT NULL DEFAULT 0, "serialization" TEXT DEFAULT NULL,
    PRIMARY KEY (workflow_uuid, key, "offset"),
    FOREIGN KEY (workflow_uuid) REFERENCES workflow_status(workflow_uuid) 
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE workflow_events (
    workflow_uuid TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL, "serialization" TEXT DEFAULT NULL,
    PRIMARY KEY (workflow_uuid, key),
    FOREIGN KEY (workflow_uuid) REFERENCES workflow_status(workflow_uuid) 
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE workflow_events_history (
    workflow_uuid TEXT NOT NULL,
    function_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL, "serialization" TEXT DEFAULT NULL,
    PRIMARY KEY (workflow_uuid, function_id, key),
    FOREIGN KEY (workflow_uuid) REFERENCES workflow_status(workflow_uuid)
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE workflow_input (
    workflow_uuid TEXT NOT NULL PRIMARY KEY,
    inputs TEXT,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
);
INSERT INTO "workflow_input" VALUES('ea7be68c38614a10-1','{"args":["ea7be68c38614a10-1","ea7be68c38614a10"],"kwargs":{}}',1795409092000);
INSERT INTO "workflow_input" VALUES('9c63a0b591d74241-1','{"args":["9c63a0b591d74241-1","9c63a0b591d74241"],"kwargs":{}}',1795409093000);
INSERT INTO "workflow_input" VALUES('44249927cbe34601-1','{"args":["44249927cbe34601-1","44249927cbe34601"],"kwargs":{}}',1795409102000);
CREATE TABLE workflow_output (
    workflow_uuid TEXT NOT NULL PRIMARY KEY,
    output TEXT,
    error TEXT,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
);
INSERT INTO "workflow_output" VALUES('ea7be68c38614a10-1','"ea7be68c38614a10-r1"',NULL,1795409092000);
INSERT INTO "workflow_output" VALUES('9c63a0b591d74241-1','"9c63a0b591d74241-r1"',NULL,1795409093000);
CREATE TABLE workflow_schedules (
    schedule_id TEXT PRIMARY KEY,
    schedule_name TEXT NOT NULL UNIQUE,
    workflow_name TEXT NOT NULL,
    workflow_class_name TEXT,
    schedule TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'ACTIVE',
    context TEXT NOT NULL
, "last_fired_at" TEXT DEFAULT NULL, "automatic_backfill" BOOLEAN NOT NULL DEFAULT FALSE, "cron_timezone" TEXT DEFAULT NULL, "queue_name" TEXT DEFAULT NULL, "application_name" TEXT DEFAULT NULL);
CREATE TABLE workflow_status (
    workflow_uuid TEXT PRIMARY KEY,
    status TEXT,
    name TEXT,
    authenticated_user TEXT,
    assumed_role TEXT,
    authenticated_roles TEXT,
    request TEXT,
    output TEXT,
    error TEXT,
    executor_id TEXT,
    created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    updated_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    application_version TEXT,
    application_id TEXT,
    class_name TEXT DEFAULT NULL,
    config_name TEXT DEFAULT NULL,
    recovery_attempts INTEGER DEFAULT 0,
    queue_name TEXT,
    workflow_timeout_ms INTEGER,
    workflow_deadline_epoch_ms INTEGER,
    inputs TEXT,
    started_at_epoch_ms INTEGER,
    deduplication_id TEXT,
    priority INTEGER NOT NULL DEFAULT 0
, queue_partition_key TEXT, forked_from TEXT, "owner_xid" TEXT DEFAULT NULL, "parent_workflow_id" TEXT DEFAULT NULL, "serialization" TEXT DEFAULT NULL, "delay_until_epoch_ms" BIGINT DEFAULT NULL, "was_forked_from" BOOLEAN NOT NULL DEFAULT FALSE, "rate_limited" BOOLEAN NOT NULL DEFAULT FALSE, "completed_at" BIGINT, "attributes" TEXT, "schedule_name" TEXT, "debounce_deadline_epoch_ms" BIGINT DEFAULT NULL, "is_debounced" BOOLEAN NOT NULL DEFAULT FALSE, "application_name" TEXT DEFAULT NULL, "creator_xid" TEXT DEFAULT NULL);
INSERT INTO "workflow_status" VALUES('ea7be68c38614a10-1','SUCCESS','investigate',NULL,NULL,NULL,NULL,NULL,NULL,'responder',1795409092000,1795409092000,'1','',NULL,NULL,1,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,'vigie_json',NULL,0,0,1795409092000,'null',NULL,NULL,0,'vigie','2d5b456e-22db-40f4-988f-e4a8f73cd887');
INSERT INTO "workflow_status" VALUES('9c63a0b591d74241-1','SUCCESS','investigate',NULL,NULL,NULL,NULL,NULL,NULL,'responder',1795409093000,1795409093000,'1','',NULL,NULL,1,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,'vigie_json',NULL,0,0,1795409093000,'null',NULL,NULL,0,'vigie','351dad85-e73d-4189-b1f7-cb428dd33355');
INSERT INTO "workflow_status" VALUES('44249927cbe34601-1','PENDING','investigate',NULL,NULL,NULL,NULL,NULL,NULL,'responder',1795409102000,1795409102000,'1','',NULL,NULL,1,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,'897d55ba-4617-40e0-a3ff-aa45333a0391',NULL,'vigie_json',NULL,0,0,NULL,'null',NULL,NULL,0,'vigie','897d55ba-4617-40e0-a3ff-aa45333a0391');
CREATE INDEX workflow_status_created_at_index ON workflow_status (created_at);
CREATE INDEX idx_workflow_topic ON notifications (destination_uuid, topic);
CREATE INDEX "idx_workflow_status_delayed" ON "workflow_status" ("delay_until_epoch_ms") WHERE status = 'DELAYED';
CREATE INDEX "idx_workflow_status_forked_from" ON "workflow_status" ("forked_from") WHERE "forked_from" IS NOT NULL;
CREATE INDEX "idx_workflow_status_parent_workflow_id" ON "workflow_status" ("parent_workflow_id") WHERE "parent_workflow_id" IS NOT NULL;
CREATE UNIQUE INDEX "uq_workflow_status_dedup_id" ON "workflow_status" ("queue_name", "deduplication_id") WHERE "deduplication_id" IS NOT NULL;
CREATE INDEX "idx_workflow_status_pending" ON "workflow_status" ("created_at") WHERE "status" = 'PENDING';
CREATE INDEX "idx_workflow_status_failed" ON "workflow_status" ("status", "created_at") WHERE "status" IN ('ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED');
CREATE INDEX "idx_workflow_status_rate_limited" ON "workflow_status" ("queue_name", "started_at_epoch_ms") WHERE "rate_limited" = TRUE;
CREATE INDEX "idx_workflow_status_completed_at" ON "workflow_status" ("completed_at") WHERE "completed_at" IS NOT NULL;
CREATE INDEX "idx_workflow_status_started_at" ON "workflow_status" ("started_at_epoch_ms") WHERE "started_at_epoch_ms" IS NOT NULL;
CREATE INDEX "idx_workflow_status_schedule_name" ON "workflow_status" ("schedule_name") WHERE "schedule_name" IS NOT NULL;
CREATE UNIQUE INDEX "uq_application_versions_owner_version"
    ON application_versions ("application_name", "version_name")
    WHERE "application_name" IS NOT NULL;
CREATE UNIQUE INDEX "uq_application_versions_unclaimed_version"
    ON application_versions ("version_name")
    WHERE "application_name" IS NULL;
CREATE INDEX idx_workflow_input_retention
    ON workflow_input (retention_timestamp);
CREATE INDEX idx_workflow_output_retention
    ON workflow_output (retention_timestamp);
CREATE INDEX idx_operation_outputs_retention
    ON operation_outputs (retention_timestamp);
CREATE INDEX "idx_workflow_status_in_flight_v2" ON "workflow_status" ("queue_name", "status", "priority", "created_at", "application_name") WHERE "status" IN ('ENQUEUED', 'PENDING');
CREATE INDEX "idx_workflow_status_partition_dequeue_v3" ON "workflow_status" ("queue_name", "status", "queue_partition_key", "priority", "created_at", "workflow_uuid", "application_name") WHERE "status" IN ('ENQUEUED', 'PENDING') AND "queue_partition_key" IS NOT NULL;
CREATE INDEX "idx_operation_outputs_completed_at_function_name_v2" ON "operation_outputs" ("completed_at_epoch_ms", "function_name", "application_name");
CREATE INDEX "idx_workflow_status_deadline" ON "workflow_status" ("workflow_deadline_epoch_ms") WHERE "status" IN ('ENQUEUED', 'PENDING', 'DELAYED') AND "workflow_deadline_epoch_ms" IS NOT NULL;
CREATE INDEX "idx_application_versions_timestamp" ON "application_versions" ("version_timestamp" DESC);
CREATE INDEX "idx_application_versions_owner_timestamp" ON "application_versions" ("application_name", "version_timestamp" DESC);
COMMIT;
