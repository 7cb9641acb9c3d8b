BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE changes (
	id VARCHAR NOT NULL, 
	delivery_id VARCHAR NOT NULL, 
	at FLOAT NOT NULL, 
	service TEXT NOT NULL, 
	kind VARCHAR NOT NULL, 
	title TEXT NOT NULL, 
	version TEXT NOT NULL, 
	author TEXT NOT NULL, 
	link TEXT NOT NULL, 
	CONSTRAINT pk_changes PRIMARY KEY (id), 
	CONSTRAINT fk_changes_delivery_id FOREIGN KEY(delivery_id) REFERENCES deliveries (id)
);
INSERT INTO "changes" VALUES('f3acb0676655c11c','53fee84288344429be58a160a75c3ebd',1.79540909206256699562e+09,'chat','deployment','chat 1.2','1.2','','');
CREATE TABLE deliveries (
	id VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	received_at FLOAT NOT NULL, 
	body BLOB NOT NULL, 
	problem TEXT, 
	group_key TEXT NOT NULL, 
	receiver TEXT NOT NULL, 
	external_url TEXT NOT NULL, 
	truncated INTEGER NOT NULL, 
	CONSTRAINT pk_deliveries PRIMARY KEY (id)
);
INSERT INTO "deliveries" VALUES('53fee84288344429be58a160a75c3ebd','change',1.79540909206256699562e+09,X'7B2273657276696365223A202263686174222C20226B696E64223A20226465706C6F796D656E74222C20227469746C65223A20226368617420312E32222C202276657273696F6E223A2022312E32227D',NULL,'','','',0);
INSERT INTO "deliveries" VALUES('cf3fc5c8b2f3435183cd3c53267a2306','alertmanager',1.79540909208827519421e+09,X'7B2276657273696F6E223A202234222C202267726F75704B6579223A20227B7D3A7B616C6572746E616D653D5C22636861745C227D222C20227472756E6361746564416C65727473223A20302C2022737461747573223A2022666972696E67222C20227265636569766572223A20227669676965222C202267726F75704C6162656C73223A207B7D2C2022636F6D6D6F6E4C6162656C73223A207B7D2C2022636F6D6D6F6E416E6E6F746174696F6E73223A207B7D2C202265787465726E616C55524C223A2022687474703A2F2F616C6572746D616E616765722E6578616D706C652E6F7267222C2022616C65727473223A205B7B22737461747573223A2022666972696E67222C20226C6162656C73223A207B22616C6572746E616D65223A20225669676965546172676574446F776E222C2022746172676574223A202263686174222C20227365766572697479223A2022637269746963616C222C202273657276696365223A202263686174227D2C2022616E6E6F746174696F6E73223A207B2273756D6D617279223A20225669676965546172676574446F776E206F6E2063686174227D2C20227374617274734174223A2022323032362D31312D32305431303A30303A30305A222C2022656E64734174223A2022303030312D30312D30315430303A30303A30305A222C202267656E657261746F7255524C223A2022687474703A2F2F70726F6D6574686575732E6578616D706C652E6F72672F6772617068222C202266696E6765727072696E74223A202230303030303030303030303030306131227D5D7D',NULL,'{}:{alertname="chat"}','vigie','http://alertmanager.example.org',0);
INSERT INTO "deliveries" VALUES('857859f154a44c10b4c30df4f3906f7f','alertmanager',1795409092.50434,X'7B2276657273696F6E223A202234222C202267726F75704B6579223A20227B7D3A7B616C6572746E616D653D5C22636861745C227D222C20227472756E6361746564416C65727473223A20302C2022737461747573223A2022666972696E67222C20227265636569766572223A20227669676965222C202267726F75704C6162656C73223A207B7D2C2022636F6D6D6F6E4C6162656C73223A207B7D2C2022636F6D6D6F6E416E6E6F746174696F6E73223A207B7D2C202265787465726E616C55524C223A2022687474703A2F2F616C6572746D616E616765722E6578616D706C652E6F7267222C2022616C65727473223A205B7B22737461747573223A20227265736F6C766564222C20226C6162656C73223A207B22616C6572746E616D65223A20225669676965546172676574446F776E222C2022746172676574223A202263686174222C20227365766572697479223A2022637269746963616C222C202273657276696365223A202263686174227D2C2022616E6E6F746174696F6E73223A207B2273756D6D617279223A20225669676965546172676574446F776E206F6E2063686174227D2C20227374617274734174223A2022323032362D31312D32305431303A30303A30305A222C2022656E64734174223A2022323032362D31312D32305431303A30353A30305A222C202267656E657261746F7255524C223A2022687474703A2F2F70726F6D6574686575732E6578616D706C652E6F72672F6772617068222C202266696E6765727072696E74223A202230303030303030303030303030306131227D5D7D',NULL,'{}:{alertname="chat"}','vigie','http://alertmanager.example.org',0);
INSERT INTO "deliveries" VALUES('6f19606e128b4691a6c791a6efc2e2e4','alertmanager',1.79540909252361583709e+09,X'7B2276657273696F6E223A202234222C202267726F75704B6579223A20227B7D3A7B616C6572746E616D653D5C22656D625C227D222C20227472756E6361746564416C65727473223A20302C2022737461747573223A2022666972696E67222C20227265636569766572223A20227669676965222C202267726F75704C6162656C73223A207B7D2C2022636F6D6D6F6E4C6162656C73223A207B7D2C2022636F6D6D6F6E416E6E6F746174696F6E73223A207B7D2C202265787465726E616C55524C223A2022687474703A2F2F616C6572746D616E616765722E6578616D706C652E6F7267222C2022616C65727473223A205B7B22737461747573223A2022666972696E67222C20226C6162656C73223A207B22616C6572746E616D65223A20225669676965536C6F774669727374546F6B656E222C2022746172676574223A2022656D62656464696E6773222C20227365766572697479223A20227761726E696E67222C202273657276696365223A2022656D62656464696E6773227D2C2022616E6E6F746174696F6E73223A207B2273756D6D617279223A20225669676965536C6F774669727374546F6B656E206F6E20656D62656464696E6773227D2C20227374617274734174223A2022323032362D31312D32305431303A30303A30305A222C2022656E64734174223A2022303030312D30312D30315430303A30303A30305A222C202267656E657261746F7255524C223A2022687474703A2F2F70726F6D6574686575732E6578616D706C652E6F72672F6772617068222C202266696E6765727072696E74223A202230303030303030303030303030306231227D5D7D',NULL,'{}:{alertname="emb"}','vigie','http://alertmanager.example.org',0);
INSERT INTO "deliveries" VALUES('7bdc44e9db8f484eb754cda25a432b5d','alertmanager',1795409096.80124,X'7B2276657273696F6E223A202234222C202267726F75704B6579223A20227B7D3A7B616C6572746E616D653D5C22656D625C227D222C20227472756E6361746564416C65727473223A20302C2022737461747573223A2022666972696E67222C20227265636569766572223A20227669676965222C202267726F75704C6162656C73223A207B7D2C2022636F6D6D6F6E4C6162656C73223A207B7D2C2022636F6D6D6F6E416E6E6F746174696F6E73223A207B7D2C202265787465726E616C55524C223A2022687474703A2F2F616C6572746D616E616765722E6578616D706C652E6F7267222C2022616C65727473223A205B7B22737461747573223A2022666972696E67222C20226C6162656C73223A207B22616C6572746E616D65223A20225669676965536C6F774669727374546F6B656E222C2022746172676574223A2022656D62656464696E6773222C20227365766572697479223A20227761726E696E67222C202273657276696365223A2022656D62656464696E6773227D2C2022616E6E6F746174696F6E73223A207B2273756D6D617279223A20225669676965536C6F774669727374546F6B656E206F6E20656D62656464696E6773227D2C20227374617274734174223A2022323032362D31312D32305431303A30303A30305A222C2022656E64734174223A2022303030312D30312D30315430303A30303A30305A222C202267656E657261746F7255524C223A2022687474703A2F2F70726F6D6574686575732E6578616D706C652E6F72672F6772617068222C202266696E6765727072696E74223A202230303030303030303030303030306232227D5D7D',NULL,'{}:{alertname="emb"}','vigie','http://alertmanager.example.org',0);
INSERT INTO "deliveries" VALUES('96c0064193c9419ab281dd985b562028','alertmanager',1.79540909681166291236e+09,X'7B2276657273696F6E223A2234222C22616C65727473223A20377D','no list of alerts','','','',0);
INSERT INTO "deliveries" VALUES('a5f477a12265494ca777ab4c16d56115','alertmanager',1.79540909681892871859e+09,X'7B2276657273696F6E223A202234222C202267726F75704B6579223A20227B7D3A7B616C6572746E616D653D5C2277645C227D222C20227472756E6361746564416C65727473223A20302C2022737461747573223A2022666972696E67222C20227265636569766572223A20227669676965222C202267726F75704C6162656C73223A207B7D2C2022636F6D6D6F6E4C6162656C73223A207B7D2C2022636F6D6D6F6E416E6E6F746174696F6E73223A207B7D2C202265787465726E616C55524C223A2022687474703A2F2F616C6572746D616E616765722E6578616D706C652E6F7267222C2022616C65727473223A205B7B22737461747573223A2022666972696E67222C20226C6162656C73223A207B22616C6572746E616D65223A202256696769655761746368646F67222C2022746172676574223A2022222C20227365766572697479223A2022696E666F222C202273657276696365223A2022227D2C2022616E6E6F746174696F6E73223A207B2273756D6D617279223A202256696769655761746368646F67206F6E20227D2C20227374617274734174223A2022323032362D31312D32305431303A30303A30305A222C2022656E64734174223A2022303030312D30312D30315430303A30303A30305A222C202267656E657261746F7255524C223A2022687474703A2F2F70726F6D6574686575732E6578616D706C652E6F72672F6772617068222C202266696E6765727072696E74223A202230303030303030303030303030306631227D5D7D',NULL,'{}:{alertname="wd"}','vigie','http://alertmanager.example.org',0);
INSERT INTO "deliveries" VALUES('14495ab81c81491abf8740d5265a02a6','alertmanager',1.79540909683355283735e+09,X'7B2276657273696F6E223A202234222C202267726F75704B6579223A20227B7D3A7B616C6572746E616D653D5C2273635C227D222C20227472756E6361746564416C65727473223A20302C2022737461747573223A2022666972696E67222C20227265636569766572223A20227669676965222C202267726F75704C6162656C73223A207B7D2C2022636F6D6D6F6E4C6162656C73223A207B7D2C2022636F6D6D6F6E416E6E6F746174696F6E73223A207B7D2C202265787465726E616C55524C223A2022687474703A2F2F616C6572746D616E616765722E6578616D706C652E6F7267222C2022616C65727473223A205B7B22737461747573223A2022666972696E67222C20226C6162656C73223A207B22616C6572746E616D65223A202256696769655461726765744465677261646564222C2022746172676574223A202273636F726572222C20227365766572697479223A20227761726E696E67222C202273657276696365223A202273636F726572227D2C2022616E6E6F746174696F6E73223A207B2273756D6D617279223A202256696769655461726765744465677261646564206F6E2073636F726572227D2C20227374617274734174223A2022323032362D31312D32305431303A30303A30305A222C2022656E64734174223A2022303030312D30312D30315430303A30303A30305A222C202267656E657261746F7255524C223A2022687474703A2F2F70726F6D6574686575732E6578616D706C652E6F72672F6772617068222C202266696E6765727072696E74223A202230303030303030303030303030306331227D5D7D',NULL,'{}:{alertname="sc"}','vigie','http://alertmanager.example.org',0);
INSERT INTO "deliveries" VALUES('f9fbb99185c746d5ac076a06f3b8299d','alertmanager',1.7954090968573708534e+09,X'7B2276657273696F6E223A202234222C202267726F75704B6579223A20227B7D3A7B616C6572746E616D653D5C2273635C227D222C20227472756E6361746564416C65727473223A20302C2022737461747573223A2022666972696E67222C20227265636569766572223A20227669676965222C202267726F75704C6162656C73223A207B7D2C2022636F6D6D6F6E4C6162656C73223A207B7D2C2022636F6D6D6F6E416E6E6F746174696F6E73223A207B7D2C202265787465726E616C55524C223A2022687474703A2F2F616C6572746D616E616765722E6578616D706C652E6F7267222C2022616C65727473223A205B7B22737461747573223A20227265736F6C766564222C20226C6162656C73223A207B22616C6572746E616D65223A202256696769655461726765744465677261646564222C2022746172676574223A202273636F726572222C20227365766572697479223A20227761726E696E67222C202273657276696365223A202273636F726572227D2C2022616E6E6F746174696F6E73223A207B2273756D6D617279223A202256696769655461726765744465677261646564206F6E2073636F726572227D2C20227374617274734174223A2022323032362D31312D32305431303A30303A30305A222C2022656E64734174223A2022323032362D31312D32305431303A30353A30305A222C202267656E657261746F7255524C223A2022687474703A2F2F70726F6D6574686575732E6578616D706C652E6F72672F6772617068222C202266696E6765727072696E74223A202230303030303030303030303030306331227D5D7D',NULL,'{}:{alertname="sc"}','vigie','http://alertmanager.example.org',0);
INSERT INTO "deliveries" VALUES('d2fe07634c5942379beb32861b76ebb2','alertmanager',1.79540910204162788388e+09,X'7B2276657273696F6E223A202234222C202267726F75704B6579223A20227B7D3A7B616C6572746E616D653D5C2267775C227D222C20227472756E6361746564416C65727473223A20302C2022737461747573223A2022666972696E67222C20227265636569766572223A20227669676965222C202267726F75704C6162656C73223A207B7D2C2022636F6D6D6F6E4C6162656C73223A207B7D2C2022636F6D6D6F6E416E6E6F746174696F6E73223A207B7D2C202265787465726E616C55524C223A2022687474703A2F2F616C6572746D616E616765722E6578616D706C652E6F7267222C2022616C65727473223A205B7B22737461747573223A2022666972696E67222C20226C6162656C73223A207B22616C6572746E616D65223A2022566967696554617267657448756E67222C2022746172676574223A202267617465776179222C20227365766572697479223A2022637269746963616C222C202273657276696365223A202267617465776179227D2C2022616E6E6F746174696F6E73223A207B2273756D6D617279223A2022566967696554617267657448756E67206F6E2067617465776179227D2C20227374617274734174223A2022323032362D31312D32305431303A30303A30305A222C2022656E64734174223A2022303030312D30312D30315430303A30303A30305A222C202267656E657261746F7255524C223A2022687474703A2F2F70726F6D6574686575732E6578616D706C652E6F72672F6772617068222C202266696E6765727072696E74223A202230303030303030303030303030306431227D5D7D',NULL,'{}:{alertname="gw"}','vigie','http://alertmanager.example.org',0);
INSERT INTO "deliveries" VALUES('61003978fdfa496aa07319e1b5ba358f','alertmanager',1.79540910231258702281e+09,X'7B2276657273696F6E223A202234222C202267726F75704B6579223A20227B7D3A7B616C6572746E616D653D5C2266745C227D222C20227472756E6361746564416C65727473223A20302C2022737461747573223A2022666972696E67222C20227265636569766572223A20227669676965222C202267726F75704C6162656C73223A207B7D2C2022636F6D6D6F6E4C6162656C73223A207B7D2C2022636F6D6D6F6E416E6E6F746174696F6E73223A207B7D2C202265787465726E616C55524C223A2022687474703A2F2F616C6572746D616E616765722E6578616D706C652E6F7267222C2022616C65727473223A205B7B22737461747573223A2022666972696E67222C20226C6162656C73223A207B22616C6572746E616D65223A2022566967696557726F6E67416E7377657273222C2022746172676574223A20226665617475726573222C20227365766572697479223A20227761726E696E67222C202273657276696365223A20226665617475726573227D2C2022616E6E6F746174696F6E73223A207B2273756D6D617279223A2022566967696557726F6E67416E7377657273206F6E206665617475726573227D2C20227374617274734174223A2022323032362D31312D32305431303A30303A30305A222C2022656E64734174223A2022303030312D30312D30315430303A30303A30305A222C202267656E657261746F7255524C223A2022687474703A2F2F70726F6D6574686575732E6578616D706C652E6F72672F6772617068222C202266696E6765727072696E74223A202230303030303030303030303030306531227D5D7D',NULL,'{}:{alertname="ft"}','vigie','http://alertmanager.example.org',0);
CREATE TABLE episode_facts (
	id INTEGER NOT NULL, 
	episode_id VARCHAR NOT NULL, 
	delivery_id VARCHAR NOT NULL, 
	at FLOAT NOT NULL, 
	fact VARCHAR NOT NULL, 
	starts_at FLOAT NOT NULL, 
	ends_at FLOAT, 
	CONSTRAINT pk_episode_facts PRIMARY KEY (id), 
	CONSTRAINT fk_episode_facts_delivery_id FOREIGN KEY(delivery_id) REFERENCES deliveries (id), 
	CONSTRAINT fk_episode_facts_episode_id FOREIGN KEY(episode_id) REFERENCES episodes (id)
);
INSERT INTO "episode_facts" VALUES(1,'84c6e4ddad504c9da9eb1ed129578828','cf3fc5c8b2f3435183cd3c53267a2306',1.79540909208827519421e+09,'firing',1795168800.0,NULL);
INSERT INTO "episode_facts" VALUES(2,'84c6e4ddad504c9da9eb1ed129578828','857859f154a44c10b4c30df4f3906f7f',1795409092.50434,'resolved',1795168800.0,1795169100.0);
INSERT INTO "episode_facts" VALUES(3,'a95906986f8445149982d0d26fff750a','6f19606e128b4691a6c791a6efc2e2e4',1.79540909252361583709e+09,'firing',1795168800.0,NULL);
INSERT INTO "episode_facts" VALUES(4,'90000e6f8fa1478f806a380e9b3c4aa1','7bdc44e9db8f484eb754cda25a432b5d',1795409096.80124,'firing',1795168800.0,NULL);
INSERT INTO "episode_facts" VALUES(5,'4f22103cec7f4a5f8b2fcd43281d1920','a5f477a12265494ca777ab4c16d56115',1.79540909681892871859e+09,'firing',1795168800.0,NULL);
INSERT INTO "episode_facts" VALUES(6,'8ef08fcb0519413cbc2adb8297adf60b','14495ab81c81491abf8740d5265a02a6',1.79540909683355283735e+09,'firing',1795168800.0,NULL);
INSERT INTO "episode_facts" VALUES(7,'8ef08fcb0519413cbc2adb8297adf60b','f9fbb99185c746d5ac076a06f3b8299d',1.7954090968573708534e+09,'resolved',1795168800.0,1795169100.0);
INSERT INTO "episode_facts" VALUES(8,'55e71ef2bbab4d378d591ac75fcbc5ad','d2fe07634c5942379beb32861b76ebb2',1.79540910204162788388e+09,'firing',1795168800.0,NULL);
INSERT INTO "episode_facts" VALUES(9,'90c9d99d62344ef98ee3bd55363797f9','61003978fdfa496aa07319e1b5ba358f',1.79540910231258702281e+09,'firing',1795168800.0,NULL);
CREATE TABLE episodes (
	id VARCHAR NOT NULL, 
	incident_id VARCHAR, 
	fingerprint TEXT NOT NULL, 
	alertname TEXT NOT NULL, 
	first_seen_at FLOAT NOT NULL, 
	last_seen_at FLOAT NOT NULL, 
	starts_at FLOAT NOT NULL, 
	resolved_at FLOAT, 
	resolved_seen_at FLOAT, 
	seen_late BOOLEAN NOT NULL, 
	alert JSON NOT NULL, 
	CONSTRAINT pk_episodes PRIMARY KEY (id), 
	CONSTRAINT fk_episodes_incident_id FOREIGN KEY(incident_id) REFERENCES incidents (id)
);
INSERT INTO "episodes" VALUES('84c6e4ddad504c9da9eb1ed129578828','ea7be68c38614a10','00000000000000a1','VigieTargetDown',1.79540909208827519421e+09,1795409092.50434,1795168800.0,1795169100.0,1795409092.50434,0,'{"fingerprint":"00000000000000a1","status":"firing","labels":{"alertname":"VigieTargetDown","target":"chat","severity":"critical","service":"chat"},"annotations":{"summary":"VigieTargetDown on chat"},"starts_at":1795168800.0,"ends_at":null,"generator_url":"http://prometheus.example.org/graph"}');
INSERT INTO "episodes" VALUES('a95906986f8445149982d0d26fff750a','9c63a0b591d74241','00000000000000b1','VigieSlowFirstToken',1.79540909252361583709e+09,1.79540909252361583709e+09,1795168800.0,NULL,NULL,0,'{"fingerprint":"00000000000000b1","status":"firing","labels":{"alertname":"VigieSlowFirstToken","target":"embeddings","severity":"warning","service":"embeddings"},"annotations":{"summary":"VigieSlowFirstToken on embeddings"},"starts_at":1795168800.0,"ends_at":null,"generator_url":"http://prometheus.example.org/graph"}');
INSERT INTO "episodes" VALUES('90000e6f8fa1478f806a380e9b3c4aa1','ebd228fa0c8d450d','00000000000000b2','VigieSlowFirstToken',1795409096.80124,1795409096.80124,1795168800.0,NULL,NULL,0,'{"fingerprint":"00000000000000b2","status":"firing","labels":{"alertname":"VigieSlowFirstToken","target":"embeddings","severity":"warning","service":"embeddings"},"annotations":{"summary":"VigieSlowFirstToken on embeddings"},"starts_at":1795168800.0,"ends_at":null,"generator_url":"http://prometheus.example.org/graph"}');
INSERT INTO "episodes" VALUES('4f22103cec7f4a5f8b2fcd43281d1920',NULL,'00000000000000f1','VigieWatchdog',1.79540909681892871859e+09,1.79540909681892871859e+09,1795168800.0,NULL,NULL,0,'{"fingerprint":"00000000000000f1","status":"firing","labels":{"alertname":"VigieWatchdog","target":"","severity":"info","service":""},"annotations":{"summary":"VigieWatchdog on "},"starts_at":1795168800.0,"ends_at":null,"generator_url":"http://prometheus.example.org/graph"}');
INSERT INTO "episodes" VALUES('8ef08fcb0519413cbc2adb8297adf60b','4f44a2f231e0456a','00000000000000c1','VigieTargetDegraded',1.79540909683355283735e+09,1.7954090968573708534e+09,1795168800.0,1795169100.0,1.7954090968573708534e+09,0,'{"fingerprint":"00000000000000c1","status":"firing","labels":{"alertname":"VigieTargetDegraded","target":"scorer","severity":"warning","service":"scorer"},"annotations":{"summary":"VigieTargetDegraded on scorer"},"starts_at":1795168800.0,"ends_at":null,"generator_url":"http://prometheus.example.org/graph"}');
INSERT INTO "episodes" VALUES('55e71ef2bbab4d378d591ac75fcbc5ad','44249927cbe34601','00000000000000d1','VigieTargetHung',1.79540910204162788388e+09,1.79540910204162788388e+09,1795168800.0,NULL,NULL,0,'{"fingerprint":"00000000000000d1","status":"firing","labels":{"alertname":"VigieTargetHung","target":"gateway","severity":"critical","service":"gateway"},"annotations":{"summary":"VigieTargetHung on gateway"},"starts_at":1795168800.0,"ends_at":null,"generator_url":"http://prometheus.example.org/graph"}');
INSERT INTO "episodes" VALUES('90c9d99d62344ef98ee3bd55363797f9','792b0b5c215e46f6','00000000000000e1','VigieWrongAnswers',1.79540910231258702281e+09,1.79540910231258702281e+09,1795168800.0,NULL,NULL,0,'{"fingerprint":"00000000000000e1","status":"firing","labels":{"alertname":"VigieWrongAnswers","target":"features","severity":"warning","service":"features"},"annotations":{"summary":"VigieWrongAnswers on features"},"starts_at":1795168800.0,"ends_at":null,"generator_url":"http://prometheus.example.org/graph"}');
CREATE TABLE frames (
	investigation_id VARCHAR NOT NULL, 
	packed BLOB NOT NULL, 
	CONSTRAINT pk_frames PRIMARY KEY (investigation_id)
);
CREATE TABLE incident_keys (
	"key" TEXT NOT NULL, 
	incident_id VARCHAR NOT NULL, 
	CONSTRAINT pk_incident_keys PRIMARY KEY ("key", incident_id), 
	CONSTRAINT fk_incident_keys_incident_id FOREIGN KEY(incident_id) REFERENCES incidents (id)
);
INSERT INTO "incident_keys" VALUES('target:chat','ea7be68c38614a10');
INSERT INTO "incident_keys" VALUES('component:chat','ea7be68c38614a10');
INSERT INTO "incident_keys" VALUES('target:embeddings','9c63a0b591d74241');
INSERT INTO "incident_keys" VALUES('component:embeddings','9c63a0b591d74241');
INSERT INTO "incident_keys" VALUES('target:embeddings','ebd228fa0c8d450d');
INSERT INTO "incident_keys" VALUES('component:embeddings','ebd228fa0c8d450d');
INSERT INTO "incident_keys" VALUES('target:scorer','4f44a2f231e0456a');
INSERT INTO "incident_keys" VALUES('component:scorer','4f44a2f231e0456a');
INSERT INTO "incident_keys" VALUES('target:gateway','44249927cbe34601');
INSERT INTO "incident_keys" VALUES('component:gateway','44249927cbe34601');
INSERT INTO "incident_keys" VALUES('target:features','792b0b5c215e46f6');
INSERT INTO "incident_keys" VALUES('component:features','792b0b5c215e46f6');
CREATE TABLE incident_log (
	id INTEGER NOT NULL, 
	incident_id VARCHAR NOT NULL, 
	at FLOAT NOT NULL, 
	event VARCHAR NOT NULL, 
	text TEXT NOT NULL, 
	CONSTRAINT pk_incident_log PRIMARY KEY (id), 
	CONSTRAINT fk_incident_log_incident_id FOREIGN KEY(incident_id) REFERENCES incidents (id)
);
INSERT INTO "incident_log" VALUES(1,'ea7be68c38614a10',1.79540909208827519421e+09,'opened','a condition not seen lately');
INSERT INTO "incident_log" VALUES(2,'ea7be68c38614a10',1.79540909213530635833e+09,'investigating','its turn has come');
INSERT INTO "incident_log" VALUES(3,'ea7be68c38614a10',1.79540909220518445964e+09,'reported','report ea7be68c38614a10-r1: what ails chat could not be found');
INSERT INTO "incident_log" VALUES(4,'ea7be68c38614a10',1795409092.50434,'resolved','every alert of it is resolved');
INSERT INTO "incident_log" VALUES(5,'9c63a0b591d74241',1.79540909252361583709e+09,'opened','a condition not seen lately');
INSERT INTO "incident_log" VALUES(6,'9c63a0b591d74241',1.7954090935394392014e+09,'investigating','its turn has come');
INSERT INTO "incident_log" VALUES(7,'9c63a0b591d74241',1.79540909362824606899e+09,'reported','report 9c63a0b591d74241-r1: what ails embeddings could not be found');
INSERT INTO "incident_log" VALUES(8,'ebd228fa0c8d450d',1795409096.80124,'opened','occurrence of incident 9c63a0b591d74241: the same condition within 3600 s');
INSERT INTO "incident_log" VALUES(9,'4f44a2f231e0456a',1.79540909683355283735e+09,'opened','a condition not seen lately');
INSERT INTO "incident_log" VALUES(10,'4f44a2f231e0456a',1.7954090968573708534e+09,'resolved','every alert of it is resolved');
INSERT INTO "incident_log" VALUES(11,'4f44a2f231e0456a',1.7954090968573708534e+09,'closed','resolved before its turn');
INSERT INTO "incident_log" VALUES(12,'44249927cbe34601',1.79540910204162788388e+09,'opened','a condition not seen lately');
INSERT INTO "incident_log" VALUES(13,'44249927cbe34601',1795409102.10296,'investigating','its turn has come');
INSERT INTO "incident_log" VALUES(14,'792b0b5c215e46f6',1.79540910231258702281e+09,'opened','a condition not seen lately');
CREATE TABLE incidents (
	id VARCHAR NOT NULL, 
	opened_at FLOAT NOT NULL, 
	joined_at FLOAT NOT NULL, 
	state VARCHAR NOT NULL, 
	reason TEXT NOT NULL, 
	severity_rank INTEGER NOT NULL, 
	resolved_at FLOAT, 
	occurrence_of VARCHAR, 
	CONSTRAINT pk_incidents PRIMARY KEY (id), 
	CONSTRAINT fk_incidents_occurrence_of FOREIGN KEY(occurrence_of) REFERENCES incidents (id)
);
INSERT INTO "incidents" VALUES('ea7be68c38614a10',1.79540909208827519421e+09,1.79540909208827519421e+09,'reported','report ea7be68c38614a10-r1: what ails chat could not be found',0,1795169100.0,NULL);
INSERT INTO "incidents" VALUES('9c63a0b591d74241',1.79540909252361583709e+09,1.79540909252361583709e+09,'reported','report 9c63a0b591d74241-r1: what ails embeddings could not be found',1,NULL,NULL);
INSERT INTO "incidents" VALUES('ebd228fa0c8d450d',1795409096.80124,1795409096.80124,'closed','occurrence of incident 9c63a0b591d74241: the same condition within 3600 s',1,NULL,'9c63a0b591d74241');
INSERT INTO "incidents" VALUES('4f44a2f231e0456a',1.79540909683355283735e+09,1.79540909683355283735e+09,'closed','resolved before its turn',1,1795169100.0,NULL);
INSERT INTO "incidents" VALUES('44249927cbe34601',1.79540910204162788388e+09,1.79540910204162788388e+09,'investigating','its turn has come',0,NULL,NULL);
INSERT INTO "incidents" VALUES('792b0b5c215e46f6',1.79540910231258702281e+09,1.79540910231258702281e+09,'waiting','a condition not seen lately',1,NULL,NULL);
CREATE TABLE outbox (
	id INTEGER NOT NULL, 
	idempotency_key VARCHAR NOT NULL, 
	channel VARCHAR NOT NULL, 
	event VARCHAR NOT NULL, 
	incident_id VARCHAR NOT NULL, 
	report_id VARCHAR NOT NULL, 
	status VARCHAR NOT NULL, 
	created_at FLOAT NOT NULL, 
	due_at FLOAT NOT NULL, 
	attempts INTEGER NOT NULL, 
	finished_at FLOAT, 
	problem TEXT NOT NULL, 
	reference TEXT NOT NULL, 
	CONSTRAINT pk_outbox PRIMARY KEY (id), 
	CONSTRAINT fk_outbox_incident_id FOREIGN KEY(incident_id) REFERENCES incidents (id), 
	CONSTRAINT fk_outbox_report_id FOREIGN KEY(report_id) REFERENCES reports (id), 
	CONSTRAINT uq_outbox_idempotency_key UNIQUE (idempotency_key)
);
INSERT INTO "outbox" VALUES(1,'39d778d8613150829b7ca2d209762ca5','log','reported','ea7be68c38614a10','ea7be68c38614a10-r1','delivered',1.79540909220518445964e+09,1.79540909220518445964e+09,1,1.7954090924892296791e+09,'','');
INSERT INTO "outbox" VALUES(2,'a6e69f291c5949c366f661e1e207aa51','pager','reported','ea7be68c38614a10','ea7be68c38614a10-r1','pending',1.79540909220518445964e+09,1.79540911005078816418e+09,4,NULL,'not reached (ClientConnectorError)','');
INSERT INTO "outbox" VALUES(3,'80c80705836504df6cd3dbc05ebfa83e','log','resolved','ea7be68c38614a10','ea7be68c38614a10-r1','delivered',1795409092.50434,1795409092.50434,1,1.79540909252333545685e+09,'','');
INSERT INTO "outbox" VALUES(4,'cb8fced69ab6ca42dd89e15468a435ac','pager','resolved','ea7be68c38614a10','ea7be68c38614a10-r1','pending',1795409092.50434,1795409092.50434,0,NULL,'','');
INSERT INTO "outbox" VALUES(5,'eee9f9882a6b4d3fb63a7b305cbab4b5','log','reported','9c63a0b591d74241','9c63a0b591d74241-r1','delivered',1.79540909362824606899e+09,1.79540909362824606899e+09,1,1.79540909364582347866e+09,'','');
INSERT INTO "outbox" VALUES(6,'4e0e8a15d67cde11787cf930f8a1adb6','pager','reported','9c63a0b591d74241','9c63a0b591d74241-r1','pending',1.79540909362824606899e+09,1.7954091100932936669e+09,4,NULL,'not reached (ClientConnectorError)','');
CREATE TABLE reports (
	id VARCHAR NOT NULL, 
	incident_id VARCHAR NOT NULL, 
	created_at FLOAT NOT NULL, 
	report JSON NOT NULL, 
	evidence JSON NOT NULL, 
	suspects JSON NOT NULL, 
	disproofs JSON NOT NULL, 
	CONSTRAINT pk_reports PRIMARY KEY (id), 
	CONSTRAINT fk_reports_incident_id FOREIGN KEY(incident_id) REFERENCES incidents (id), 
	CONSTRAINT uq_reports_incident_id UNIQUE (incident_id)
);
INSERT INTO "reports" VALUES('ea7be68c38614a10-r1','ea7be68c38614a10',1.79540909220173978801e+09,'{"id":"ea7be68c38614a10-r1","incident":"ea7be68c38614a10","created_at":1795409092.2017398,"headline":"what ails chat could not be found","summary":[{"text":"VigieTargetDown on chat fired at 10:00:00; it began at 10:00:00","evidence":["E1","E10"],"standing":"verified","problem":""},{"text":"VigieTargetDown fires on chat","evidence":["E1"],"standing":"verified","problem":""}],"impact":{"affected":["chat"],"healthy":[],"not_checked":["every other target (the exporter was not seen)"]},"causes":[{"component":"chat","kind":"unknown","confidence":"low","claims":[{"text":"VigieTargetDown fires on chat","evidence":["E1"],"standing":"verified","problem":""}]}],"timeline":[{"at":1795168800.0,"text":"VigieTargetDown fires","evidence":["E1"]},{"at":1795168800.0,"text":"it begins","evidence":["E10"]},{"at":1795409092.062567,"text":"deployment of chat: chat 1.2","evidence":["E8"]}],"ruled_out":[],"unverified":[],"actions":[],"coverage":[{"source":"alert","title":"VigieTargetDown chat (critical)","status":"ok","detail":"","evidence":"E1"},{"source":"alertmanager","title":"other active alerts","status":"unavailable","detail":"cannot connect (ConnectionRefusedError)","evidence":"E2"},{"source":"alertmanager","title":"this alert in Alertmanager: silences, inhibitions, receivers","status":"unavailable","detail":"cannot connect (ConnectionRefusedError)","evidence":"E3"},{"source":"alertmanager","title":"silences","status":"unavailable","detail":"cannot connect (ConnectionRefusedError)","evidence":"E4"},{"source":"exporter","title":"exporter","status":"unavailable","detail":"not configured","evidence":"E5"},{"source":"prometheus","title":"prometheus","status":"unavailable","detail":"not configured","evidence":"E6"},{"source":"runbooks","title":"runbooks","status":"unavailable","detail":"not configured","evidence":"E7"},{"source":"changes","title":"deployment of chat: chat 1.2","status":"ok","detail":"","evidence":"E8"},{"source":"changes","title":"changes of services that nothing here calls","status":"empty","detail":"","evidence":"E9"},{"source":"onset","title":"onset of the incident","status":"ok","detail":"","evidence":"E10"}],"decision":{"kind":"page","reasons":["an alert of severity critical fires","the cause is not known: a person has to look"],"escalation":"call the owner of the first cause when it still fires in 30 minutes","proposed_silence":"amtool silence add --duration=2h --comment=''incident ea7be68c38614a10'' ''alertname=\"VigieTargetDown\"'' ''target=\"chat\"''"},"analyst":"embedded","partial":false,"notes":["not seen: alertmanager, exporter, prometheus, runbooks; see the coverage","neither Prometheus nor the exporter answered: this stands on the alert alone"],"spend":{"model":"","prompt_tokens":0,"output_tokens":0,"calls":0,"price":null,"currency":""},"seconds":0.066}','[{"id":"E1","source":"alert","title":"VigieTargetDown chat (critical)","query":"webhook","window":{"start":1795168800.0,"end":1795409092.147308},"status":"ok","component":null,"quantities":[{"name":"fired at","value":1795168800.0,"unit":"timestamp","labels":{},"at":null},{"name":"alerts in the incident","value":1.0,"unit":"count","labels":{},"at":null}],"facts":{"origin":"alert","label alertname":"VigieTargetDown","label target":"chat","label severity":"critical","label service":"chat","annotation summary":"VigieTargetDown on chat"},"detail":"","chart_svg":"","link":"","seconds":0.0},{"id":"E2","source":"alertmanager","title":"other active alerts","query":"/api/v2/alerts","window":{"start":1795147200.0,"end":1795409092.147308},"status":"unavailable","component":null,"quantities":[],"facts":{"origin":"alertmanager"},"detail":"cannot connect (ConnectionRefusedError)","chart_svg":"","link":"http://127.0.0.1:9/#/alerts","seconds":0.004},{"id":"E3","source":"alertmanager","title":"this alert in Alertmanager: silences, inhibitions, receivers","query":"/api/v2/alerts","window":{"start":1795147200.0,"end":1795409092.147308},"status":"unavailable","component":null,"quantities":[],"facts":{"origin":"alertmanager"},"detail":"cannot connect (ConnectionRefusedError)","chart_svg":"","link":"http://127.0.0.1:9/#/alerts","seconds":0.004},{"id":"E4","source":"alertmanager","title":"silences","query":"/api/v2/silences","window":{"start":1795147200.0,"end":1795409092.147308},"status":"unavailable","component":null,"quantities":[],"facts":{"origin":"alertmanager"},"detail":"cannot connect (ConnectionRefusedError)","chart_svg":"","link":"http://127.0.0.1:9/#/silences","seconds":0.001},{"id":"E5","source":"exporter","title":"exporter","query":"","window":{"start":1795147200.0,"end":1795409092.147308},"status":"unavailable","component":null,"quantities":[],"facts":{},"detail":"not configured","chart_svg":"","link":"","seconds":0.0},{"id":"E6","source":"prometheus","title":"prometheus","query":"","window":{"start":1795147200.0,"end":1795409092.147308},"status":"unavailable","component":null,"quantities":[],"facts":{},"detail":"not configured","chart_svg":"","link":"","seconds":0.0},{"id":"E7","source":"runbooks","title":"runbooks","query":"","window":{"start":1795147200.0,"end":1795409092.147308},"status":"unavailable","component":null,"quantities":[],"facts":{},"detail":"not configured","chart_svg":"","link":"","seconds":0.0},{"id":"E8","source":"changes","title":"deployment of chat: chat 1.2","query":"changes before the alert","window":{"start":1795147200.0,"end":1795409092.147308},"status":"ok","component":"chat","quantities":[{"name":"changed at","value":1795409092.062567,"unit":"timestamp","labels":{},"at":1795409092.062567}],"facts":{"change":"f3acb0676655c11c","origin":"changes","service":"chat","kind":"deployment","title":"chat 1.2","version":"1.2"},"detail":"","chart_svg":"","link":"","seconds":0.0},{"id":"E9","source":"changes","title":"changes of services that nothing here calls","query":"changes before the alert","window":{"start":1795147200.0,"end":1795409092.147308},"status":"empty","component":null,"quantities":[],"facts":{"origin":"changes"},"detail":"","chart_svg":"","link":"","seconds":0.0},{"id":"E10","source":"onset","title":"onset of the incident","query":"change point of the alerting series","window":{"start":1795147200.0,"end":1795409092.147308},"status":"ok","component":"chat","quantities":[{"name":"onset","value":1795168800.0,"unit":"timestamp","labels":{},"at":1795168800.0},{"name":"uncertainty","value":300.0,"unit":"seconds","labels":{},"at":null}],"facts":{"found in":"the alert''s own time: no series showed a departure","origin":"onset"},"detail":"","chart_svg":"","link":"","seconds":0.0}]','[{"component":"chat","kind":"unknown","score":0.1,"onset_at":null,"explanation":"VigieTargetDown fires on chat","supporting":["E1"],"opposing":[],"points":[{"text":"VigieTargetDown fires on chat","evidence":["E1"]}]}]','[]');
INSERT INTO "reports" VALUES('9c63a0b591d74241-r1','9c63a0b591d74241',1.79540909362589764597e+09,'{"id":"9c63a0b591d74241-r1","incident":"9c63a0b591d74241","created_at":1795409093.6258976,"headline":"what ails embeddings could not be found","summary":[{"text":"VigieSlowFirstToken on embeddings fired at 10:00:00; it began at 10:00:00","evidence":["E1","E10"],"standing":"verified","problem":""},{"text":"VigieSlowFirstToken fires on embeddings","evidence":["E1"],"standing":"verified","problem":""}],"impact":{"affected":["embeddings"],"healthy":[],"not_checked":["every other target (the exporter was not seen)"]},"causes":[{"component":"embeddings","kind":"unknown","confidence":"low","claims":[{"text":"VigieSlowFirstToken fires on embeddings","evidence":["E1"],"standing":"verified","problem":""}]}],"timeline":[{"at":1795168800.0,"text":"VigieSlowFirstToken fires","evidence":["E1"]},{"at":1795168800.0,"text":"it begins","evidence":["E10"]},{"at":1795409092.062567,"text":"deployment of chat: chat 1.2","evidence":["E8"]}],"ruled_out":[],"unverified":[],"actions":[],"coverage":[{"source":"alert","title":"VigieSlowFirstToken embeddings (warning)","status":"ok","detail":"","evidence":"E1"},{"source":"alertmanager","title":"other active alerts","status":"unavailable","detail":"cannot connect (ConnectionRefusedError)","evidence":"E2"},{"source":"alertmanager","title":"this alert in Alertmanager: silences, inhibitions, receivers","status":"unavailable","detail":"cannot connect (ConnectionRefusedError)","evidence":"E3"},{"source":"alertmanager","title":"silences","status":"unavailable","detail":"cannot connect (ConnectionRefusedError)","evidence":"E4"},{"source":"exporter","title":"exporter","status":"unavailable","detail":"not configured","evidence":"E5"},{"source":"prometheus","title":"prometheus","status":"unavailable","detail":"not configured","evidence":"E6"},{"source":"runbooks","title":"runbooks","status":"unavailable","detail":"not configured","evidence":"E7"},{"source":"changes","title":"deployment of chat: chat 1.2","status":"ok","detail":"","evidence":"E8"},{"source":"changes","title":"changes of services that nothing here calls","status":"empty","detail":"","evidence":"E9"},{"source":"onset","title":"onset of the incident","status":"ok","detail":"","evidence":"E10"}],"decision":{"kind":"ticket","reasons":["the alerts are warnings, and users are served","the cause is not known: a person has to look"],"escalation":"page when a critical alert joins, or when it still fires tomorrow","proposed_silence":"amtool silence add --duration=2h --comment=''incident 9c63a0b591d74241'' ''alertname=\"VigieSlowFirstToken\"'' ''target=\"embeddings\"''"},"analyst":"embedded","partial":false,"notes":["not seen: alertmanager, exporter, prometheus, runbooks; see the coverage","neither Prometheus nor the exporter answered: this stands on the alert alone"],"spend":{"model":"","prompt_tokens":0,"output_tokens":0,"calls":0,"price":null,"currency":""},"seconds":0.086}','[{"id":"E1","source":"alert","title":"VigieSlowFirstToken embeddings (warning)","query":"webhook","window":{"start":1795168800.0,"end":1795409093.5635993},"status":"ok","component":null,"quantities":[{"name":"fired at","value":1795168800.0,"unit":"timestamp","labels":{},"at":null},{"name":"alerts in the incident","value":1.0,"unit":"count","labels":{},"at":null}],"facts":{"origin":"alert","label alertname":"VigieSlowFirstToken","label target":"embeddings","label severity":"warning","label service":"embeddings","annotation summary":"VigieSlowFirstToken on embeddings"},"detail":"","chart_svg":"","link":"","seconds":0.0},{"id":"E2","source":"alertmanager","title":"other active alerts","query":"/api/v2/alerts","window":{"start":1795147200.0,"end":1795409093.5635993},"status":"unavailable","component":null,"quantities":[],"facts":{"origin":"alertmanager"},"detail":"cannot connect (ConnectionRefusedError)","chart_svg":"","link":"http://127.0.0.1:9/#/alerts","seconds":0.002},{"id":"E3","source":"alertmanager","title":"this alert in Alertmanager: silences, inhibitions, receivers","query":"/api/v2/alerts","window":{"start":1795147200.0,"end":1795409093.5635993},"status":"unavailable","component":null,"quantities":[],"facts":{"origin":"alertmanager"},"detail":"cannot connect (ConnectionRefusedError)","chart_svg":"","link":"http://127.0.0.1:9/#/alerts","seconds":0.002},{"id":"E4","source":"alertmanager","title":"silences","query":"/api/v2/silences","window":{"start":1795147200.0,"end":1795409093.5635993},"status":"unavailable","component":null,"quantities":[],"facts":{"origin":"alertmanager"},"detail":"cannot connect (ConnectionRefusedError)","chart_svg":"","link":"http://127.0.0.1:9/#/silences","seconds":0.002},{"id":"E5","source":"exporter","title":"exporter","query":"","window":{"start":1795147200.0,"end":1795409093.5635993},"status":"unavailable","component":null,"quantities":[],"facts":{},"detail":"not configured","chart_svg":"","link":"","seconds":0.0},{"id":"E6","source":"prometheus","title":"prometheus","query":"","window":{"start":1795147200.0,"end":1795409093.5635993},"status":"unavailable","component":null,"quantities":[],"facts":{},"detail":"not configured","chart_svg":"","link":"","seconds":0.0},{"id":"E7","source":"runbooks","title":"runbooks","query":"","window":{"start":1795147200.0,"end":1795409093.5635993},"status":"unavailable","component":null,"quantities":[],"facts":{},"detail":"not configured","chart_svg":"","link":"","seconds":0.0},{"id":"E8","source":"changes","title":"deployment of chat: chat 1.2","query":"changes before the alert","window":{"start":1795147200.0,"end":1795409093.5635993},"status":"ok","component":"chat","quantities":[{"name":"changed at","value":1795409092.062567,"unit":"timestamp","labels":{},"at":1795409092.062567}],"facts":{"change":"f3acb0676655c11c","origin":"changes","service":"chat","kind":"deployment","title":"chat 1.2","version":"1.2"},"detail":"","chart_svg":"","link":"","seconds":0.0},{"id":"E9","source":"changes","title":"changes of services that nothing here calls","query":"changes before the alert","window":{"start":1795147200.0,"end":1795409093.5635993},"status":"empty","component":null,"quantities":[],"facts":{"origin":"changes"},"detail":"","chart_svg":"","link":"","seconds":0.0},{"id":"E10","source":"onset","title":"onset of the incident","query":"change point of the alerting series","window":{"start":1795147200.0,"end":1795409093.5635993},"status":"ok","component":"embeddings","quantities":[{"name":"onset","value":1795168800.0,"unit":"timestamp","labels":{},"at":1795168800.0},{"name":"uncertainty","value":300.0,"unit":"seconds","labels":{},"at":null}],"facts":{"found in":"the alert''s own time: no series showed a departure","origin":"onset"},"detail":"","chart_svg":"","link":"","seconds":0.0}]','[{"component":"embeddings","kind":"unknown","score":0.1,"onset_at":null,"explanation":"VigieSlowFirstToken fires on embeddings","supporting":["E1"],"opposing":[],"points":[{"text":"VigieSlowFirstToken fires on embeddings","evidence":["E1"]}]}]','[]');
CREATE TABLE stages (
	incident_id VARCHAR NOT NULL, 
	stage VARCHAR NOT NULL, 
	finished_at FLOAT NOT NULL, 
	seconds FLOAT NOT NULL, 
	CONSTRAINT pk_stages PRIMARY KEY (incident_id, stage), 
	CONSTRAINT fk_stages_incident_id FOREIGN KEY(incident_id) REFERENCES incidents (id)
);
INSERT INTO "stages" VALUES('ea7be68c38614a10','gather',1.79540909215367031092e+09,0.00632855999901949);
INSERT INTO "stages" VALUES('ea7be68c38614a10','rank',1.7954090921623802185e+09,1.08983400059514679014e-03);
INSERT INTO "stages" VALUES('ea7be68c38614a10','disprove',1.79540909217079234128e+09,4.81828999909339472651e-04);
INSERT INTO "stages" VALUES('ea7be68c38614a10','analyse',1.79540909218211436272e+09,6.80269000440603122115e-04);
INSERT INTO "stages" VALUES('ea7be68c38614a10','report',1.79540909220518445964e+09,3.66762500016193371266e-03);
INSERT INTO "stages" VALUES('9c63a0b591d74241','gather',1.7954090935674288273e+09,3.88113300141412764787e-03);
INSERT INTO "stages" VALUES('9c63a0b591d74241','rank',1.79540909359020686144e+09,6.18076399950950872153e-03);
INSERT INTO "stages" VALUES('9c63a0b591d74241','disprove',1.79540909360222315791e+09,5.66687000173260457813e-04);
INSERT INTO "stages" VALUES('9c63a0b591d74241','analyse',1.79540909361052846912e+09,6.55482999718515202403e-04);
INSERT INTO "stages" VALUES('9c63a0b591d74241','report',1.79540909362824606899e+09,2.65568600116239394992e-03);
CREATE TABLE work (
	id VARCHAR NOT NULL, 
	incident_id VARCHAR NOT NULL, 
	priority INTEGER NOT NULL, 
	due_at FLOAT NOT NULL, 
	state VARCHAR NOT NULL, 
	attempts INTEGER NOT NULL, 
	created_at FLOAT NOT NULL, 
	finished_at FLOAT, 
	problem TEXT NOT NULL, 
	CONSTRAINT pk_work PRIMARY KEY (id), 
	CONSTRAINT fk_work_incident_id FOREIGN KEY(incident_id) REFERENCES incidents (id), 
	CONSTRAINT uq_work_incident_id UNIQUE (incident_id)
);
INSERT INTO "work" VALUES('ea7be68c38614a10-1','ea7be68c38614a10',0,1.79540909208827519421e+09,'done',1,1.79540909208827519421e+09,1.79540909220518445964e+09,'');
INSERT INTO "work" VALUES('9c63a0b591d74241-1','9c63a0b591d74241',1,1.79540909352361583708e+09,'done',1,1.79540909252361583709e+09,1.79540909362824606899e+09,'');
INSERT INTO "work" VALUES('4f44a2f231e0456a-1','4f44a2f231e0456a',1,1.79540909783355283734e+09,'dropped',0,1.79540909683355283735e+09,1.7954090968573708534e+09,'');
INSERT INTO "work" VALUES('44249927cbe34601-1','44249927cbe34601',0,1.79540910204162788388e+09,'running',1,1.79540910204162788388e+09,NULL,'');
INSERT INTO "work" VALUES('792b0b5c215e46f6-1','792b0b5c215e46f6',1,1.79540910331258702281e+09,'waiting',0,1.79540910231258702281e+09,NULL,'');
CREATE INDEX ix_deliveries_quarantined ON deliveries (received_at) WHERE problem IS NOT NULL;
CREATE INDEX ix_deliveries_received_at ON deliveries (received_at);
CREATE INDEX ix_incidents_opened_at ON incidents (opened_at);
CREATE INDEX ix_incidents_resolved_at ON incidents (resolved_at);
CREATE INDEX ix_incidents_state ON incidents (state);
CREATE INDEX ix_changes_at ON changes (at);
CREATE INDEX ix_episodes_alertname ON episodes (alertname);
CREATE INDEX ix_episodes_incident_id ON episodes (incident_id);
CREATE INDEX ix_episodes_latest ON episodes (fingerprint, first_seen_at);
CREATE INDEX ix_incident_log_incident_id ON incident_log (incident_id);
CREATE INDEX ix_reports_created_at ON reports (created_at);
CREATE INDEX ix_work_turn ON work (state, priority, due_at);
CREATE INDEX ix_episode_facts_episode_id ON episode_facts (episode_id);
CREATE INDEX ix_outbox_incident_id ON outbox (incident_id);
CREATE INDEX ix_outbox_turn ON outbox (status, channel, due_at);
COMMIT;
