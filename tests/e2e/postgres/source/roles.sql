-- The roles of the cluster, which belong to no database. `owner` owns what a user without power may own.
CREATE ROLE owner LOGIN CREATEROLE;
CREATE ROLE "Odd ""Röle"" $1" NOLOGIN;
CREATE ROLE reader NOLOGIN;
CREATE ROLE writer NOLOGIN;
CREATE ROLE auditor LOGIN;
GRANT reader TO writer;
GRANT writer TO owner;
GRANT "Odd ""Röle"" $1", reader, auditor TO owner;
