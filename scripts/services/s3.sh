#!/usr/bin/env bash
# usage: s3.sh start|stop DIR   A real S3 server that checks signatures, for the tests: Ceph's gateway over one in-memory store, on free ports of 127.0.0.1.
# start writes DIR/s3.env (LOGMILL_S3_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) when requests are answered; stop ends what start started.
# The packages are in scripts/dependencies-integration.txt.
set -euo pipefail
action=${1:?usage: s3.sh start|stop DIR}
mkdir -p "${2:?usage: s3.sh start|stop DIR}"
dir=$(cd "$2" && pwd)

stop() {
  local file pid
  for file in "$dir"/run/{rgw,osd,mgr,mon}.pid; do
    [ -f "$file" ] || continue
    pid=$(cat "$file")
    # Only what was started here: the number may be another process's by now.
    if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$dir/ceph.conf"; then kill -KILL "$pid" 2>/dev/null || true; fi
    rm -f "$file"
  done
}

if [ "$action" = stop ]; then
  stop
  exit 0
fi
[ "$action" = start ] || { echo "s3.sh: '$action' is neither start nor stop" >&2; exit 2; }
for program in ceph ceph-mon ceph-mgr ceph-osd radosgw radosgw-admin; do
  command -v "$program" >/dev/null || { echo "s3.sh: $program is not installed; see scripts/dependencies-integration.txt" >&2; exit 1; }
done
stop
rm -rf "$dir"
mkdir -p "$dir"/{mon,mgr,osd,rgw,run,log}
trap 'stop; echo "s3.sh: the server could not be started; its logs are in $dir/log" >&2' ERR

read -r mon2 mon1 port < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(3)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in sockets))')
id=$(python3 -c 'import uuid; print(uuid.uuid4())')
cat >"$dir/ceph.conf" <<EOF
[global]
  fsid = $id
  mon host = [v2:127.0.0.1:$mon2,v1:127.0.0.1:$mon1]
  mon initial members = a
  public addr = 127.0.0.1
  cluster addr = 127.0.0.1
  keyring = $dir/keyring
  run dir = $dir/run
  crash dir = $dir/log
  admin socket = $dir/run/\$name.sock
  log file = $dir/log/\$name.log
  mon cluster log file = $dir/log/cluster.log
  auth allow insecure global id reclaim = false
  mon data avail warn = 1
  mon data avail crit = 1
  mon max pg per osd = 1000
  debug ms = 0/0
  debug osd = 0/0
  debug rgw = 0/0
  debug objecter = 0/0
  debug monc = 0/0
  osd crush chooseleaf type = 0
  osd pool default size = 1
  osd pool default min size = 1
  osd pool default pg num = 4
  osd pool default pgp num = 4
  osd pool default pg autoscale mode = off
[mon.a]
  mon data = $dir/mon
[mgr.a]
  mgr data = $dir/mgr
[osd.0]
  osd data = $dir/osd
  osd objectstore = memstore
  memstore device bytes = 4294967296
[client.rgw]
  rgw data = $dir/rgw
  rgw frontends = beast endpoint=127.0.0.1:$port
  rgw thread pool size = 128
  rgw dns name = s3.eu-west-1.amazonaws.com
  rgw gc obj min wait = 2
  rgw gc processor period = 2
  rgw gc processor max time = 60
  rgw crypt require ssl = false
  rgw crypt s3 kms backend = testing
  rgw crypt s3 kms encryption keys = logs=bG9nbWlsbC1sb2dtaWxsLWxvZ21pbGwtbG9nbWlsbC0=
EOF
conf=(-c "$dir/ceph.conf")

ceph-authtool --create-keyring "$dir/keyring" --gen-key -n mon. --cap mon 'allow *' >/dev/null
for name in client.admin mgr.a osd.0 client.rgw; do
  ceph-authtool "$dir/keyring" --gen-key -n "$name" --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' --cap mds 'allow *' >/dev/null
done

run() {  # NAME PROGRAM...: in the background, its number in DIR/run/NAME.pid
  setsid "${@:2}" >"$dir/log/$1.out" 2>&1 </dev/null &
  echo $! >"$dir/run/$1.pid"
}
await() {  # SECONDS COMMAND...
  local end=$((SECONDS + $1))
  until "${@:2}" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.3
  done
}

monmaptool --create --fsid "$id" --addv a "[v2:127.0.0.1:$mon2,v1:127.0.0.1:$mon1]" "$dir/monmap" >/dev/null
ceph-mon "${conf[@]}" --mkfs -i a --monmap "$dir/monmap" --keyring "$dir/keyring"
run mon ceph-mon "${conf[@]}" -i a -f
await 60 timeout 10 ceph "${conf[@]}" -s
run mgr ceph-mgr "${conf[@]}" -i a -f
timeout 30 ceph "${conf[@]}" osd new "$id" >/dev/null
timeout 60 ceph-osd "${conf[@]}" -i 0 --mkfs --osd-uuid "$id" >"$dir/log/mkfs.out" 2>&1
run osd ceph-osd "${conf[@]}" -i 0 -f
await 60 bash -c "timeout 10 ceph -c '$dir/ceph.conf' osd stat | grep -q '1 up'"
run rgw radosgw "${conf[@]}" -n client.rgw -f
answers() { python3 -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:$port/', timeout=2)"; }
await 120 answers
timeout 60 radosgw-admin "${conf[@]}" user create --uid=logmill --display-name=logmill --max-buckets=1000 \
  --access-key=AKIAIOSFODNN7EXAMPLE --secret-key=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY >"$dir/log/user.out" 2>&1
cat >"$dir/s3.env" <<EOF
LOGMILL_S3_ENDPOINT=http://127.0.0.1:$port
AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE
AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
EOF
