# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with dev
# Sourced by dev: the checks of the Debian packages, which are slow.

lintian_packages=(lintian)
piuparts_packages=(piuparts mmdebstrap)
emulator_packages=(qemu-user-static)
container_packages=(systemd-container mmdebstrap)

# A system to install the package in: for piuparts, and for a container with systemd.
# What the package depends on is in it, so that it is fetched once.
base_packages=(
    systemd-sysv dbus udev avahi-daemon polkitd libnss-mdns iproute2 curl ca-certificates
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
    gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-nice libgstreamer-plugins-bad1.0-0
)

# A stage that cannot run here: a person is told, and goes on; CI has no excuse.
left_out() {
    say "LEFT OUT: $1"
    [ -z "${CI:-}" ]
}

slow_stages=(package piuparts systemd arm64)

# Each in a process of its own: "set -e" does not hold within a function whose status is asked for.
slow_steps() {
    local stage
    for stage in "${slow_stages[@]}"; do
        step "$stage" timed "stage $stage" "$root/dev" test "$stage"
    done
}

# timed NAME COMMAND..: in a subshell of its own, whose status nobody asks for: within "||"
# and "if" what fails would go on.
timed() {
    local name=$1 begun=$SECONDS status
    shift
    set +e
    (
        set -e
        "$@"
    )
    status=$?
    set -e
    say "$name: $((SECONDS - begun)) s"
    return $status
}

# can_have COMMAND..: 1 where what it fetches cannot be had, which it says. What it sets is
# gone afterwards; a PATH too.
can_have() {
    ("$@") || return 1
}

# have_package ARCH: whether there is one. One that was made from other sources is not
# tried in place of these.
have_package() {
    local made
    made=$(made_from "$1")
    [ -n "$made" ] || return 1
    [ "$made" = "$(sources)" ] ||
        die "the package for $1 was made from other sources than these: run \"./dev package --arch $1\", then again"
}

package_stage() {
    local arch
    if ! can_have install_packages "${lintian_packages[@]}" || ! can_have need_package_tools "${package_arches[@]}"; then
        left_out "packages cannot be made here: see the line above"
        return
    fi
    need_rust
    need_runtime
    need_epoch
    arm64_folder
    for arch in "${package_arches[@]}"; do
        timed "package for $arch" make_package "$arch"
        report_package "$arch"
        check_contents "$arch"
        lint "$(package_of "$arch")"
    done
}

lint() {
    local options=()
    [ "$(id -u)" != 0 ] || options=(--allow-root)
    lintian "${options[@]}" --fail-on error,warning "$1"
    say "lintian has nothing against $(basename "$1")"
}

# check_contents ARCH: size, licences, no folder of this machine.
check_contents() {
    local program tree=$package_folder/check part
    rm -rf "$tree"
    dpkg-deb -x "$(package_of "$1")" "$tree"
    program=$tree/usr/bin/signpost
    [ "$(stat -c %s "$program")" -le 25000000 ] || die "the program is larger than 25 MB"
    for part in "$root" "$HOME/" "$cache"; do
        ! grep -rqF -- "$part" "$tree" || die "the package for $1 names $part: $(grep -rlF -- "$part" "$tree" | head -n3)"
    done
    grep -q "MediaPipe Authors" "$tree/usr/share/doc/signpost/copyright" || die "the copyright file is not ours"
    # Of crates, of the letters, of what is in the LiteRT library.
    for part in "Permission is hereby granted" "SIL OPEN FONT LICENSE" "For XNNPACK software" "Takuya OOURA"; do
        zgrep -q "$part" "$tree/usr/share/doc/signpost/third-party.txt.gz" || die "the licence texts lack \"$part\""
    done
    for part in NOTICE copyright third-party.txt.gz sbom.cdx.json changelog.gz; do
        [ -s "$tree/usr/share/doc/signpost/$part" ] || die "the package has no $part"
    done
    [ ! -e "$tree/usr/share/signpost/models/fingerspelling/train" ] || die "the package has the training code"
    rm -r "$tree"
}

