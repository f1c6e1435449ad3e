#!/bin/sh
# The programs that tests start themselves and pip does not bring: Redis 7 or newer, PostgreSQL, and Chromium.
#
# Installs what is missing on Debian and Ubuntu, as root or where sudo asks for nothing; elsewhere says what to
# install. Nothing is started here: tests run servers of their own, on free ports and in temporary folders.
set -eu

POSTGRESQL=${POSTGRESQL:-/usr/lib/postgresql}       # Debian keeps its programs out of PATH
POLICY=${POLICY:-/usr/sbin/policy-rc.d}             # decides whether an installation starts what it installed

missing=""
command -v redis-server >/dev/null 2>&1 || missing="redis-server"
command -v initdb >/dev/null 2>&1 || ls "$POSTGRESQL"/*/bin/initdb >/dev/null 2>&1 ||
    missing="${missing:+$missing }postgresql"
command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 ||
    command -v google-chrome >/dev/null 2>&1 || missing="${missing:+$missing }chromium"
[ -n "$missing" ] || exit 0

give_up() {
    echo "tests need $missing: $1" >&2
    echo "install Redis 7 or newer, PostgreSQL 13 or newer and Chromium (macOS: brew install redis postgresql chromium)" >&2
    exit 1
}

command -v apt-get >/dev/null 2>&1 || give_up "there is no apt-get here to install it with"
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif sudo -n true >/dev/null 2>&1; then
    as_root="sudo -n"
else
    give_up "run tests/services.sh as root once"
fi

if [ ! -e "$POLICY" ]; then
    trap '$as_root rm -f "$POLICY"' EXIT
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$POLICY" >/dev/null
    $as_root chmod 755 "$POLICY"
fi

echo "installing $missing, which tests need"
apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300"
# shellcheck disable=SC2086  # both hold words
$apt update && $apt install -y --no-install-recommends $missing >/dev/null || give_up "apt-get could not install it"
