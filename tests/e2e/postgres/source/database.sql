-- What belongs to the database itself. `:"db"` is its name.
ALTER DATABASE :"db" SET search_path TO app, public, ext;
ALTER DATABASE :"db" SET work_mem TO '12MB';
ALTER DATABASE :"db" SET datestyle TO 'German, DMY';
ALTER DATABASE :"db" SET intervalstyle TO 'iso_8601';
ALTER DATABASE :"db" SET extra_float_digits TO -10;
ALTER DATABASE :"db" SET bytea_output TO 'escape';
ALTER DATABASE :"db" SET standard_conforming_strings TO off;
ALTER DATABASE :"db" SET timezone TO 'Asia/Kathmandu';
ALTER DATABASE :"db" SET lc_monetary TO 'C';
ALTER DATABASE :"db" CONNECTION LIMIT 77;
COMMENT ON DATABASE :"db" IS 'the shop''s database, :word';
GRANT CREATE, TEMPORARY ON DATABASE :"db" TO writer WITH GRANT OPTION;
REVOKE CONNECT ON DATABASE :"db" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"db" TO reader, owner;
ALTER ROLE reader IN DATABASE :"db" SET statement_timeout TO '5min';
\if :superuser
ALTER DATABASE :"db" SET "App.word" TO ':word, it''s "odd" \';
\endif
