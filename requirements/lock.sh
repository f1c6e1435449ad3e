#!/usr/bin/env bash
# Writes cpu.txt, cuda.txt (what Pith runs on), otel.txt (what its extra `otel` needs besides), dev.txt (what checks and
# tests need besides), llmlingua.txt (the package that fidelity compat is compared with, and what it needs beside
# cpu.txt), sdk-suite.txt (the official SDK and what its own tests need), clients*.txt (clients that are tested with Pith)
# and oracle.txt (a library of statistics that ours are compared with), each in an environment of its own.
#
# One resolution for every platform and Python from 3.11 on, of releases uploaded before the date below:
# the same date gives the same files; move it to upgrade. The CPU lock is the CUDA lock without what only
# the CUDA build of torch needs, so both agree on everything else. Both builds of torch carry the same version:
# the CPU lock must list no hash of the CUDA build, because pip prefers a listed file of an index to an
# equally listed file of a wheel folder, whose hash it cannot know beforehand.
set -euo pipefail
cd "$(dirname "$0")/.."

before=${LOCK_BEFORE:-2026-11-12}
uv=${UV:-.venv/bin/uv}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compile() { # compile OUTPUT ARGUMENT…: one lock, without a word about where it was made
    "$uv" pip compile --quiet --no-config --universal --python-version 3.11 --fork-strategy fewest \
        --exclude-newer "$before" --generate-hashes --no-header --no-annotate --output-file "$@"
}

echo "locking releases uploaded before $before"
compile "$work/cuda.txt" pyproject.toml
grep -oE '^(cuda|nvidia|triton)[a-z0-9-]*' "$work/cuda.txt" >"$work/cuda-only.txt"
compile "$work/cpu.txt" pyproject.toml --constraints "$work/cuda.txt" --excludes "$work/cuda-only.txt"
compile "$work/dev.txt" --group dev --constraints "$work/cpu.txt"
grep -oE '^[a-z0-9-]+==' "$work/cpu.txt" | sed 's/==//' >"$work/cpu-names.txt"
compile "$work/otel.txt" pyproject.toml --extra otel --constraints "$work/dev.txt" --excludes "$work/cpu-names.txt"
echo 'llmlingua==0.2.2' >"$work/llmlingua.in"
compile "$work/llmlingua.txt" "$work/llmlingua.in" --constraints "$work/cpu.txt" --excludes "$work/cpu-names.txt"
printf '%s\n' 'openai[aiohttp,realtime]==3.3.1' pytest pytest-asyncio pytest-xdist inline-snapshot rich trio >"$work/sdk.in"
compile "$work/sdk-suite.txt" "$work/sdk.in"
printf '%s\n' anthropic langchain-anthropic langchain-openai litellm llama-index-llms-openai mcp >"$work/clients.in"
compile "$work/clients.txt" "$work/clients.in"
echo 'openai>=3,<4' >"$work/clients-openai-3.in"
compile "$work/clients-openai-3.txt" "$work/clients-openai-3.in"
grep -ohE '^[a-z0-9-]+==' "$work/cpu.txt" "$work/dev.txt" | sed 's/==//' | sort -u >"$work/dev-names.txt"
echo 'tea-tasting==1.14.0' >"$work/oracle.in"
compile "$work/oracle.txt" "$work/oracle.in" --constraints "$work/cpu.txt" --constraints "$work/dev.txt" \
    --excludes "$work/dev-names.txt"

torch=$(sed -n 's/^torch==\([^ ]*\).*/\1/p' "$work/cpu.txt")
grep -q " torch-$torch+cpu-" requirements/torch-cpu.sha256 || {
    echo "requirements/torch-cpu.sha256 has no wheel of torch $torch: write down its CPU wheels' hashes" >&2
    exit 1
}

made="# Made by \`make lock\` from pyproject.toml; not edited by hand."
{
    echo "$made Runtime, without CUDA."
    echo "# On Linux torch's CPU build comes from an index of its own, which \`make install\` names when needed:"
    echo "#   pip install --require-hashes --extra-index-url https://download.pytorch.org/whl/cpu -r requirements/cpu.txt"
    awk 'FNR == NR { if ($1 != "#") hashes = hashes (hashes ? " \\\n" : "") "    --hash=sha256:" $1; next }
         /^torch==/ { print; print hashes; in_torch = 1; next }
         /^[^ ]/ { in_torch = 0 }
         !in_torch' requirements/torch-cpu.sha256 "$work/cpu.txt"
} >requirements/cpu.txt
{ echo "$made Runtime, with CUDA."; cat "$work/cuda.txt"; } >requirements/cuda.txt
{ echo "$made Checks and tests, beside cpu.txt or cuda.txt."; cat "$work/dev.txt"; } >requirements/dev.txt
{
    echo "$made The extra \`otel\`, beside cpu.txt or cuda.txt; also in dev.txt."
    cat "$work/otel.txt"
} >requirements/otel.txt
{
    echo "# The llmlingua package and what it needs beside cpu.txt, for tests/compat_fuzz.py; made by requirements/lock.sh."
    cat "$work/llmlingua.txt"
} >requirements/llmlingua.txt
{
    echo "# The official SDK and what its own tests need, for tests/conformance/sdk_suite.py; made by requirements/lock.sh."
    cat "$work/sdk-suite.txt"
} >requirements/sdk-suite.txt
for clients in clients clients-openai-3; do
    {
        echo "# Clients that tests/conformance/clients sends through Pith; made by requirements/lock.sh."
        cat "$work/$clients.txt"
    } >"requirements/$clients.txt"
done
{
    echo "# tea-tasting and what it needs beside cpu.txt and dev.txt, for tests/oracle.py; made by requirements/lock.sh."
    cat "$work/oracle.txt"
} >requirements/oracle.txt
wc -l requirements/*.txt
