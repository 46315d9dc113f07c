-- Schemas, extensions, types of every kind, and what hangs on types: casts, operators, aggregates, collations.
CREATE SCHEMA app;
CREATE SCHEMA "Odd schema "" . %s \ :word" AUTHORIZATION "Odd ""Röle"" $1";
CREATE SCHEMA ext;
COMMENT ON SCHEMA app IS 'the application''s; with a \ and a
second line';
COMMENT ON SCHEMA public IS 'another comment than the usual';
CREATE EXTENSION hstore SCHEMA ext;
CREATE EXTENSION citext;
CREATE EXTENSION pg_trgm SCHEMA ext;
CREATE EXTENSION btree_gist SCHEMA ext;
CREATE EXTENSION ltree SCHEMA ext VERSION '1.2';
CREATE EXTENSION "tsm_system_rows" SCHEMA ext;
CREATE EXTENSION unaccent SCHEMA ext;
COMMENT ON EXTENSION hstore IS 'our own words for hstore';
\if :superuser
CREATE EXTENSION postgres_fdw SCHEMA ext;
CREATE EXTENSION file_fdw;
\endif

CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'it''s "fine"', 'back\slash', ' ', 'with, comma', ':word');
ALTER TYPE app.mood ADD VALUE 'meh' BEFORE 'ok';
ALTER TYPE app.mood RENAME VALUE 'sad' TO 'Sad';
CREATE TYPE app.empty_enum AS ENUM ();
CREATE TYPE app.address AS (street text COLLATE "C", "no." integer, zip character varying(10), moods app.mood[]);
CREATE TYPE app.nothing AS ();
CREATE TYPE app.nested AS (home app.address, others app.address[], span int4range);
ALTER TYPE app.address ADD ATTRIBUTE gone integer;
ALTER TYPE app.address DROP ATTRIBUTE gone;
COMMENT ON TYPE app.address IS 'where somebody lives';
COMMENT ON COLUMN app.address."no." IS 'of the house';
CREATE DOMAIN app.positive AS integer DEFAULT 1 NOT NULL CONSTRAINT "is > 0" CHECK (VALUE > 0) CHECK (VALUE < 1000000);
CREATE DOMAIN app.email AS public.citext COLLATE "C" CHECK (VALUE ~ '^[^@]+@[^@]+$');
CREATE DOMAIN app.positives AS app.positive[] CHECK (array_length(VALUE, 1) > 0);
ALTER DOMAIN app.positive ADD CONSTRAINT "not thirteen" CHECK (VALUE <> 13) NOT VALID;
COMMENT ON DOMAIN app.positive IS 'more than nothing';
COMMENT ON CONSTRAINT "is > 0" ON DOMAIN app.positive IS 'why else the name';
CREATE FUNCTION app.float8_distance(double precision, double precision) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1 - $2';
CREATE TYPE app.float_range AS RANGE (SUBTYPE = double precision, SUBTYPE_DIFF = app.float8_distance, MULTIRANGE_TYPE_NAME = app."many floats");
CREATE TYPE app.text_range AS RANGE (SUBTYPE = text, COLLATION = "C");
CREATE COLLATION app."C again" (LOCALE = 'C');
COMMENT ON COLLATION app."C again" IS 'the same under another name';
\if :utf8
CREATE COLLATION app.german (PROVIDER = icu, LOCALE = 'de-u-co-phonebk');
CREATE COLLATION app.careless (PROVIDER = icu, LOCALE = 'und-u-ks-level1', DETERMINISTIC = false);
\endif

