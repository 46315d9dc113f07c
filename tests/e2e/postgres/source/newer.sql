-- What only later major versions know: the newest comes last, and older servers pass it over.
SELECT :SERVER_VERSION_NUM >= 170000 AS is_17, :SERVER_VERSION_NUM >= 180000 AS is_18 \gset
\if :is_17
CREATE TABLE app.counted (id bigint GENERATED ALWAYS AS IDENTITY, at date NOT NULL, b jsonb STORAGE EXTERNAL) PARTITION BY RANGE (at);
CREATE TABLE app.counted_old PARTITION OF app.counted FOR VALUES FROM (MINVALUE) TO ('2020-01-01');
CREATE TABLE app.counted_new PARTITION OF app.counted FOR VALUES FROM ('2020-01-01') TO (MAXVALUE);
INSERT INTO app.counted (at, b) SELECT date '2019-01-01' + g, to_jsonb(g) FROM generate_series(1, 700) g;
GRANT MAINTAIN ON app.counted TO writer;
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT MAINTAIN ON TABLES TO auditor;
\if :superuser
CREATE FUNCTION app.on_login() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE EVENT TRIGGER on_login ON login EXECUTE FUNCTION app.on_login();
\endif
\endif
\if :is_18
-- Version 17 knows it, and its `pg_restore` cannot restore it.
ALTER TABLE app.counted ADD CONSTRAINT one_a_day EXCLUDE USING btree (at WITH =);
CREATE TABLE app.generated (a integer, twice integer GENERATED ALWAYS AS (a * 2) VIRTUAL, b text, thrice integer GENERATED ALWAYS AS (a * 3) STORED,
    again text GENERATED ALWAYS AS (b || '!'), PRIMARY KEY (a));
INSERT INTO app.generated (a, b) SELECT g, 'row ' || g FROM generate_series(1, 900) g;
CREATE TABLE app.obligations (a integer CONSTRAINT must NOT NULL, b integer, c integer CONSTRAINT own NOT NULL NO INHERIT,
    CONSTRAINT advice CHECK (a > 100) NOT ENFORCED,
    CONSTRAINT hope FOREIGN KEY (b) REFERENCES app.generated NOT ENFORCED);
INSERT INTO app.obligations SELECT g, g * 1000, g FROM generate_series(1, 50) g;
INSERT INTO app.obligations VALUES (0, NULL, 0);
ALTER TABLE app.obligations ADD CONSTRAINT from_now_on NOT NULL b NOT VALID;
CREATE TABLE app.heir () INHERITS (app.obligations);
INSERT INTO app.heir VALUES (1, 1, NULL);
CREATE TABLE app.season (room integer, during daterange, PRIMARY KEY (room, during WITHOUT OVERLAPS));
CREATE TABLE app.guest (name text, room integer, during daterange, UNIQUE (name, during WITHOUT OVERLAPS),
    FOREIGN KEY (room, PERIOD during) REFERENCES app.season (room, PERIOD during));
INSERT INTO app.season VALUES (1, '[2020-01-01,2020-06-01)'), (1, '[2020-06-01,2021-01-01)');
INSERT INTO app.guest VALUES ('one', 1, '[2020-05-01,2020-07-01)');
CREATE TABLE app.by_time (id uuid DEFAULT uuidv7() PRIMARY KEY, a integer);
INSERT INTO app.by_time (a) SELECT generate_series(1, 300);
CREATE PUBLICATION generated FOR TABLE app.generated WITH (publish_generated_columns = stored);
\endif
