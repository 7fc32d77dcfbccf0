# Sourced by the other scripts: `setup EXTRAS` makes .venv with xdrought[EXTRAS], or does nothing when it is up to date.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}" MPLBACKEND=Agg
# Compiled modules are kept, in .venv and not in the tree: an import of everything takes 5 s of CPU and not 13.
unset PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX="$PWD/.venv/bytecode"
if [ -z "${XDROUGHT_DATA_DIR:-}" ] && [ -d ../shared/data ]; then
  export XDROUGHT_DATA_DIR="$PWD/../shared/data"
fi

stage() { printf '== %s\n' "$*"; }

setup() {
  local extras="$1" python="${PYTHON:-python3}" stamp wanted
  stamp=".venv/.installed-${extras//,/-}"
  wanted="$(cat pyproject.toml ci/constraints.txt | cksum) $("$python" --version) $PWD"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    stage "set-up: .venv is up to date"
    return
  fi
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "xdrought needs Python 3.11 or newer; found $("$python" --version). Set PYTHON=/path/to/python3." >&2
    exit 1
  fi
  stage "set-up: installing xdrought[$extras] into .venv (once; a few minutes)"
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  .venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-compile \
    --constraint ci/constraints.txt --editable ".[$extras]" || exit 1
  printf '%s' "$wanted" > "$stamp"
}