# Leaves the tar file's name in "base".
need_base() {
    local list part
    list=$(printf '%s\n' 1 "${base_packages[@]}" | sha256sum)
    base=$cache/base/${list:0:16}.tgz
    [ ! -f "$base" ] || { touch "$base"; return 0; }
    alone "$cache/base"
    [ ! -f "$base" ] || return 0
    say "making a Debian 12 to install in, once"
    part=$cache/base/part.$$
    if bootstrap "$cache/base/base.log" --variant=minbase --dpkgopt=force-unsafe-io --include="$(IFS=,; printf '%s' "${base_packages[*]}")" |
        gzip -1 >"$part"; then
        mv "$part" "$base"
    else
        rm -f "$part"
        return 1
    fi
}

piuparts_stage() {
    local log=$cache/base/piuparts.log package
    have_package "$machine_arch" || { left_out "there is no package: run \"./dev package\""; return; }
    package=$(package_of "$machine_arch")
    [ "$(id -u)" = 0 ] || { left_out "piuparts needs root"; return; }
    if ! can_have install_packages "${piuparts_packages[@]}" || ! can_have timed "a Debian 12" need_base; then
        left_out "piuparts cannot run here: see the line above"
        return
    fi
    need_base
    if ! piuparts --basetgz "$base" --keep-sources-list --distribution bookworm --no-upgrade-test \
        --no-eatmydata --log-level info "$package" >"$log" 2>&1; then
        grep -E 'ERROR|FAIL|WARN' "$log" | head -n 30
        die "piuparts found something (all of it in $log)"
    fi
    tail -n1 "$log"
}

# Reads "system" and "log" of its caller. The kernel's lines are this machine's.
container() {
    local kernel=()
    [ ! -c /dev/kmsg ] || kernel=(--bind=/dev/kmsg --capability=CAP_SYSLOG)
    within 600 systemd-nspawn --quiet --directory="$system" --boot --private-network --register=no --keep-unit \
        ${kernel[@]+"${kernel[@]}"} </dev/null >>"$log" 2>&1
}

# The package under a systemd of its own, as PID 1 of a container without a network.
systemd_stage() {
    local package folder system log
    have_package "$machine_arch" || { left_out "there is no package: run \"./dev package\""; return; }
    package=$(package_of "$machine_arch")
    [ "$(id -u)" = 0 ] || { left_out "systemd-nspawn needs root"; return; }
    if ! can_have install_packages "${container_packages[@]}" || ! can_have timed "a Debian 12" need_base; then
        left_out "systemd cannot run here: see the line above"
        return
    fi
    [ -c /dev/kmsg ] || left_out "the kernel's lines cannot be read here: there is no /dev/kmsg"
    need_base
    prepare
    build --quiet --package signpost-visitor --package signpost-stuck
    folder=$(mktemp -d "$cache/base/systemd.XXXXXX")
    # shellcheck disable=SC2064 # of this folder
    trap "rm -rf '$folder'" EXIT
    system=$folder/system
    log=$folder/console
    mkdir "$system"
    tar -C "$system" -xzf "$base"
    cp "$package" "$system/root/signpost.deb"
    cp "$target/release/signpost-visitor" "$system/usr/local/bin/"
    cp "$target/release/libgststuck.so" "$system/root/"
    cp "$root/tests/package/inside.sh" "$system/root/"
    mkdir -p "$system/var/log/journal" "$system/etc/systemd/system/multi-user.target.wants"
    cat >"$system/etc/systemd/system/inside.service" <<'UNIT'
[Service]
Type=oneshot
TimeoutStartSec=infinity
ExecStart=/root/inside.sh
UNIT
    ln -s /etc/systemd/system/inside.service "$system/etc/systemd/system/multi-user.target.wants/"
    # Its child, forked at once, waits up to 5 s for the end of the boot (Type=idle) and keeps
    # its copies of systemd's sockets open until then, those of a removed package too.
    ln -s /dev/null "$system/etc/systemd/system/console-getty.service"
    container || { [ $? = 133 ] && container; } || true # 133: it is to be started again
    cat "$system/root/findings" || tail -n 20 "$log"
    if ! grep -qx "all passed" "$system/root/findings"; then
        say "the service's journal:"
        tail -n 60 "$system/root/journal" 2>/dev/null || tail -n 20 "$system/root/trace"
        return 1
    fi
}

