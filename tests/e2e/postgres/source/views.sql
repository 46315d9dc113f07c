-- Views, materialized views, rules, triggers: what must come after the rows, or must not run while they come.
CREATE VIEW app.customers AS SELECT id, name, mood, doubled FROM app.customer WHERE amount > 1 WITH LOCAL CHECK OPTION;
CREATE VIEW app.barrier WITH (security_barrier, security_invoker = true, check_option = cascaded) AS SELECT * FROM app.customers WHERE mood = 'ok';
ALTER VIEW app.customers ALTER COLUMN name SET DEFAULT 'by the view';
CREATE RECURSIVE VIEW app.countdown (n) AS VALUES (10) UNION ALL SELECT n - 1 FROM countdown WHERE n > 0;
CREATE VIEW app."view :word" ("column "" %", "b") AS SELECT 1, ':word'::text;
CREATE VIEW app.uses_function AS SELECT app.overloaded(1) AS one, app.atomic(2) AS two, g.* FROM app.set_returning(3) AS g (i, w), LATERAL (SELECT 1) AS l;
CREATE VIEW app.cycle_a AS SELECT 1 AS x;
CREATE VIEW app.cycle_b AS SELECT x FROM app.cycle_a;
CREATE OR REPLACE VIEW app.cycle_a AS SELECT x FROM (VALUES (1)) v (x) UNION SELECT 2;
CREATE VIEW app.grouped AS SELECT id, name, note FROM app.customer JOIN app."Order" USING (id) GROUP BY customer.id, "Order".id;
CREATE VIEW app.windowed AS SELECT id, sum(id) OVER w, grouping(id) FROM app.pair JOIN app.chicken ON a = id GROUP BY CUBE (id) WINDOW w AS (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES);
COMMENT ON VIEW app.customers IS 'some of them';
COMMENT ON COLUMN app.customers.name IS 'of the view';

CREATE MATERIALIZED VIEW app.summary WITH (fillfactor = 80) AS SELECT mood, count(*) AS n, sum(doubled) AS total FROM app.customer GROUP BY mood;
CREATE UNIQUE INDEX summary_mood ON app.summary (mood);
CREATE MATERIALIZED VIEW app.second AS SELECT sum(n) AS n FROM app.summary;
CREATE MATERIALIZED VIEW app.third AS SELECT n + 1 AS n FROM app.second;
CREATE MATERIALIZED VIEW app.unpopulated AS SELECT * FROM app.pair WITH NO DATA;
CREATE MATERIALIZED VIEW app."mat :word" AS SELECT * FROM app.customers;
CREATE STATISTICS app.of_summary ON mood, n FROM app.summary;
ALTER MATERIALIZED VIEW app.summary CLUSTER ON summary_mood, ALTER COLUMN n SET STATISTICS 5;
COMMENT ON MATERIALIZED VIEW app.summary IS 'refreshed at a restore';

CREATE RULE instead AS ON INSERT TO app.cycle_b DO INSTEAD INSERT INTO app.pair VALUES (new.x, new.x) RETURNING a;
CREATE RULE also AS ON UPDATE TO app.pair WHERE new.a <> old.a DO ALSO (DELETE FROM app.egg WHERE false; INSERT INTO app.chicken VALUES (new.a));
CREATE RULE notifies AS ON INSERT TO app.egg DO ALSO NOTIFY "changed :word";
CREATE RULE nothing AS ON DELETE TO app.chicken DO INSTEAD NOTHING;
CREATE RULE on_insert AS ON INSERT TO app.keyed_0 DO ALSO NOTHING;
CREATE RULE disabled AS ON DELETE TO app.pair DO ALSO NOTHING;
ALTER TABLE app.pair DISABLE RULE disabled, ENABLE ALWAYS RULE also;
COMMENT ON RULE also ON app.pair IS 'on a change';

CREATE TRIGGER fails BEFORE INSERT OR UPDATE OF name, amount ON app.customer FOR EACH ROW WHEN (new.name IS DISTINCT FROM ':word') EXECUTE FUNCTION app.touch('an argument', ':word', '\');
CREATE TRIGGER fails_for_statements AFTER INSERT ON app."Order" REFERENCING NEW TABLE AS "new :word" FOR EACH STATEMENT EXECUTE FUNCTION app.touch();
CREATE TRIGGER on_truncate BEFORE TRUNCATE ON app.pair EXECUTE FUNCTION app.touch();
CREATE TRIGGER on_partitioned AFTER UPDATE ON app.measure FOR EACH ROW EXECUTE FUNCTION app.pass();
ALTER TABLE app.measure_1 DISABLE TRIGGER on_partitioned;
CREATE CONSTRAINT TRIGGER checks AFTER INSERT ON app.booking FROM app.pair DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE TRIGGER instead INSTEAD OF INSERT OR UPDATE OR DELETE ON app.barrier FOR EACH ROW EXECUTE FUNCTION app.pass();
CREATE TRIGGER "trigger "" :word" AFTER DELETE ON app.pair FOR EACH ROW EXECUTE FUNCTION app.pass();
CREATE TRIGGER always BEFORE INSERT ON app.pair FOR EACH ROW EXECUTE FUNCTION app.pass();
CREATE TRIGGER replica BEFORE INSERT ON app.pair FOR EACH ROW EXECUTE FUNCTION app.touch();
ALTER TABLE app.pair ENABLE ALWAYS TRIGGER always, ENABLE REPLICA TRIGGER replica, DISABLE TRIGGER "trigger "" :word";
COMMENT ON TRIGGER always ON app.pair IS 'whatever the role';
\if :superuser
CREATE FUNCTION app.on_event() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE EVENT TRIGGER "event :word" ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION app.on_event();
CREATE EVENT TRIGGER event_off ON sql_drop EXECUTE FUNCTION app.on_event();
ALTER EVENT TRIGGER event_off DISABLE;
CREATE EVENT TRIGGER event_always ON table_rewrite EXECUTE FUNCTION app.on_event();
ALTER EVENT TRIGGER event_always ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER event_off IS 'not now';
\endif
