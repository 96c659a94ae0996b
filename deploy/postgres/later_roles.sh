#!/bin/bash
# Entrypoint: on a volume that an earlier release made, the roles that came since are made before the server starts.
# roles.sh makes them all on an empty one.
set -euo pipefail
if [ -s "$PGDATA/PG_VERSION" ]; then
  desk=$(tr -d '\n' </run/secrets/desk_password)
  quote=\'
  desk=${desk//$quote/$quote$quote}
  # A line is a command in this mode; an answer it prints is of no interest, an error is.
  postgres --single -c log_min_messages=error -D "$PGDATA" doc_assets >/dev/null <<SQL
DO \$\$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'desk') THEN CREATE ROLE desk LOGIN PASSWORD '$desk'; ALTER ROLE desk SET statement_timeout = '10min'; GRANT CONNECT ON DATABASE doc_assets TO desk; GRANT USAGE ON SCHEMA public TO desk; END IF; END \$\$
SQL
fi
exec docker-entrypoint.sh "$@"
