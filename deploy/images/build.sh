#!/usr/bin/env bash
# Images activity, activity-demo and activity-engine of the checked-out tree: `make images`.
#   BASE=IMAGE     glibc, with Python as python3 (IMAGE_PYTHON, 3.11); default: the Dockerfile's
#   PREFIX=local/  before each name; TAG: by default the version
# The wheels are fetched out here, by pip's own configuration, so no index stands in an image.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=.venv/bin/python
context=.state/images/context
version=$($python -c 'import importlib.metadata as m; print(m.version("activity-pipeline"))')
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
# One date for one commit, so that a build can be done again.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
image_python=${IMAGE_PYTHON:-3.11}
tag=${TAG:-$version}

say() { echo "images: $*" >&2; }

# Only what the lock files name, with their hashes; kept, because most of it stays the same.
fetch() { # LOCK FOLDER
  local stamp
  stamp="$2/.$(cat "$1" | sha256sum | cut -c1-16)-$image_python"
  [[ -e $stamp ]] && return
  say "fetching the wheels of $1"
  rm -rf "$2" && mkdir -p "$2"
  "$python" -m pip download --quiet --disable-pip-version-check --progress-bar off --require-hashes --only-binary=:all: \
    --python-version "$image_python" --dest "$2" --requirement "$1"
  touch "$stamp"
}

mkdir -p "$context"
fetch requirements.runtime.lock "$context/wheels"
fetch requirements.engine.lock "$context/engine"
rm -rf "$context/own" && mkdir "$context/own"
for folder in ingest .; do
  (cd "$folder" && "$OLDPWD/$python" -m hatchling build -t wheel -d "$OLDPWD/$context/own" >/dev/null) 2>/dev/null ||
    { say "the wheel of $folder was not built"; exit 1; }
done
cp deploy/images/Dockerfile requirements.runtime.lock requirements.engine.lock "$context/"
for target in ${IMAGES:-activity demo engine}; do
  name=${PREFIX:-}activity
  [[ $target == activity ]] || name+=-$target
  docker build ${BASE:+--build-arg "BASE=$BASE"} --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
    --build-arg "CREATED=$(date --utc --date "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" \
    --network none --quiet --target "$target" --tag "$name:$tag" "$context" >/dev/null
  say "$name:$tag, $(docker image inspect --format '{{.Size}}' "$name:$tag" | awk '{printf "%.0f MB", $1 / 1e6}')"
done
