# Makes .venv with what is asked for; sourced by start-data-maintenance.sh and run-tests.sh.
#
# ready_environment ROOT EXTRA... leaves ROOT/.venv with this project (editable) and those extras in it.  It asks
# the network only for what is not there yet or when pyproject.toml has changed: a second start works offline.
# shellcheck shell=bash

oldest="3.11"

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

# The first Python that is new enough.  A candidate is run, not only found: a version manager's shim may be empty.
find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c "import sys; sys.exit(sys.version_info < (${oldest/./, }))" >/dev/null 2>&1; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  fail "Python $oldest or newer is needed, and none was found (looked for python3 and python3.14 to python3.11)." \
    "Debian, Ubuntu: sudo apt-get install python3 python3-venv. If it lies elsewhere: PYTHON=/path/to/python3 $0"
}

make_environment() {
  local environment=$1 python version
  python=$(find_python)
  if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    fail "$python cannot make a virtual environment: its venv module is not installed." \
      "Debian, Ubuntu: sudo apt-get install python3-venv (or python$version-venv for a Python that is not the system's)."
  fi
  echo "Making a virtual environment in .venv with $("$python" --version)" >&2
  "$python" -m venv --clear "$environment" || fail "The virtual environment could not be made in $environment."
}

# What an extra in .venv was installed for: a changed pyproject.toml or a moved project makes it stale.
fingerprint() {
  printf '%s %s\n' "$(cksum <"$1/pyproject.toml")" "$1"
}

ready_environment() {
  local root=$1 environment="$1/.venv" wanted="" current extra
  shift
  [[ -x $environment/bin/python ]] || make_environment "$environment"
  current=$(fingerprint "$root")
  for extra in "$@"; do
    [[ -r $environment/.installed-$extra && $(<"$environment/.installed-$extra") == "$current" ]] || wanted=stale
  done
  [[ -n $wanted ]] || return 0
  "$environment/bin/python" -m pip --version >/dev/null 2>&1 || make_environment "$environment"
  wanted=$(IFS=,; printf '%s' "$*")
  echo "Installing data-maintenance[$wanted] (only the first time and when pyproject.toml changes)" >&2
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    --editable "${root}[$wanted]" || fail "pip could not install the packages; its message is above." \
    "Without a network: install once with one, or set PIP_INDEX_URL or PIP_FIND_LINKS to where packages are."
  for extra in "$@"; do
    printf '%s\n' "$current" >"$environment/.installed-$extra"
  done
}
