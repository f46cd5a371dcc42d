#!/usr/bin/env bash
# Plays the notebooks on a machine that has nothing but Python 3.11 or newer.
#
#   ./run_all.sh            every notebook          ./run_all.sh 5 7    two of them
#   ./run_all.sh --quick    only the rows that the choice of each notebook needs
#   ./run_all.sh --test     the tests               ./run_all.sh --test tests/commands/test_app.py    some of them
#   ./run_all.sh --test --changed    the tests; of whole notebooks those that a change since main reaches
#
# Uses the active virtual environment, else makes .venv here. Outputs lie in outputs/taskN.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if [ "${1:-}" = "--help" ] || [ "${1:-}" = "-h" ]; then
  sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
  exit 0
fi

is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() { # the versions with most tests first, then any newer one
  for name in python3.13 python3.12 python3.11 python3.14 python3 python python3.{15..29}; do
    if command -v "$name" >/dev/null && is_recent "$name"; then
      echo "$name"
      return
    fi
  done
  echo "run_all.sh needs Python 3.11 or newer, and finds none. Install it, then run this again." >&2
  exit 1
}

prepare_environment() {
  if [ -n "${VIRTUAL_ENV:-}${CONDA_PREFIX:-}" ]; then
    environment=${VIRTUAL_ENV:-$CONDA_PREFIX}
    if ! is_recent python; then
      echo "The active environment ($environment) has no Python 3.11 or newer; leave it, then run this again." >&2
      exit 1
    fi
    return
  fi
  environment=$PWD/.venv
  if [ ! -x "$environment/bin/python" ]; then
    local python
    python=$(find_python)
    if ! "$python" -m venv "$environment"; then
      rm -rf "$environment"
      echo "Making a virtual environment failed. On Debian and Ubuntu: apt install python3-venv." >&2
      exit 1
    fi
  fi
  export PATH="$environment/bin:$PATH"
}

cpu_torch=https://download.pytorch.org/whl/cpu # torch without CUDA, a tenth of the size

wants_cpu_torch() { # on Linux without an NVIDIA card, if the builds are in reach and torch is not here yet
  [ "$(uname -s 2>/dev/null)" = Linux ] && ! command -v nvidia-smi >/dev/null &&
    ! python -c "import torch" >/dev/null 2>&1 &&
    python -c "import urllib.request as web; web.urlopen('$cpu_torch/torch/', timeout=5)" >/dev/null 2>&1
}

shown() { # run a command, its output in the log and, on a terminal, on the screen as well
  if [ -t 1 ]; then "$@" 2>&1 | tee -a "$log"; else "$@" >>"$log" 2>&1; fi
}

install() { # $1: "" or "[test]"
  local stamp="$environment/.neoai-installed" log="$environment/neoai-install.log" want
  want=$(cat requirements.txt pyproject.toml | cksum)"$PWD$1"
  if [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then
    return
  fi
  echo "Installing into $environment: a few minutes, once (log: $log)"
  rm -f "$log"
  local installer=(python -m pip install --disable-pip-version-check)
  if command -v uv >/dev/null; then installer=(uv pip install --python "$environment/bin/python"); fi
  if wants_cpu_torch; then
    shown "${installer[@]}" torch torchvision --index-url "$cpu_torch" || true # else the next line takes what there is
  fi
  # a machine whose settings only pip knows: uv fails there
  if ! shown "${installer[@]}" -e ".$1" && ! shown python -m pip install --disable-pip-version-check -e ".$1"; then
    tail -n 20 "$log" >&2
    echo "The installation failed; the lines above say why." >&2
    exit 1
  fi
  echo "$want" >"$stamp"
}

exec 9>.run_all.lock # several runs at once: one installs, the others wait
if command -v flock >/dev/null; then flock 9; fi
prepare_environment
if [ "${1:-}" = "--test" ]; then
  shift
  install "[test]"
  exec 9>&-
  ruff check .
  ruff format --check .
  mypy
  if [ $# -gt 0 ] && [ "$*" != "--changed" ]; then
    exec python -m pytest "$@"
  fi
  OMP_NUM_THREADS=1 python -m pytest -m "not story" --numprocesses 2 --dist loadfile # two at once, a core each
  exec python -m pytest -m story --numprocesses 2 --dist loadscope "$@"              # whole notebooks and their uploads
fi
install ""
exec 9>&-
exec python -m neoai_utils.commands.app run "$@"
