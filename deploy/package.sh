#!/usr/bin/env bash
# Builds pcim and packs it: a tar with the program, its manual pages and completions, and a Debian package of the same.
#
#   deploy/package.sh [FOLDER]        into target/packages, or FOLDER
#
# The program needs the C library of the machine that it was built on, or a newer one: build on the oldest system that it is for.
# PCIM_PACKAGE_PROFILE names another profile than `release`, to try this script without waiting. CI does not run it.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${PCIM_PACKAGE_PROFILE:-release}
out=${1:-target/packages}
case $profile in dev) built=target/debug ;; *) built=target/$profile ;; esac

cargo build --locked --package pcim --bin pcim --profile "$profile"

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
umask 022
root=$stage/root
install -Dm755 "$built/pcim" "$root/usr/bin/pcim"
strip "$root/usr/bin/pcim"
pcim=$root/usr/bin/pcim

"$pcim" man --out "$stage/man" >/dev/null
install -d "$root/usr/share/man/man1"
for page in "$stage"/man/*.1; do
    gzip -9nc "$page" >"$root/usr/share/man/man1/$(basename "$page").gz"
done
completions=$root/usr/share
install -d "$completions/bash-completion/completions" "$completions/zsh/vendor-completions" "$completions/fish/vendor_completions.d"
"$pcim" completions bash >"$completions/bash-completion/completions/pcim"
"$pcim" completions zsh >"$completions/zsh/vendor-completions/_pcim"
"$pcim" completions fish >"$completions/fish/vendor_completions.d/pcim.fish"
install -Dm644 LICENSE "$root/usr/share/doc/pcim/copyright"
"$pcim" --version >"$root/usr/share/doc/pcim/version"

version=$("$pcim" --version | sed -n 's/^pcim //p')
commit=$("$pcim" --version | sed -n 's/^commit *//p')
# A later package of the same version is newer by the commit's time.
version=$version+$(git log -1 --format=%cd --date=format:%Y%m%d%H%M%S).${commit:0:12}
machine=$(dpkg --print-architecture)
# The newest version of the C library that a symbol of the program wants.
libc=$(objdump -T "$pcim" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)

install -d "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<CONTROL
Package: pcim
Version: $version
Architecture: $machine
Maintainer: PCIM
Installed-Size: $(du -ks "$root/usr" | cut -f 1)
Depends: libc6 (>= ${libc#GLIBC_}), libgcc-s1
Section: science
Priority: optional
Description: Medical images that belong to the patient
 A radiologist seals an image to its patient; the patient registers it on a
 chain and decides who may open it; a requestor asks, fetches and opens.
 Images lie encrypted in IPFS, decisions on the chain.
CONTROL

mkdir -p "$out"
name=pcim_${version}_$machine
dpkg-deb --root-owner-group --build "$root" "$out/$name.deb" >/dev/null
rm -r "$root/DEBIAN"
tar --owner=0 --group=0 --sort=name -C "$root" -czf "$out/$name.tar.gz" usr
(cd "$out" && sha256sum "$name.deb" "$name.tar.gz" | tee "$name.sha256")
