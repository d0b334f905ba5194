# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with dev
# Sourced by dev: compiles for arm64 on amd64.
#
# Rust's own builds of the standard library for arm64 come from a server of rustup's;
# Debian's rustc-web has one in a package, and fits Debian's security support. It
# conflicts with other compilers, so its packages are unpacked into the cache folder.
# Everything that arm64 needs lies in one folder, named by a checksum of what it was asked
# for: another list gives another folder. It is made aside and renamed when it is whole.

arm64_tools=(mmdebstrap uidmap gcc-aarch64-linux-gnu libc6-dev-arm64-cross libedit2 libxml2 libz3-4)
arm64_packages=(
    libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libgstreamer-plugins-bad1.0-dev
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
    gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-nice
    libc6-dev libstd-rust-web-dev
)
rustc_packages=(rustc-web libstd-rust-web-1.96 libstd-rust-web-dev libllvm22)
arm64_release=1 # raise it when what is made of the lists changes

# The machine's own sources of Debian 12, as lines for another apt.
debian_sources() {
    # shellcheck disable=SC2016 # apt-get fills these in
    apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
        awk '$1 == "Debian" && $2 == "main" && $3 ~ /^bookworm/ && !seen[$4 $5]++ {
            print "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]", $4, $5, "main"
        }'
}

# bootstrap LOG ARGS..: mmdebstrap with the machine's sources; the tar file goes to standard
# output. As a tar file, so that it works for root and for others alike.
bootstrap() {
    local log=$1 sources
    shift
    sources=$(debian_sources)
    [ -n "$sources" ] || die "apt has no sources of Debian 12 (bookworm) here: run \"sudo apt-get update\", then again"
    if ! printf '%s\n' "$sources" | mmdebstrap --quiet --format=tar "$@" bookworm - - 2>"$log"; then
        say "mmdebstrap failed: $(grep -m1 '^E:' "$log" || tail -n1 "$log") (all of it in $log)" >&2
        return 1
    fi
}

# Leaves the folder's name in "arm64".
arm64_folder() {
    local list
    list=$(printf '%s\n' "$arm64_release" "${arm64_packages[@]}" "${rustc_packages[@]}" | sha256sum)
    arm64=$cache/arm64/${list:0:16}
}

make_arm64_sysroot() {
    mkdir "$1"
    bootstrap "$cache/arm64/sysroot.log" --arch=arm64 --variant=extract --skip=check/qemu \
        --include="$(IFS=,; printf '%s' "${arm64_packages[*]}")" |
        tar -x --no-same-owner -C "$1" --exclude='./dev/*' --exclude='./usr/share/doc' --exclude='./usr/share/man' \
            --exclude='./usr/share/locale' --exclude='./usr/share/icons' --exclude='./var/cache' --exclude='./var/lib/apt/lists'
}

# rustc with arm64's standard library beside its own. The two fit only in one version.
make_arm64_rustc() {
    local folder=$1 sysroot=$2 package log=$cache/arm64/rustc.log
    mkdir "$folder" "$folder/deb"
    (cd "$folder/deb" && apt-get download -q "${rustc_packages[@]}") >"$log" 2>&1 ||
        { say "apt could not fetch rustc-web: $(tail -n1 "$log")"; return 1; }
    for package in "$folder"/deb/*.deb; do
        dpkg-deb -x "$package" "$folder"
    done
    rm -r "$folder/deb"
    mv "$sysroot/usr/lib/rustlib/aarch64-unknown-linux-gnu" "$folder/usr/lib/rustlib/"
    cat >"$folder/rustc" <<'WRAPPER'
#!/bin/sh
here=$(dirname "$0")
LD_LIBRARY_PATH=$here/usr/lib:$here/usr/lib/x86_64-linux-gnu exec "$here/usr/bin/rustc" "$@"
WRAPPER
    chmod 755 "$folder/rustc"
    if ! printf 'pub fn f() {}\n' | "$folder/rustc" --target aarch64-unknown-linux-gnu --crate-type rlib -o "$folder/try.rlib" - >>"$log" 2>&1; then
        say "rustc-web and its library for arm64 are of two versions: run \"sudo apt-get update\", then again (more in $log)"
        return 1
    fi
    rm "$folder/try.rlib"
}

# alone FOLDER: waits until no other ./dev makes something in this folder of the cache, and
# takes away what an interrupted one has left there, and what nobody has used for a month.
alone() {
    local lock
    mkdir -p "$1"
    exec {lock}>"$1/lock"
    flock "$lock"
    rm -rf "$1"/part.*
    find "$1" -mindepth 1 -maxdepth 1 ! -name lock -mtime +30 -exec rm -rf {} +
}

# Says why not and returns 1 where it cannot be had.
need_arm64() {
    local part
    arm64_folder
    [ ! -d "$arm64" ] || { touch "$arm64"; return 0; }
    alone "$cache/arm64"
    [ ! -d "$arm64" ] || return 0
    say "fetching the arm64 compiler and libraries, some 3 minutes, once"
    part=$(mktemp -d "$cache/arm64/part.XXXXXX")
    if make_arm64_sysroot "$part/sysroot" && make_arm64_rustc "$part/rustc" "$part/sysroot"; then
        chmod 755 "$part"
        mv "$part" "$arm64"
    else
        rm -rf "$part"
        return 1
    fi
}

# with_arm64 COMMAND..: cargo compiles for arm64 in it, see "compile" in package.sh.
with_arm64() {
    local system=$arm64/sysroot
    local libraries=$system/usr/lib/aarch64-linux-gnu
    env RUSTC="$arm64/rustc/rustc" \
        PKG_CONFIG_ALLOW_CROSS=1 PKG_CONFIG_SYSROOT_DIR="$system" \
        PKG_CONFIG_LIBDIR="$libraries/pkgconfig:$system/usr/share/pkgconfig" \
        CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
        RUSTFLAGS="$RUSTFLAGS -Clink-arg=--sysroot=$system -Clink-arg=-Wl,-rpath-link=$libraries:$libraries/pulseaudio" \
        "$@"
}
