# shellcheck shell=bash
# Sourced by quickstart.sh and test.sh: `rca_setup EXTRAS` makes .venv and installs the package with those extras.
# Quiet when there is nothing to do. RCA_PYTHON names the Python to use, RCA_VENV another place than .venv.

rca_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
rca_venv=${RCA_VENV:-$rca_root/.venv}

rca_fail() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  exit 2
}

rca_new_enough() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

rca_find_python() {
  if [ -n "${RCA_PYTHON:-}" ]; then
    rca_new_enough "$RCA_PYTHON" || rca_fail "RCA_PYTHON=$RCA_PYTHON is not Python 3.11 or later"
    printf '%s\n' "$RCA_PYTHON"
    return
  fi
  local candidate
  for candidate in python3 python3.11 python3.12 python3.13 python3.14 python; do
    if command -v "$candidate" >/dev/null 2>&1 && rca_new_enough "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  rca_fail "Python 3.11 or later is needed (found: $(python3 --version 2>&1 || true)); install it, or name it with RCA_PYTHON=/path/to/python3.11"
}

rca_make_venv() {
  local python
  python=$(rca_find_python) || exit 2
  "$python" -c 'import venv, ensurepip' 2>/dev/null ||
    rca_fail "$python has no venv module; on Debian and Ubuntu: apt install python3-venv"
  printf 'making %s with %s\n' "$rca_venv" "$("$python" --version)" >&2
  "$python" -m venv "$rca_venv" || rca_fail "could not make $rca_venv (see above); is the disk full or the directory read-only?"
}

# Room in KiB on the file system of the environment: 6 GiB hold torch with CUDA, 2 GiB the CPU build.
rca_check_disk() {
  local free
  free=$(df -Pk "$rca_root" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge 2500000 ] || rca_fail "only $((free / 1024)) MiB are free on the disk of $rca_root; the installation needs at least 2500"
}

rca_setup() {
  local extras=$1 stamp want
  [ "$(uname -s)" != Linux ] || extras=deepspeed${extras:+,$extras}
  stamp=$rca_venv/rca-installed-${extras//,/-}
  want=$(cat "$rca_root/pyproject.toml" "$rca_root/constraints.txt" | cksum)
  if [ -x "$rca_venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then
    return
  fi
  rca_check_disk
  if [ ! -x "$rca_venv/bin/python" ] || ! rca_new_enough "$rca_venv/bin/python"; then
    rca_make_venv
  fi
  printf 'installing rca_dist[%s] into %s (minutes the first time)\n' "$extras" "$rca_venv" >&2
  # torch first: DeepSpeed's build looks for it.
  "$rca_venv/bin/python" -m pip install --quiet --disable-pip-version-check -c "$rca_root/constraints.txt" torch ||
    rca_fail "pip could not install torch (see above); check network, proxy and disk, then start again"
  "$rca_venv/bin/python" -m pip install --quiet --disable-pip-version-check -c "$rca_root/constraints.txt" \
    -e "$rca_root${extras:+[$extras]}" ||
    rca_fail "pip could not install the package (see above); check network, proxy and disk, then start again"
  printf '%s\n' "$want" >"$stamp"
}
