# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with dev
# Sourced by dev: builds the Debian packages. See README.md beside this file.

cargo_tools=(cargo-auditable@0.7.7 cargo-cyclonedx@0.5.9 cargo-deb@3.8.0)
package_folder=$root/target/package # as the assets in Cargo.toml name it
case $machine in
aarch64) machine_arch=arm64 ;;
*) machine_arch=amd64 ;;
esac

# Unoptimised, they compile in a third of the time, and they work for seconds only.
need_cargo_tools() {
    local tool
    for tool in "${cargo_tools[@]}"; do
        [ ! -f "$cache/tools/$tool" ] || continue
        say "installing $tool"
        CARGO_TARGET_DIR=$cache/tools/target CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
            cargo install --quiet --locked --force --no-default-features --root "$cache/tools" "$tool" ||
            die "cargo could not install $tool: check the network, then run again"
        touch "$cache/tools/$tool"
    done
    rm -rf "$cache/tools/target"
}

# triple ARCH
triple() {
    case $1 in
    amd64) echo x86_64-unknown-linux-gnu ;;
    arm64) echo aarch64-unknown-linux-gnu ;;
    *) die "packages are made for amd64 and arm64, not for $1" ;;
    esac
}

# compile ARCH FOLDER: the stripped program is FOLDER/TRIPLE/deb/signpost. No path of
# this machine stands in it, so that two checkouts give the same file. cargo auditable puts
# the list of crates into it, for scanners.
compile() {
    local arch=$1 folder=$2 with=()
    [ "$arch" = "$machine_arch" ] || with=(with_arm64)
    (
        cd "$root"
        export CARGO_INCREMENTAL=0
        export RUSTFLAGS="--remap-path-prefix=$root=/signpost --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
        unset CARGO_ENCODED_RUSTFLAGS
        "${with[@]}" env PATH="$cache/tools/bin:$PATH" cargo auditable build --locked --quiet --profile deb --package signpost --bin signpost \
            --target "$(triple "$arch")" --target-dir "$folder"
    ) || die "the build for $arch failed: the compiler says why above"
}

# litert ARCH: leaves the LiteRT library in the cache, where ./dev run has its own kind's.
litert() {
    local kind library=$cache/litert/$1/libLiteRt.so
    case $1 in
    amd64) kind=x86_64 ;;
    arm64) kind=aarch64 ;;
    esac
    pin_litert "$kind"
    fetch_litert "$kind" "$library"
}

# papers ARCH FOLDER: copyright, licence texts, list of parts, changelog and manual.
papers() {
    local arch=$1 folder=$2 documents=$2/usr/share/doc/signpost copy=$package_folder/copy
    local hands=$folder/usr/share/signpost/models/hands papers=$root/systemd/debian/papers.py
    mkdir -p "$documents" "$folder/usr/share/man/man8"
    cargo metadata --manifest-path "$root/Cargo.toml" --locked --format-version 1 --filter-platform "$(triple "$arch")" \
        >"$package_folder/metadata.json"
    python3 "$papers" copyright "$package_folder/metadata.json" >"$documents/copyright"
    python3 "$papers" traces "$root/systemd/debian/notices/litert.txt" "$folder/usr/lib/signpost/libLiteRt.so" "$arch"
    python3 "$papers" licences "$package_folder/metadata.json" "$root/systemd/debian/notices" |
        gzip -9n >"$documents/third-party.txt.gz"
    gzip -9nc "$root/systemd/debian/changelog" >"$documents/changelog.gz"
    gzip -9nc "$root/systemd/debian/signpost.8" >"$folder/usr/share/man/man8/signpost.8.gz"
    # It writes beside every Cargo.toml of the workspace: in a copy, then.
    rm -rf "$copy"
    mkdir "$copy"
    tar -C "$root" --exclude=node_modules -c Cargo.toml Cargo.lock src tests | tar -C "$copy" -x
    (cd "$copy" && env PATH="$cache/tools/bin:$PATH" cargo cyclonedx --quiet --format json --spec-version 1.5 \
        --target "$(triple "$arch")" --override-filename sbom)
    python3 "$papers" sbom "$copy/sbom.json" "$package_folder/metadata.json" "$copy" "$SOURCE_DATE_EPOCH" \
        libLiteRt.so 2.1.6 "$folder/usr/lib/signpost/libLiteRt.so" https://github.com/google-ai-edge/LiteRT \
        palm_detection_full.tflite 0.10.21 "$hands/palm_detection_full.tflite" https://github.com/google-ai-edge/mediapipe \
        hand_landmark_full.tflite 0.10.21 "$hands/hand_landmark_full.tflite" https://github.com/google-ai-edge/mediapipe \
        >"$documents/sbom.cdx.json"
    rm -r "$copy"
}

