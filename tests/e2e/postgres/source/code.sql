-- Functions and procedures in every shape, and text search.
CREATE FUNCTION app.defaults(a integer DEFAULT 1, b text DEFAULT 'it''s', OUT c integer, INOUT d app.mood DEFAULT 'ok', VARIADIC e text[] DEFAULT '{}')
    LANGUAGE plpgsql STABLE STRICT COST 17 PARALLEL RESTRICTED SET search_path TO app, "Odd schema "" . %s \ :word", pg_temp SET work_mem TO '8MB'
    AS $odd$ BEGIN c := a; /* $$ and $odd */ END $odd$;
CREATE FUNCTION app.set_returning(n integer) RETURNS TABLE (i integer, "Word" text) LANGUAGE sql ROWS 42 AS $$ SELECT g, 'x' FROM generate_series(1, n) g $$;
CREATE FUNCTION app.atomic(n integer) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE BEGIN ATOMIC SELECT n + 1; END;
CREATE FUNCTION app.returning_expression(n integer) RETURNS integer LANGUAGE sql RETURN n * 2;
CREATE FUNCTION app.polymorphic(anyelement, anyarray) RETURNS anyarray LANGUAGE sql AS 'SELECT array_append($2, $1)';
CREATE FUNCTION app.compatible(anycompatible, anycompatiblerange) RETURNS SETOF anycompatible LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION app.definer() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS 'SELECT current_user::text';
CREATE FUNCTION app.":word"(":argument" text) RETURNS text LANGUAGE sql AS $$ SELECT ":argument" || ':word' $$;
CREATE FUNCTION app.overloaded() RETURNS integer LANGUAGE sql AS 'SELECT 0';
CREATE FUNCTION app.overloaded(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION app.overloaded(text, integer[]) RETURNS integer LANGUAGE sql AS 'SELECT 2';
CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a trigger ran during the restore'; END $$;
CREATE FUNCTION app.pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE PROCEDURE app.proc(IN a integer, OUT c text, INOUT b integer DEFAULT 3) LANGUAGE plpgsql AS $$ BEGIN b := a; c := 'c'; END $$;
CREATE PROCEDURE app.atomic_proc(a integer) LANGUAGE sql BEGIN ATOMIC SELECT a; END;
COMMENT ON FUNCTION app.overloaded(integer) IS 'the second of its name';
COMMENT ON PROCEDURE app.proc IS 'does little';
\if :superuser
GRANT USAGE, CREATE ON SCHEMA app TO "Odd ""Röle"" $1";
ALTER FUNCTION app.overloaded() OWNER TO "Odd ""Röle"" $1";
ALTER FUNCTION app.defaults SET "App.odd_setting" TO 'it''s, odd';
CREATE FUNCTION app.in_plodd() RETURNS integer LANGUAGE plodd LEAKPROOF AS $$ BEGIN RETURN 1; END $$;
CREATE FUNCTION app.supported(integer, integer) RETURNS SETOF integer LANGUAGE internal SUPPORT generate_series_int4_support AS 'generate_series_int4';
CREATE FUNCTION app.rank_like() RETURNS bigint LANGUAGE internal WINDOW AS 'window_rank';
CREATE FUNCTION app.transformed(integer) RETURNS integer LANGUAGE sql TRANSFORM FOR TYPE integer AS 'SELECT $1';
CREATE TEXT SEARCH PARSER app.parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
CREATE TEXT SEARCH TEMPLATE app.template (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY app.by_template (TEMPLATE = app.template, accept = 'false');
CREATE TEXT SEARCH CONFIGURATION app.by_parser (PARSER = app.parser);
COMMENT ON TEXT SEARCH PARSER app.parser IS 'the usual one';
COMMENT ON TEXT SEARCH TEMPLATE app.template IS 'simple';
\endif
CREATE TEXT SEARCH DICTIONARY app.simple (TEMPLATE = simple, STOPWORDS = english, ACCEPT = true);
CREATE TEXT SEARCH DICTIONARY app.snow (TEMPLATE = snowball, LANGUAGE = 'german', STOPWORDS = 'german');
CREATE TEXT SEARCH CONFIGURATION app."search :word" (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION app."search :word" ALTER MAPPING FOR asciiword, word WITH app.snow, app.simple;
ALTER TEXT SEARCH CONFIGURATION app."search :word" DROP MAPPING FOR url, float;
COMMENT ON TEXT SEARCH CONFIGURATION app."search :word" IS 'for words';
COMMENT ON TEXT SEARCH DICTIONARY app.snow IS 'German';
