#!/usr/bin/env bash
# usage: azure.sh start|stop|install DIR   A real server of Azure's blobs that checks signatures, for the tests: the vendor's own emulator, Azurite, from npm, on free ports of
# 127.0.0.1; one speaks plain HTTP, one TLS with a certificate of its own, and believes tokens.
# start writes DIR/azure.env (LOGMILL_AZ_ENDPOINT, LOGMILL_AZ_TLS_ENDPOINT, LOGMILL_AZ_CA, LOGMILL_AZ_KEY) when requests are answered; stop ends what start started.
# Azurite itself is kept in DIR/npm. node and npm are in scripts/dependencies-integration.txt.
set -euo pipefail
action=${1:?usage: azure.sh start|stop|install DIR}
mkdir -p "${2:?usage: azure.sh start|stop|install DIR}"
dir=$(cd "$2" && pwd)
version=3.35.0  # the last that Debian's node runs
program=$dir/npm/node_modules/azurite/dist/src/blob/main.js

stop() {
  local file pid
  for file in "$dir"/run/*.pid; do
    [ -f "$file" ] || continue
    pid=$(cat "$file")
    # Only what was started here: the number may be another process's by now.
    if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$program"; then kill -KILL "$pid" 2>/dev/null || true; fi
    rm -f "$file"
  done
}

if [ "$action" = stop ]; then
  stop
  exit 0
fi
[ "$action" = start ] || [ "$action" = install ] || { echo "azure.sh: '$action' is none of start, stop and install" >&2; exit 2; }
for tool in node npm openssl python3; do
  command -v "$tool" >/dev/null || { echo "azure.sh: $tool is not installed; see scripts/dependencies-integration.txt" >&2; exit 1; }
done
mkdir -p "$dir/npm"
if [ "$(sed -n 's/^  "version": "\(.*\)",$/\1/p' "$dir/npm/node_modules/azurite/package.json" 2>/dev/null)" != "$version" ]; then
  echo "azure.sh: installing azurite $version into $dir/npm"
  npm install --prefix "$dir/npm" --no-audit --no-fund --loglevel error "azurite@$version" ||
    { echo "azure.sh: azurite could not be installed from npm" >&2; exit 1; }
fi
[ "$action" = start ] || exit 0
stop
rm -rf "$dir/run" "$dir/log"
mkdir -p "$dir"/{run,log}
trap 'stop; echo "azure.sh: the server could not be started; its logs are in $dir/log" >&2' ERR

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1 \
  -keyout "$dir/run/key.pem" -out "$dir/run/certificate.pem" 2>"$dir/log/openssl.out"
read -r plain tls < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(2)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in sockets))')

run() {  # NAME PORT ARGUMENT...: in the background, its number in DIR/run/NAME.pid
  setsid node "$program" --blobHost 127.0.0.1 --blobPort "$2" --inMemoryPersistence --silent --disableTelemetry "${@:3}" \
    >"$dir/log/$1.out" 2>&1 </dev/null &
  echo $! >"$dir/run/$1.pid"
}
run plain "$plain"
run tls "$tls" --oauth basic --cert "$dir/run/certificate.pem" --key "$dir/run/key.pem"
for port in "$plain" "$tls"; do
  end=$((SECONDS + 60))
  until python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 2)" 2>/dev/null; do
    [ $SECONDS -lt $end ]
    kill -0 "$(cat "$dir/run/plain.pid")" "$(cat "$dir/run/tls.pid")"
    sleep 0.2
  done
done
# The key of the emulator's account, which everybody knows.
cat >"$dir/azure.env" <<EOF_ENV
LOGMILL_AZ_ENDPOINT=http://127.0.0.1:$plain/devstoreaccount1
LOGMILL_AZ_TLS_ENDPOINT=https://127.0.0.1:$tls/devstoreaccount1
LOGMILL_AZ_CA=$dir/run/certificate.pem
LOGMILL_AZ_KEY=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==
EOF_ENV
