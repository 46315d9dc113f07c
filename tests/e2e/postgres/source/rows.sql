-- The rows: values that are hard to write, and enough of them that small parts are many.
\if :has_xml
\set document 'xmlelement(name x, g)'
\else
\set document NULL
\endif
INSERT INTO app.customer (id, name, email, mood, home, data, raw, document, tags, path, seen, born, span, short_span, amount, ratio, exact, price, bits,
    flag, bytes, uid, net, host, mac, shape, point, search, query, ints, dates, "char", fixed, xid, name64)
SELECT g, 'name ' || g || E' \t \n \r \b \f \v \\ \\N \\. "quoted" ''single'' , ; | ', 'u' || g || '@Example.org',
    (enum_range(NULL::app.mood))[g % 8 + 1], ROW('street "' || g, g, NULL, ARRAY['ok', 'with, comma']::app.mood[])::app.address,
    jsonb_build_object('n', g, 'deep', jsonb_build_array(g / 3.0, NULL, 'x')), '{ "kept" :  [1,2 ] }', (:document)::xml,
    ext.hstore('k' || g, NULL), ('a.b' || g)::ext.ltree, timestamptz '2000-02-29 23:59:59.999+00' + g * interval '1 hour', date '1900-01-01' + g,
    make_interval(years => g, secs => g / 7.0), interval '1 12:30:45.67', g / 7.0, (g / 3.0)::real, pi() * power(10::double precision, g % 300),
    g::money, '1011', (g % 8)::bit(3), decode(md5(g::text), 'hex'), md5(g::text)::uuid, '10.0.0.0/8', '::1', '08:00:2b:01:02:03:04:05',
    '((0,0),(1,1),(2,0))', point(g, -g), to_tsvector('simple', 'a b' || g), 'a & !b', int4range(g, g + 5),
    datemultirange(daterange('2020-01-01', '2020-02-01')), 'x', 'fix', '4294967296', 'name'
FROM generate_series(1, 400) g;
INSERT INTO app.customer (id, name, amount, ratio, exact, seen, born, span, ints, bytes, data, moods, home, uid) VALUES
    (-5, '', 0, 'NaN', '-Infinity', '-infinity', 'infinity', '-178000000 years', 'empty', '', 'null', '{}', NULL, NULL),
    (-4, E'\\.', 0, 1e-45, 4.9406564584124654e-324, '4713-01-01 00:00:00+00 BC', '5874897-12-31', '0', '(,)', '\x00ff0a0d5c', '"\\u0041"', NULL, ROW(NULL, NULL, NULL, NULL), md5('a')::uuid),
    (-3, E'\\N', NULL, 3.4028235e38, 1.7976931348623157e308, '294276-12-31 23:59:59.999+00', NULL, NULL, NULL, NULL, NULL, '{NULL,ok}', ROW('', 0, '', '{}'), md5('b')::uuid);
