# Sourced by ci/test behind ci/tools.sh: finds or installs the programs that our
# tests put us under in the place of sops, or compare us with.

need node nodejs npm npm make make direnv direnv strace strace

# Programs of others that call sops, and Node's dotenv, the other opinion on what
# a dotenv file means; and a validator for our JSON schemas.
LEAFLOCK_TEST_NODE="$tools/node-1/node_modules"
if [ ! -d "$LEAFLOCK_TEST_NODE/sops-wrapper" ]; then
  echo 'installing dotenv and sops-wrapper for node'
  rm -rf "$tools/node-1"
  npm install --silent --no-save --no-audit --no-fund --ignore-scripts --prefix "$tools/node-1" \
    dotenv@16.6.1 sops-wrapper@1.0.0 execa@5.1.1 js-yaml@4.3.2
fi
LEAFLOCK_TEST_PYTHON="$tools/python-1"
if [ ! -d "$LEAFLOCK_TEST_PYTHON/sopsy" ] || [ ! -d "$LEAFLOCK_TEST_PYTHON/fastjsonschema" ]; then
  python3 -m pip --version >/dev/null 2>&1 || need pip3 python3-pip
  echo 'installing sopsy, sops-wrapper and fastjsonschema for python'
  rm -rf "$LEAFLOCK_TEST_PYTHON"
  python3 -m pip install --quiet --disable-pip-version-check --no-warn-script-location --root-user-action=ignore \
    --no-deps --target "$LEAFLOCK_TEST_PYTHON" sopsy==1.3.0 PyYAML==6.0.3 sops-wrapper==0.1.1 ruamel.yaml==0.19.1 \
    fastjsonschema==2.22.3
fi
export LEAFLOCK_TEST_NODE LEAFLOCK_TEST_PYTHON
