#!/bin/sh
# `make test-modern`: the newer stack (Python 3.13, TFX 1.21), which needs a newer glibc than Debian 12's, tested in a
# Debian 13 in a folder of the user's cache. Exit status: 0 passed or skipped by name, 77 this user may not make such a
# folder here, else failed.
set -eu
project=$(cd "$(dirname "$0")/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tfx-efficientnet
root=$cache/debian-13
packages=ca-certificates,git,make,python3,python3-venv
# What the host's shell and make say of the host's own folders means nothing in the root.
# Without CI: its browser and the like would only repeat what this system's tests judge.
leave_out='-u CI -u PYTHONDONTWRITEBYTECODE -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u VIRTUAL_ENV -u XDG_CACHE_HOME -u TMPDIR'

# cannot STATUS WHY: ends with one line.
cannot() {
    echo "test-modern: $2; SKIP=modern leaves it out" >&2
    exit "$1"
}

if [ "${SKIP:-}" = modern ]; then
    echo "test-modern: skipped by name (SKIP=modern)"
    exit 0
fi
[ "$(id -u)" = 0 ] || cannot 77 "needs root, to make a Debian 13 in $root: run it with sudo"
unshare --mount --pid --fork true 2>/dev/null || cannot 77 "may not make namespaces here (unshare --mount --pid)"
mkdir -p "$cache"
exec 9>"$root.lock"
flock 9 # one run at a time, whichever checkout it comes from

# Made once, and again when it should hold other packages.
if [ "$(cat "$root/.complete" 2>/dev/null)" != "$packages" ]; then
    command -v debootstrap >/dev/null || cannot 1 "needs debootstrap: apt-get install debootstrap debian-archive-keyring"
    # The mirror that this Debian uses; "" is debootstrap's own, for other systems.
    mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v '^ *#' |
        grep -om1 'https\?://[^ ]*/debian/\?\( \|$\)') || mirror=
    echo "making a Debian 13 in $root"
    rm -rf "$root"
    # Named by its script, since older debootstraps do not know trixie.
    debootstrap --force-check-gpg --variant=minbase --include="$packages" trixie "$root" "${mirror% }" \
        /usr/share/debootstrap/scripts/sid >"$root.log" 2>&1 ||
        cannot 1 "debootstrap failed: $(tail -n 1 "$root.log") (all of it: $root.log)"
    echo "$packages" >"$root/.complete"
fi

# How this machine reaches the package index is the machine's matter: taken over at each run, as it is now.
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
    [ ! -e $file ] || cp -L $file "$root$file"
done
for folder in pip uv; do
    rm -rf "$root/root/.config/$folder"
    [ ! -d "$HOME/.config/$folder" ] || { mkdir -p "$root/root/.config" && cp -RL "$HOME/.config/$folder" "$root/root/.config/"; }
done

# The checkout as it is, edits included; of the last run only the environment and the lock's hash stay.
mkdir -p "$root/project"
find "$root/project" -mindepth 1 -maxdepth 1 ! -name .venv ! -name .uv -exec rm -rf {} +
rm -rf "$root/tmp" && mkdir -m 1777 "$root/tmp"
git -C "$project" ls-files -z --cached --others --exclude-standard >"$root/tmp/files"
tar -C "$project" --null --files-from="$root/tmp/files" --ignore-failed-read -cf - | tar -C "$root/project" -xf -

# Mounts live in a namespace that ends with the command, however it ends.
# shellcheck disable=SC2016,SC2086 # the script's $ are its own; leave_out is options
unshare --mount --pid --fork --kill-child sh -euc '
    root=$1 && shift
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    exec chroot "$root" "$@"
' sh "$root" env $leave_out HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin sh /project/tests/stacks/inside.sh "$@"
[ $# = 0 ] || exit 0

# The model that was pushed in there, asked by this system's stack.
if [ -x "$project/.venv/bin/python" ]; then
    cd "$project"
    env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -m tests.stacks.answers "$root/project/build/quickstart/served"
else
    echo "test-modern: its model was not asked by this system's stack, which make setup installs"
fi