CREATE FUNCTION app.mood_value(app.mood) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT length($1::text) $$;
CREATE CAST (app.mood AS integer) WITH FUNCTION app.mood_value(app.mood) AS ASSIGNMENT;
CREATE CAST (app.address AS text) WITH INOUT AS IMPLICIT;
COMMENT ON CAST (app.mood AS integer) IS 'by its length';
CREATE FUNCTION app.near(integer, integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT abs($1 - $2) < 10';
CREATE FUNCTION app.far(integer, integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT abs($1 - $2) >= 10';
CREATE OPERATOR app.=~~= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = app.near, COMMUTATOR = OPERATOR(app.=~~=), NEGATOR = OPERATOR(app.!~~!), RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE OPERATOR app.!~~! (LEFTARG = integer, RIGHTARG = integer, FUNCTION = app.far, COMMUTATOR = OPERATOR(app.!~~!), NEGATOR = OPERATOR(app.=~~=));
CREATE FUNCTION app.twice(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 2 * $1';
CREATE OPERATOR app.@#@ (RIGHTARG = bigint, FUNCTION = app.twice);
COMMENT ON OPERATOR app.=~~= (integer, integer) IS 'about the same';
COMMENT ON OPERATOR app.@#@ (NONE, bigint) IS 'doubles';

CREATE FUNCTION app.add_up(bigint, integer) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $1 + coalesce($2, 0)';
CREATE FUNCTION app.take_away(bigint, integer) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $1 - coalesce($2, 0)';
CREATE FUNCTION app.both(bigint, bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';
CREATE AGGREGATE app.total(integer) (SFUNC = app.add_up, STYPE = bigint, INITCOND = '0', COMBINEFUNC = app.both, PARALLEL = SAFE,
    MSFUNC = app.add_up, MINVFUNC = app.take_away, MSTYPE = bigint, MINITCOND = '0');
\if :superuser
CREATE AGGREGATE app.middle(double precision ORDER BY double precision) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_cont_float8_final);
CREATE AGGREGATE app.rank_of(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
CREATE AGGREGATE app.any_of(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0');
CREATE AGGREGATE app.least_of(integer) (SFUNC = int4smaller, STYPE = integer, SORTOP = <);
COMMENT ON AGGREGATE app.any_of(*) IS 'counts';

CREATE TYPE app.shell;
CREATE TYPE app.number;
CREATE FUNCTION app.number_in(cstring) RETURNS app.number LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION app.number_out(app.number) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE app.number (INPUT = app.number_in, OUTPUT = app.number_out, LIKE = integer, CATEGORY = 'N', PREFERRED = false, DEFAULT = '7', DELIMITER = '/', COLLATABLE = false);
CREATE CAST (app.number AS integer) WITHOUT FUNCTION AS IMPLICIT;
CREATE FUNCTION app.compare(app.number, app.number) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'btint4cmp';
CREATE FUNCTION app.less(app.number, app.number) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4lt';
CREATE FUNCTION app.equal(app.number, app.number) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4eq';
CREATE FUNCTION app.more(app.number, app.number) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4gt';
CREATE FUNCTION app.less_or_equal(app.number, app.number) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4le';
CREATE FUNCTION app.more_or_equal(app.number, app.number) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4ge';
CREATE OPERATOR app.< (LEFTARG = app.number, RIGHTARG = app.number, FUNCTION = app.less);
CREATE OPERATOR app.= (LEFTARG = app.number, RIGHTARG = app.number, FUNCTION = app.equal, MERGES, HASHES);
CREATE OPERATOR app.> (LEFTARG = app.number, RIGHTARG = app.number, FUNCTION = app.more);
CREATE OPERATOR app.<= (LEFTARG = app.number, RIGHTARG = app.number, FUNCTION = app.less_or_equal);
CREATE OPERATOR app.>= (LEFTARG = app.number, RIGHTARG = app.number, FUNCTION = app.more_or_equal);
CREATE OPERATOR FAMILY app.numbers USING btree;
CREATE OPERATOR CLASS app.number_ops DEFAULT FOR TYPE app.number USING btree FAMILY app.numbers AS
    OPERATOR 1 app.<, OPERATOR 2 app.<=, OPERATOR 3 app.=, OPERATOR 4 app.>=, OPERATOR 5 app.>, FUNCTION 1 app.compare(app.number, app.number);
CREATE FUNCTION app.compare(app.number, integer) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'btint4cmp';
ALTER OPERATOR FAMILY app.numbers USING btree ADD FUNCTION 1 (app.number, integer) app.compare(app.number, integer);
COMMENT ON OPERATOR FAMILY app.numbers USING btree IS 'all that compares numbers';
COMMENT ON OPERATOR CLASS app.number_ops USING btree IS 'in their order';

CREATE ACCESS METHOD heap_again TYPE TABLE HANDLER heap_tableam_handler;
CREATE ACCESS METHOD btree_again TYPE INDEX HANDLER bthandler;
COMMENT ON ACCESS METHOD heap_again IS 'the same under another name';
CREATE FUNCTION app.plodd_call() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE FUNCTION app.plodd_inline(internal) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_inline_handler';
CREATE FUNCTION app.plodd_validate(oid) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_validator';
CREATE LANGUAGE plodd HANDLER app.plodd_call INLINE app.plodd_inline VALIDATOR app.plodd_validate;
CREATE TRUSTED LANGUAGE "pl ""quoted""" HANDLER app.plodd_call INLINE app.plodd_inline VALIDATOR app.plodd_validate;
COMMENT ON LANGUAGE plodd IS 'PL/pgSQL under another name';
CREATE TRANSFORM FOR integer LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION int4recv(internal));
CREATE CONVERSION app.to_latin FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;
COMMENT ON CONVERSION app.to_latin IS 'for the old printer';
\endif