# gather ARCH FOLDER: the files that Cargo.toml's assets name, from the program in FOLDER.
gather() {
    local arch=$1 program tree=$package_folder/tree
    program=$2/$(triple "$arch")/deb/signpost
    rm -rf "$tree" "$package_folder/scripts"
    mkdir -p "$tree/usr/bin" "$tree/usr/lib/signpost" "$tree/usr/share/signpost/models/hands"
    cp "$program" "$tree/usr/bin/"
    cp "$cache/litert/$arch/libLiteRt.so" "$tree/usr/lib/signpost/"
    cp "$cache/hands/"{palm_detection_full,hand_landmark_full}.tflite "$tree/usr/share/signpost/models/hands/"
    cp -r "$root/systemd/debian/scripts" "$package_folder/scripts"
    papers "$arch" "$tree"
}

# The time of the commit stands in the package, not that of the build.
need_epoch() {
    [ -z "${SOURCE_DATE_EPOCH:-}" ] || return 0
    SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct 2>/dev/null) || SOURCE_DATE_EPOCH=0
    export SOURCE_DATE_EPOCH
}

# need_package_tools ARCH..: everything that "make_package" works with; 1 where it cannot be had.
need_package_tools() {
    local arch
    install_packages "${run_packages[@]}" git dpkg-dev
    need_rust
    need_runtime
    need_cargo_tools
    need_epoch
    for arch in "$@"; do
        litert "$arch"
        [ "$arch" = "$machine_arch" ] || need_cross "$arch" || return 1
    done
}

need_cross() {
    [ "$1 $machine" = "arm64 x86_64" ] || { say "packages for $1 are not made on $machine"; return 1; }
    install_packages "${arm64_tools[@]}"
    need_arm64
}

# A checksum of everything that a package is made from.
sources() {
    local parts=(Cargo.lock Cargo.toml LICENSE NOTICE dev models pipelines src systemd)
    tar -C "$root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=a=rX \
        --exclude=__pycache__ -c "${parts[@]}" | sha256sum | cut -d' ' -f1
}

# made_from ARCH: what "sources" was for its package; nothing where there is none.
made_from() {
    local found=("$package_folder/signpost_"*"_$1.deb")
    [ ! -f "${found[0]}" ] || cat "$package_folder/sources_$1" 2>/dev/null || echo "unknown"
}

# make_package ARCH: leaves target/package/signpost_VERSION_ARCH.deb.
make_package() {
    local arch=$1 from
    from=$(sources)
    compile "$arch" "$package_folder/build"
    gather "$arch" "$package_folder/build"
    rm -f "$package_folder/signpost_"*"_$arch.deb" "$package_folder/sources_$arch"
    (cd "$root" && "$cache/tools/bin/cargo-deb" --quiet --no-build --no-strip --locked --package signpost \
        --target "$(triple "$arch")" --output "$package_folder/") || die "cargo-deb failed: it says why above"
    printf '%s\n' "$from" >"$package_folder/sources_$arch"
}

# package_of ARCH
package_of() {
    local found=("$package_folder/signpost_"*"_$1.deb")
    [ -f "${found[0]}" ] || die "there is no package for $1: run \"./dev package\""
    printf '%s\n' "${found[0]}"
}

# The release check: two builds from nothing give the same program. Each is of a copy of its
# own of these sources, in a folder of another name and depth.
twice() {
    local arch=$1 folder place sums=()
    folder=$(mktemp -d "$cache/twice.XXXXXX")
    say "building for $arch twice from nothing"
    mkdir -p "$folder/one" "$folder/the/other/one"
    tar -C "$root" --exclude=./target --exclude=node_modules --exclude=./.git -c . | tar -C "$folder/one" -x
    cp -a "$folder/one/." "$folder/the/other/one/"
    for place in one the/other/one; do
        root=$folder/$place compile "$arch" "$folder/$place/target"
        sums+=("$(sha256sum <"$folder/$place/target/$(triple "$arch")/deb/signpost")")
    done
    [ "${sums[0]}" = "${sums[1]}" ] || die "two builds for $arch differ; they are kept in $folder"
    rm -rf "$folder"
    say "two builds for $arch are identical: sha256 ${sums[0]%% *}"
}

# The kinds that are made on this machine.
package_arches=(amd64 arm64)
[ "$machine" = x86_64 ] || package_arches=(arm64)

package() {
    local arches=("${package_arches[@]}") arch again=
    while [ $# -gt 0 ]; do
        case $1 in
        --arch)
            arches=("${2:?amd64 or arm64}")
            triple "$2" >/dev/null
            shift
            ;;
        --twice) again=yes ;;
        *) die "./dev package takes --arch amd64|arm64 and --twice, not $1" ;;
        esac
        shift
    done
    need_package_tools "${arches[@]}" || die "the line above says what is missing"
    for arch in "${arches[@]}"; do
        if [ -n "$again" ]; then twice "$arch"; else make_package "$arch"; fi
    done
    [ -z "$again" ] || return 0
    for arch in "${arches[@]}"; do
        report_package "$arch"
    done
}

report_package() {
    local file program
    program=$package_folder/build/$(triple "$1")/deb/signpost
    file=$(package_of "$1")
    say "$file: $(megabytes "$file") MB; the program in it $(megabytes "$program") MB"
}

megabytes() {
    local bytes
    bytes=$(stat -c %s "$1")
    printf '%d.%02d\n' $((bytes / 1000000)) $((bytes % 1000000 / 10000))
}