ALTER TABLE app.customer ADD COLUMN "with default" text DEFAULT 'for rows that were there';
INSERT INTO app."Order" SELECT g, (g % 400) + 1, CASE WHEN g > 1 THEN g - 1 END, repeat(md5(g::text), 20) FROM generate_series(1, 3000) g;
INSERT INTO app.chicken VALUES (1, NULL), (2, NULL);
INSERT INTO app.egg VALUES (1, 1), (2, 2);
UPDATE app.chicken SET egg = id;
INSERT INTO app.pair SELECT g, -g FROM generate_series(1, 50) g;
INSERT INTO app.pair_user SELECT g, -g FROM generate_series(1, 50) g;
INSERT INTO app.booking SELECT g, tsrange('2020-01-01', '2020-01-02'), 'stay' FROM generate_series(1, 20) g;
INSERT INTO app.no_columns SELECT FROM generate_series(1, 7);
INSERT INTO app.all_dropped SELECT FROM generate_series(1, 3);
INSERT INTO app.some_dropped SELECT 'b' || g, 'd', E'a\\', g, NULL FROM generate_series(1, 9) g;
INSERT INTO app.only_generated SELECT FROM generate_series(1, 4);
INSERT INTO app.unlogged SELECT g FROM generate_series(1, 100) g;
INSERT INTO app.typed VALUES (ROW('s', 1, 'z', '{}'), '{}', '[1,5)');
INSERT INTO app."Table "" with \ all % kinds . of / names	tab :word" VALUES (1, 'a', E'b\\', 'w', 2, 'NULL', E'l\nm'), (NULL, '', E'\\N', NULL, NULL, '\N', NULL);
INSERT INTO "Odd schema "" . %s \ :word"."Odd schema "" . %s \ :word" SELECT g, ':word' FROM generate_series(1, 500) g;
INSERT INTO public.plain (t) SELECT ':word' || g FROM generate_series(1, 2000) g;
INSERT INTO app.many_columns (c1, c2, c3, c300) SELECT 'x', true, 3, g FROM generate_series(1, 20) g;
DO $$ BEGIN FOR i IN 1..120 LOOP EXECUTE format('INSERT INTO app.small_%s SELECT g, CASE WHEN %s > 1 THEN g END, g::text FROM generate_series(1, 200) g', i, i); END LOOP; END $$;
INSERT INTO app.measure (at, city, value, extra) SELECT timestamp '2019-06-01' + g * interval '12 hours', (ARRAY['a', 'b', 'Z', NULL])[g % 4 + 1], g, g FROM generate_series(1, 3000) g WHERE g % 4 < 3;
INSERT INTO app.measure (at, city, value, extra) SELECT timestamp '2030-01-01', 'a', g, g FROM generate_series(1, 500) g;
INSERT INTO app.keyed SELECT g, g::text FROM generate_series(1, 300) g;
INSERT INTO app.refers_to_partitioned SELECT g FROM generate_series(1, 300) g;
INSERT INTO app.parent_a SELECT g, 'a' FROM generate_series(1, 30) g;
INSERT INTO app.parent_b SELECT 'b', g FROM generate_series(1, 30) g;
INSERT INTO app.child SELECT g, 'c', g, g FROM generate_series(1, 30) g;
INSERT INTO app.grandchild SELECT g, 'g', g, g FROM generate_series(1, 30) g;
INSERT INTO app.late_child SELECT g, 'l', g FROM generate_series(1, 30) g;
DELETE FROM app."Order" WHERE id = 3000;
-- Holes: blocks without a row, and rows whose older versions still stand there.
CREATE TABLE app.holes (id integer PRIMARY KEY, v text);
INSERT INTO app.holes SELECT g, repeat('v', 500) FROM generate_series(1, 2000) g;
DELETE FROM app.holes WHERE id % 100 <> 0 OR id > 1500;
UPDATE app.holes SET v = 'short' WHERE id < 500;
CREATE TABLE app.emptied (id integer);
INSERT INTO app.emptied SELECT generate_series(1, 5000);
DELETE FROM app.emptied;
CREATE TABLE app.toasted (id integer, v text, b bytea);
ALTER TABLE app.toasted ALTER v SET STORAGE EXTERNAL;
INSERT INTO app.toasted SELECT g, repeat(md5(g::text), 5000), decode(repeat(md5(g::text), 100), 'hex') FROM generate_series(1, 12) g;
SELECT setval('app.all_options', 17), setval('app.owned_later', 5, false), nextval('app.unlogged_sequence'), nextval('app."Number sequence"');
\if :superuser
INSERT INTO app.other_heap SELECT g, g::text::app.number FROM generate_series(1, 500) g;
INSERT INTO app.in_space SELECT g, 'b' FROM generate_series(1, 500) g;
INSERT INTO app.spread VALUES (1);
\endif
\if :utf8
INSERT INTO app.sorted VALUES ('Äpfel', 'Ä'), ('Zebra', 'z'), ('日本', '日'), ('😀', '😀'), (U&'a\0308', 'b');
\endif
