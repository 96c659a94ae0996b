# Roles and databases of the product; sourced once, by the entrypoint of the postgres image, on an empty volume.
#
#   dagster           owns the database dagster (runs, events, schedules)
#   ledger_migrator   owns the ledger's tables; only the service migrate has its password
#   ledger            reads and writes rows of the ledger
#   ledger_reader     reads them
#   desk              reads them, writes those of verdicts, and people of the review desk in a schema of their own; what it
#                     may write is granted by the service migrate (doc_assets/archive/ledger/grants.py)
password() { tr -d '\n' <"/run/secrets/$1"; }

psql -v ON_ERROR_STOP=1 -q --username "$POSTGRES_USER" --dbname postgres \
  -v dagster="$(password dagster_password)" -v ledger="$(password ledger_password)" \
  -v migrator="$(password ledger_migrator_password)" -v reader="$(password ledger_reader_password)" \
  -v desk="$(password desk_password)" <<'SQL'
CREATE ROLE dagster LOGIN PASSWORD :'dagster';
CREATE ROLE ledger_migrator LOGIN PASSWORD :'migrator';
CREATE ROLE ledger LOGIN PASSWORD :'ledger';
CREATE ROLE ledger_reader LOGIN PASSWORD :'reader';
CREATE ROLE desk LOGIN PASSWORD :'desk';
ALTER ROLE ledger SET statement_timeout = '10min';
ALTER ROLE ledger_reader SET statement_timeout = '1min';
ALTER ROLE desk SET statement_timeout = '10min';
CREATE DATABASE dagster OWNER dagster;
CREATE DATABASE doc_assets OWNER ledger_migrator;
REVOKE ALL ON DATABASE dagster, doc_assets FROM PUBLIC;
GRANT CONNECT ON DATABASE doc_assets TO ledger, ledger_reader, desk;
\connect doc_assets
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO ledger_migrator;
GRANT USAGE ON SCHEMA public TO ledger, ledger_reader, desk;
ALTER DEFAULT PRIVILEGES FOR ROLE ledger_migrator GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ledger;
ALTER DEFAULT PRIVILEGES FOR ROLE ledger_migrator GRANT USAGE, SELECT ON SEQUENCES TO ledger;
ALTER DEFAULT PRIVILEGES FOR ROLE ledger_migrator GRANT SELECT ON TABLES TO ledger_reader;
SQL
