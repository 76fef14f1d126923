# Sourced by scripts/mien and scripts/test: finds Python, makes .venv beside the checkout, keeps it current.
# Expects $checkout to be the checkout's folder.

say() { printf '%s\n' "$*" >&2; }

# The programs of the environment: .venv/bin, or .venv/Scripts where Windows made it.
programs() { if [ -d "$checkout/.venv/Scripts" ]; then echo "$checkout/.venv/Scripts"; else echo "$checkout/.venv/bin"; fi; }

# A Python that is new enough and can make environments; $MIEN_PYTHON first, where it is set.
find_python() {
  local name
  for name in ${MIEN_PYTHON:+"$MIEN_PYTHON"} python3 python3.13 python3.12 python3.11 python; do
    if "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      echo "$name"
      return
    fi
  done
  say "mien needs Python 3.11 or later with its venv module, and found none." \
    "Install it (on Debian and Ubuntu: apt-get install python3 python3-venv), or name one in MIEN_PYTHON."
  return 1
}

# What an installation depends on, as one line: while it is unchanged nothing is installed and no network is touched.
fingerprint() { echo "$1 $checkout $(cksum <"$checkout/pyproject.toml")"; }

# current NAME EXTRAS: is that installation made and complete?
current() { [ -x "$(programs)/python" ] && [ "$(cat "$checkout/.venv/.installed-$1" 2>/dev/null)" = "$(fingerprint "$2")" ]; }

# Can the environment be built upon? Not if it is absent, was left half made, or was made in another place.
sound() {
  [ ! -e "$checkout/.venv/.installing" ] &&
    [ "$(cat "$checkout/.venv/.made-at" 2>/dev/null || echo "$checkout")" = "$checkout" ] &&
    "$(programs)/python" -m pip --version >/dev/null 2>&1
}

make_environment() {
  local python
  python="$(find_python)" || return 1
  say "Making $checkout/.venv and installing mien$1 there; this happens once and takes a minute or more ..."
  "$python" -m venv --clear "$checkout/.venv" >&2 || return 1
  echo "$checkout" >"$checkout/.venv/.made-at"
}

# ensure NAME EXTRAS: brings .venv up to date with mien and "" or "[dev,train]", quietly.
# The stamp is written last, and a marker stands while pip works: an installation killed half way is made anew.
ensure() {
  current "$1" "$2" && return
  if command -v flock >/dev/null 2>&1; then # of two first calls at once the second waits, and finds the work done
    exec 9<"$checkout/pyproject.toml"
    flock 9
    if current "$1" "$2"; then exec 9<&-; return; fi
  fi
  trap 'exit 130' INT TERM
  if sound; then say "Bringing $checkout/.venv up to date for mien$2 ..."; else make_environment "$2" || return 1; fi
  : >"$checkout/.venv/.installing"
  if ! "$(programs)/python" -m pip --disable-pip-version-check install -qq --editable "$checkout$2" >&2; then
    rm -f "$checkout/.venv/.installing"
    say "The installation failed; what pip said stands above. Mend that and run the same command again."
    return 1
  fi
  fingerprint "$2" >"$checkout/.venv/.installed-$1"
  rm -f "$checkout/.venv/.installing"
  trap - INT TERM
  if command -v flock >/dev/null 2>&1; then exec 9<&-; fi
}
