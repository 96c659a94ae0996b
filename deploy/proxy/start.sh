#!/bin/sh
# Lays out what depends on settings and secrets, and becomes nginx.
set -eu
umask 077
: "${PROXY_AUTH:?set it to basic or forward}"
cp "/etc/nginx/snippets/auth_$PROXY_AUTH.conf" /tmp/auth.conf
cp "/etc/nginx/snippets/desk_$PROXY_AUTH.conf" /tmp/desk_auth.conf
secret=$(tr -d '\n' </run/secrets/desk_proxy_secret)
case $secret in
  "" | *[!0-9A-Za-z._-]*) echo "secrets/desk_proxy_secret may hold letters, digits and . _ - alone; delete it and run deploy/init" >&2; exit 1 ;;
esac
printf 'proxy_set_header X-Desk-Proxy "%s";\n' "$secret" >/tmp/desk_secret.conf
exec nginx -g 'daemon off;'
