#!/bin/sh
# Installs what is missing: the npm packages (a Node.js of the needed version among them) and, as root where apt-get exists, programs.
# `--build`: the npm packages alone; `--test`: also what the tests use. Does nothing, and says nothing, when all is there.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH"
export PATH

say() { printf 'setup: %s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}
is_root() { [ "$(id -u)" = 0 ]; }

install_npm_packages() {
  installed=node_modules/.package-lock.json
  if [ -e "$installed" ] && [ -z "$(find package-lock.json -newer "$installed")" ]; then return; fi
  command -v npm >/dev/null || fail 'npm is missing: install Node.js with npm (Debian: apt-get install nodejs npm)'
  say 'npm install'
  # Not `npm ci`, which removes what is there first, and with it the servers that were built for the tests. What the lock file says is installed all the same.
  npm install --no-save --no-audit --no-fund --loglevel=error
  # Should nothing have been missing.
  touch "$installed"
}

check_node() {
  version=$(node -p process.versions.node)
  [ "${version%%.*}" -ge 24 ] ||
    fail "needs Node.js 24 or newer, this is $version, and npm brought none along for $(uname -m)"
}

# program:package for each argument, or library.so.N:package
install_programs() {
  packages=
  for each in "$@"; do
    is_there "${each%%:*}" || packages="$packages ${each##*:}"
  done
  if [ -z "$packages" ]; then return; fi
  if ! is_root || ! command -v apt-get >/dev/null; then
    fail "missing programs, in Debian's packages:$packages (as root: apt-get install$packages)"
  fi
  say "apt-get install$packages"
  # The lists of a fresh system are empty, or too old.
  # shellcheck disable=SC2086
  apt_install $packages >/dev/null 2>&1 || { apt-get update -qq && apt_install $packages >/dev/null; }
}

is_there() {
  case "$1" in
    *.so.*) PATH="$PATH:/sbin:/usr/sbin" ldconfig -p | grep -qF "$1" ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

apt_install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; }

install_npm_packages
check_node
case "${1-}" in
  --build) ;;
  '')
    # Root mounts without it.
    is_root || install_programs fusermount3:fuse3
    ;;
  --test)
    install_programs fusermount3:fuse3 libfuse.so.2:libfuse2 rsync:rsync setfattr:attr setfacl:acl tar:tar zstd:zstd openssl:openssl \
      script:bsdutils setpriv:util-linux xz:xz-utils bzip2:bzip2 git:git \
      mkfs.ext4:e2fsprogs losetup:mount
    if [ -e scripts/s3-servers.ts ]; then node scripts/s3-servers.ts; fi
    ;;
  *) fail "unknown argument $1" ;;
esac
