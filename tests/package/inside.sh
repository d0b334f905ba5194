#!/bin/bash
# Runs as root in a container with systemd: installs the package and tries the service as
# an operator would, and as a bad day would. A line for each finding; the last says whether
# all passed. The container is restarted once in the middle, by the product.
set -u
exec >>/root/findings 2>/root/trace
set -x

password="quiet-river-7431"
failed=/root/failed
token=/root/token

fine() { printf 'ok    %s\n' "$*"; }
wrong() {
    printf 'WRONG %s\n' "$*"
    touch "$failed"
}
# check WORDS COMMAND..: whether the command succeeds.
check() {
    local words=$1
    shift
    if "$@" >/root/said; then fine "$words"; else wrong "$words: $(head -c 600 /root/said)"; fi
}
# soon SECONDS COMMAND..: as check's command; succeeds as soon as the command does.
soon() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $until ] || return 1
        sleep 0.2
    done
}
property() { systemctl show signpost.service --value --property="$1"; }
is() { [ "$(property "$1")" = "$2" ]; }
journal() { journalctl --unit=signpost.service --no-pager "$@"; }
status_says() { property StatusText | grep -qF -- "$1"; }
says() { journal --boot --output=cat | grep -F -- "$1"; }
field() { journal --boot --output=verbose | grep -E "^ +$1=."; }
# The certificate is the device's own.
get() { curl --silent --insecure --max-time 15 "$@"; }
api() { get --fail --header "Authorization: Bearer $(cat $token)" "$@"; }
log_in() { get --fail --json "{\"password\":\"$password\"}" https://127.0.0.1/api/v1/login | token_of; }
# token_of: of the answer to a login or to the set-up.
token_of() { grep -o '"token":"[^"]*"' | cut -d'"' -f4 >$token && [ -s $token ]; }
code() { signpost setup-code | sed -n 's/^set-up code //p'; }

# A network with an address, which ICE needs; there is no way out of the container.
ip link set lo up
ip link add seen type veth peer name unseen
ip address add 192.0.2.1/24 dev seen
ip link set seen up
ip link set unseen up

# Viewers' pipelines that hang: the plugin of tests/stuck takes the place of an element of
# theirs. Four of them are more than one place may have.
hang() {
    local folder=/usr/local/lib/stuck own=/etc/systemd/system/signpost.service.d restarts _
    mkdir -p $folder $own
    cp /root/libgststuck.so $folder/
    touch $folder/now
    cat >$own/stuck.conf <<UNIT
[Service]
Environment=GST_PLUGIN_PATH=$folder GST_REGISTRY=/var/cache/signpost/stuck.bin
Environment=STUCK_WHILE=$folder/now SIGNPOST_SESSIONS__MAX_VIEWERS=1
UNIT
    systemctl daemon-reload
    systemctl restart signpost.service
    log_in
    restarts=$(property NRestarts)
    for _ in 1 2 3 4; do
        SIGNPOST_TOKEN=$(cat $token) signpost-visitor watch http://192.0.2.1/ --pictures 1 --seconds 20 >/root/seen 2>&1
    done
    check "parts that hang are restarted by the watchdog" soon 90 is NRestarts $((restarts + 1))
    check "and the journal names them" says "sessions answers no more or shows nothing"
    rm -r $own $folder/now
    systemctl daemon-reload
    check "without them it starts" systemctl restart signpost.service
}

starts() { journal --boot --output=cat | grep -c '^Starting signpost.service'; }
socket_is() { [ "$(systemctl show signpost.socket --value --property=ActiveState)" = "$1" ]; }
answers() { get --fail --max-time 2 --output /dev/null http://127.0.0.1/healthz; }

# With callers, each end counts against the socket's limit; the service comes back with it.
killed_again_and_again() {
    local before pid most=$((SECONDS + 60))
    before=$(starts)
    while [ $(($(starts) - before)) -lt 8 ] && [ $SECONDS -lt $most ]; do
        answers
        pid=$(property MainPID)
        [ "$pid" = 0 ] || kill -KILL "$pid"
        sleep 0.3
    done
    check "killed again and again while somebody calls" test $(($(starts) - before)) -ge 8
    check "it is active again" soon 30 is ActiveState active
    check "and answers on port 80" soon 10 answers
}

# What is wrong stays wrong: it is not tried again, not by those who call either.
wrong_configuration() {
    local before tried _
    printf '[sessions]\nmax_viewerz = 99\n' >/etc/signpost/signpost.toml.d/wrong.toml
    if systemctl restart signpost.service; then wrong "a wrong configuration does not start"; fi
    check "a wrong configuration is a failed start" is ActiveState failed
    check "with its exit code" is ExecMainStatus 3
    check "with the reason in the journal" says "/etc/signpost/signpost.toml.d/wrong.toml:2: sessions.max_viewerz = 99: there is no such key; the nearest is sessions.max_viewers"
    before=$(starts)
    for _ in {1..20}; do answers; done
    tried=$(($(starts) - before))
    check "20 callers have it started 1 to 5 times: $tried" test $tried -ge 1 -a $tried -le 5
    check "then the socket refuses them" soon 5 socket_is failed
    rm /etc/signpost/signpost.toml.d/wrong.toml
    check "put right, it starts" systemctl restart signpost.service
    check "and answers on port 80" soon 10 answers
}

without_a_password() {
    local path told
    check "HTTP leads to HTTPS" grep -q "^https://127.0.0.1/" <(get --output /dev/null --write-out '%{redirect_url}' http://127.0.0.1/)
    check "whose page asks for the set-up code" grep -q 'id="setup"' <(get --location https://127.0.0.1/)
    for path in snapshot.jpg stream.mjpeg status config log; do
        check "and shows nothing else: $path" grep -q "no password is set" <(get "https://127.0.0.1/api/v1/$path")
    done
    check "nobody is sent a picture" grep -q "no password is set" <(get --request POST --header "Content-Type: application/sdp" --data v=0 https://127.0.0.1/whep)
    check "the code is root's and the service's" test "$(stat --format=%a /var/lib/signpost/setup-code)" = 600
    told=$(journal --boot --output=cat)
    check "the journal tells the code" grep -qF "$(code)" <<<"$told"
    check "and the console" soon 10 tells_code
    check "with the fingerprint that callers see" soon 10 tells_fingerprint
    ip address add 192.0.2.2/24 dev seen
    check "with that of a later address too" soon 60 covers 192.0.2.2
    check "the console tells that one" soon 10 tells_fingerprint
    check "and so does the journal" soon 10 journal_tells_fingerprint
    cp /usr/share/doc/signpost/examples/production.toml /etc/signpost/signpost.toml.d/
    looked "as for the field, without a password"
    check "which it says" grep -q "^note   login: no password is set" /root/looked
    rm /etc/signpost/signpost.toml.d/production.toml
}

tells_code() { journalctl --unit=signpost-setup-code.service --no-pager --output=cat | grep -qF "set-up code $(code)"; }
journal_tells_fingerprint() { journal --boot --output=cat | grep -qE "^no password is set: .*, certificate SHA-256 $(fingerprint)\$"; }
tells_fingerprint() { journalctl --unit=signpost-setup-code.service --no-pager --output=cat | grep '^certificate' | tail -n 1 | grep -qE "SHA-256 $(fingerprint)\$"; }
# covers ADDRESS: whether the certificate that callers are shown does.
covers() { openssl s_client -connect 127.0.0.1:443 </dev/null 2>/dev/null | openssl x509 -noout -ext subjectAltName | grep -qF "IP Address:$1"; }

# Of the certificate that callers are shown.
fingerprint() {
    openssl s_client -connect 127.0.0.1:443 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256 | cut -d= -f2
}

set_up() {
    local body right
    right=$(code)
    body='{"code":"%s","password":"%s","name":"front-door"}'
    check "a wrong code does not set it up" grep -q '"status":401' <(get --json "$(printf "$body" 0000-0000 "$password")" https://127.0.0.1/api/v1/setup)
    get --json "$(printf "$body" "$right" "$password")" https://127.0.0.1/api/v1/setup >/root/set-up
    check "the code sets it up" token_of </root/set-up
    check "with the name that was wished for" grep -qx front-door /etc/hostname
    check "and logs in" api --output /dev/null https://127.0.0.1/api/v1/me
    check "the code has ended" test ! -e /var/lib/signpost/setup-code
    check "and is not in the log of the page" test -z "$(api "https://127.0.0.1/api/v1/log" | grep -F "$right")"
    check "another password is set with a terminal" signpost password <<<"$password"
}

# looked WORDS: "signpost check" beside the service.
looked() {
    signpost check >/root/looked
    check "signpost check: it would run, $1" test $? = 0
    check "in these words" grep "^It would run" /root/looked
    check "with the service's addresses" grep -F "addresses: [::]:80, [::]:443 of signpost.socket" /root/looked
    check "beside it" grep "^ok     service: signpost.service runs" /root/looked
}

serves() {
    local took most=0 now
    printf '[http]\nplain = "view"\n[[camera]]\nsource = "demo"\n' >/etc/signpost/signpost.toml.d/demo.toml
    # The least of three: this machine may do other things at once.
    took=$(for _ in 1 2 3; do
        systemctl restart signpost.service
        started=$(property ExecMainStartTimestampMonotonic)
        ready=$(property ActiveEnterTimestampMonotonic)
        echo $(((ready - started) / 1000))
    done | sort -n | head -n 1)
    check "the service is active" is ActiveState active
    check "its status names the source" soon 10 status_says "demo clip"
    check "READY comes within 1500 ms: after $took" test "$took" -gt 0 -a "$took" -le 1500
    looked "with a password"

    check "memory is never writable and executable" is MemoryDenyWriteExecute yes
    check "its exposure is at most 1.5" systemd-analyze security --threshold=15 --no-pager signpost.service
    log_in
    (SIGNPOST_TOKEN=$(cat $token) signpost-visitor read http://192.0.2.1/ "HELLO WORLD" --seconds 240 >/root/read 2>&1; echo $? >/root/read.code) &
    while [ ! -f /root/read.code ]; do
        now=$(sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$(property MainPID)/status")
        [ "${now:-0}" -le "$most" ] || most=$now
        sleep 1
    done
    check "a peer decodes pictures and reads: $(tail -n1 /root/read)" test "$(cat /root/read.code)" = 0
    check "resident memory is at most 200 MB: $((most / 1024)) MB" test "$most" -gt 0 -a "$most" -le 204800

    check "the journal has SESSION" field SESSION
    check "the journal has REMOTE" field REMOTE
    check "the journal has CAMERA" field CAMERA
    check "the journal has MODEL" field MODEL
    check "what is signed is in no journal" test -z "$(journal --output=cat | grep -E 'signed|HELLO')"
}

names() { api --request PUT --json "{\"name\":\"$1\"}" https://127.0.0.1/api/v1/device/name; }

# What the service may ask of systemd and of avahi-daemon.
asks() {
    local name
    name=$(cat /etc/hostname)
    check "it reads its own journal" grep -q '"camera":"camera"' <(api "https://127.0.0.1/api/v1/log")
    [ ! -c /dev/kmsg ] || check "it reads the kernel's lines" grep -q '"message":"' <(api "https://127.0.0.1/api/v1/log?of=kernel")
    check "the device is found as $name.local" soon 10 getent hosts "$name.local"
    check "it names the device" names hall-door
    check "the name is the device's" grep -qx hall-door /etc/hostname
    check "it is found as hall-door.local at once" soon 5 getent hosts hall-door.local
    check "it is named so again" names hall-door
    check "the page is opened under it" grep -qE '"status":"(healthy|degraded)"' <(get --header "Host: hall-door.local" http://127.0.0.1/healthz)
    check "it sets the zone of the clock" api --request PUT --json '{"zone":"Europe/Berlin"}' https://127.0.0.1/api/v1/device/time
    check "which is the device's then" grep -q Europe/Berlin <(readlink /etc/localtime)
    check "a setting is stored" api --request PATCH --json '{"encoder":{"bitrate_kbps":1234}}' https://127.0.0.1/api/v1/config
}

falls() {
    local restarts
    restarts=$(property NRestarts)
    kill -STOP "$(property MainPID)"
    check "a program that stands still is restarted by the watchdog" soon 60 is NRestarts $((restarts + 1))
    check "and the journal says so" grep -q "Watchdog timeout" <(journal)
    check "and it is active again" soon 30 is ActiveState active
    kill -KILL "$(property MainPID)"
    check "a program that is killed is restarted" soon 30 is NRestarts $((restarts + 2))
    check "and is active again" soon 30 is ActiveState active
}

# bundle NAME VERSION: leaves one in /root/NAME and /root/NAME.tar.gz.
bundle() {
    rm -rf "/root/$1"
    cp -r /usr/share/signpost/models/fingerspelling "/root/$1"
    sed -i "s/^name = .*/name = \"$1\"/; s/^version = .*/version = \"$2\"/" "/root/$1/manifest.toml"
    tar -C "/root/$1" -czf "/root/$1.tar.gz" .
}
brings() { get --max-time 120 --header "Authorization: Bearer $(cat $token)" --data-binary "@/root/$1.tar.gz" https://127.0.0.1/api/v1/models; }
state_of() { api https://127.0.0.1/api/v1/models | grep -o "\"name\":\"$1\",\"version\":\"$2\".*" | grep -o '"state":"[a-z]*"' | head -n1; }
reads_with() { state_of "$@" | grep -qE 'active|trial'; }

# Bundles of others, tried in a process of its own under the unit's restrictions.
models() {
    bundle brought 1
    check "a bundle is good" signpost model check /root/brought
    check "it is brought" grep -q '"state":"stored"' <(brings brought)
    check "it is switched to" api --max-time 60 --request PUT --json '{"name":"brought"}' https://127.0.0.1/api/v1/models/active
    check "and reads" soon 10 reads_with brought 1
    bundle brought 2
    check "root gives the service another version" signpost model use /root/brought
    check "which reads" reads_with brought 2
    check "all of it is the service's" test -z "$(find /var/lib/signpost/models -not -user signpost)"
    head -c 50000 /root/brought/fingerspelling.tflite >/root/cut
    cp /root/cut /root/brought/fingerspelling.tflite
    sed -i "s/^\"fingerspelling.tflite\" = .*/\"fingerspelling.tflite\" = \"$(sha256sum </root/cut | cut -d' ' -f1)\"/" /root/brought/manifest.toml
    tar -C /root/brought -czf /root/brought.tar.gz .
    check "a cut-off model is refused" grep -q "not a good model" <(brings brought)
    check "the one before reads on" reads_with brought 2
}

# What an operator has set: the file of the package that was edited, the one beside it, and
# what the service keeps.
own() { sha256sum /etc/signpost/signpost.toml /etc/signpost/signpost.toml.d/demo.toml /var/lib/signpost/{password,overrides.toml}; }

upgrade() {
    local before
    echo "# of the operator" >>/etc/signpost/signpost.toml
    own >/root/own
    before=$(property InvocationID)
    check "an upgrade succeeds" dpkg --install /root/signpost.deb </dev/null
    check "and the service is active" soon 30 is ActiveState active
    check "started anew" test "$(property InvocationID)" != "$before"
    check "with the configuration, password and settings that it had" cmp /root/own <(own)
    log_in
    check "with the password that it had" api --output /dev/null https://127.0.0.1/api/v1/status
}

refused() { get http://127.0.0.1/; [ $? = 7 ]; }

# What a package leaves: files by their name or without an owner, the user, units.
left() {
    find / -xdev \( -name '*signpost*' -o -nouser -o -nogroup \) -not -path '/root/*' -not -path '/usr/local/*'
    getent passwd signpost
    getent group signpost
    systemctl list-units --all --no-legend --plain 'signpost*'
}

# One who was there before is no part of the package.
namesake() {
    useradd --no-create-home --comment "another one" signpost
    check "beside a user of its name it is installed" dpkg --install /root/signpost.deb
    check "and purged" dpkg --purge signpost
    check "that user stays" grep -q "another one" <(getent passwd signpost)
    check "and its group" getent group signpost
}

removal() {
    check "a removal succeeds" dpkg --remove signpost
    check "the service has ended" test "$(pgrep -cx signpost)" = 0
    check "nobody listens on port 80" soon 5 refused
    check "what was configured stays" cmp /root/own <(own)
    check "a purge succeeds" dpkg --purge signpost
    check "it leaves nothing: $(left)" test -z "$(left)"
}

card=/boot/firmware/signpost
fleet=0123456789abcdef0123456789abcdef
other="low-cloud-2958"

# What an integrator puts on the card.
set_up_data() {
    mkdir -p $card
    printf '[sessions]\nmax_viewers = 7\n' >$card/signpost.toml
    printf 'fleet operator %s\n' "$fleet" >$card/token
}
taken() {
    check "set-up data of the card is taken: $(ls $card)" test -z "$(ls $card)"
    check "its configuration counts" grep -q '"max_viewers":7' <(api https://127.0.0.1/api/v1/config)
    check "and its token" with "$fleet" 200
}
# with TOKEN STATUS: what it gets for an operator's route.
with() { test "$(get --output /dev/null --write-out '%{http_code}' --header "Authorization: Bearer $1" https://127.0.0.1/api/v1/config)" = "$2"; }

# The way back in of who has the card in his hand, and that nothing of before opens anything or
# is told by what leaves the device.
reset() {
    local before
    before=$(cat $token)
    touch $card/reset-password
    printf '7KQ2-M901\n' >$card/setup-code
    check "the password is reset by the card" systemctl restart signpost-provision.service signpost.service
    check "nothing of it stays there: $(ls $card)" test -z "$(ls $card)"
    check "the code is the card's" test "$(code)" = 7KQ2-M901
    check "a login of before has ended" with "$before" 401
    check "and so has a token" with "$fleet" 401
    get --json "{\"code\":\"7KQ2-M901\",\"password\":\"$other\"}" https://127.0.0.1/api/v1/setup | token_of
    check "the device is set up again" api --output /dev/null https://127.0.0.1/api/v1/users
    check "what was configured is as it was" grep -q '"max_viewers":7' <(api https://127.0.0.1/api/v1/config)
    check "the token of before does not come back" with "$fleet" 401
    api --max-time 60 --output /root/support.tar.gz https://127.0.0.1/api/v1/support-bundle
    tar -xzOf /root/support.tar.gz >/root/support
    check "the page's log is read" api --output /root/log "https://127.0.0.1/api/v1/log?lines=1000"
    cat /root/log >>/root/support
    check "the support bundle has the journal" grep -q "the device is set up" /root/support
    printf '%s\n' "$password" "$other" "$before" "$(cat $token)" "$fleet" 7KQ2-M901 HELLO >/root/secrets
    sed -n '/BEGIN PRIVATE/,/END PRIVATE/p' /var/lib/signpost/tls/{server.key,authority.pem} | grep -v -- - >>/root/secrets
    check "there are secrets to look for" test "$(wc -l </root/secrets)" -ge 13
    cat /var/lib/signpost/password >>/root/secrets
    check "no secret of before or after is in it: $(grep -oFf /root/secrets /root/support)" test -z "$(grep -oFf /root/secrets /root/support)"
    own >/root/own
    rm -r $card
}

first_boot() {
    check "the package is installed" dpkg --install /root/signpost.deb
    check "the service is active at once" soon 30 is ActiveState active
    check "it starts at boot" systemctl is-enabled signpost.service signpost.socket
    without_a_password
    set_up
    serves
    asks
    falls
    hang
    wrong_configuration
    killed_again_and_again
    upgrade
    log_in
    models
    set_up_data
    touch /root/restarted
    check "it restarts the device" api --request POST https://127.0.0.1/api/v1/device/restart
    sleep 60
    wrong "the device did not restart"
}

second_boot() {
    check "after a restart the service is active" soon 60 is ActiveState active
    check "with the configuration that it had" soon 10 status_says "demo clip"
    check "with the password that it had" log_in
    check "with the setting that was stored" grep -q '"bitrate_kbps":1234' <(api https://127.0.0.1/api/v1/config)
    taken
    check "with the model that it was given" soon 10 reads_with brought 2
    check "under the name that it was given" grep -qx hall-door /proc/sys/kernel/hostname
    local warnings
    journal --output=short-monotonic >/root/journal
    warnings=$(journal --priority=warning --boot --output=cat)
    check "nothing is to be warned of: $warnings" test -z "$warnings"
    check "no start waits for itself" test -z "$(journalctl --boot --output=cat | grep -i "ordering cycle")"
    reset
    removal
    namesake
}

if [ -e /root/restarted ]; then
    second_boot
    [ -e $failed ] || echo "all passed"
    systemctl --no-block poweroff
else
    first_boot
    journal --output=short-monotonic >/root/journal
    systemctl --no-block poweroff
fi