# Leaves in "emulated" the command that runs the program of the package for arm64, with
# the package's own library and models.
need_emulated() {
    local system=$arm64/sysroot tree=$package_folder/arm64
    local plugins=$system/usr/lib/aarch64-linux-gnu/gstreamer-1.0 libraries=/usr/lib/aarch64-linux-gnu
    rm -rf "$tree"
    mkdir -p "$tree/state"
    dpkg-deb -x "$(package_of arm64)" "$tree"
    # The child with which GStreamer looks at plugins, and the program's own second start
    # with the allocators' settings, need a kernel that runs arm64 programs.
    emulated=(
        env GST_REGISTRY_FORK=no GST_REGISTRY="$tree/registry" GST_PLUGIN_SYSTEM_PATH_1_0="$plugins"
        G_SLICE=always-malloc MALLOC_ARENA_MAX=2 MALLOC_TRIM_THRESHOLD_=131072
        SIGNPOST_MODEL__RUNTIME="$tree/usr/lib/signpost/libLiteRt.so"
        SIGNPOST_MODEL__HANDS="$tree/usr/share/signpost/models/hands"
        SIGNPOST_MODEL__BUNDLE="$tree/usr/share/signpost/models/fingerspelling"
        STATE_DIRECTORY="$tree/state" SIGNPOST_HTTP__LISTEN=127.0.0.1:0
        qemu-aarch64-static -cpu cortex-a72 -L "$system"
        -E LD_LIBRARY_PATH="$libraries/blas:$libraries/lapack"
        "$tree/usr/bin/signpost"
    )
}

arm64_stage() {
    have_package arm64 || { left_out "there is no package: run \"./dev package\""; return; }
    [ "$machine" = x86_64 ] || { left_out "./dev test has run this machine's own program already"; return; }
    if ! can_have install_packages "${emulator_packages[@]}" || ! can_have need_cross arm64; then
        left_out "arm64 programs cannot run here: see the line above"
        return
    fi
    prepare
    arm64_folder
    need_emulated
    timed "signpost check on arm64" arm64_check
    timed "signpost read on arm64" arm64_read
    timed "an offer on arm64" arm64_offer
    rm -rf "$package_folder/arm64"
}

arm64_check() {
    local told=$package_folder/arm64/check
    within 300 "${emulated[@]}" check >"$told" 2>&1 || { cat "$told"; return 1; }
    tail -n5 "$told"
}

arm64_read() {
    local told
    # An emulated inference takes 2 s of a core in place of 7 ms: half of the pictures will
    # do, which is what the model needs, and both cores.
    told=$(SIGNPOST_MODEL__THREADS=2 within 1500 "${emulated[@]}" read --fps 15 "$package_folder/arm64/usr/share/signpost/models/fingerspelling/golden.mp4")
    [ "$told" = "HELLO WORLD" ] || { say "the golden clip reads as \"$told\""; return 1; }
}

# A viewer, not emulated, is shown pictures.
arm64_offer() {
    local folder=$package_folder/arm64 pid url="" status=0 left=1200
    build --quiet --package signpost-visitor
    "${emulated[@]}" run --open --source demo --listen 127.0.0.1:0 >"$folder/run" 2>"$folder/run.log" &
    pid=$!
    while [ -z "$url" ] && [ $left -gt 0 ] && kill -0 $pid 2>/dev/null; do
        sleep 0.1
        left=$((left - 1))
        url=$(sed -n 's/^listening //p' "$folder/run")
    done
    if [ -n "$url" ]; then
        within 180 "$target/release/signpost-visitor" watch "$url" --pictures 10 --seconds 120 >"$folder/seen" || status=1
        grep -E '"event":"(answered|first_picture|refused|failed)"' "$folder/seen" || true
        grep -q '"event":"first_picture"' "$folder/seen" || status=1
    else
        say "it does not listen"
        status=1
    fi
    kill $pid 2>/dev/null || true
    wait $pid || status=1
    [ $status = 0 ] || tail -n 20 "$folder/run.log"
    return $status
}
