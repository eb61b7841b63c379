#!/usr/bin/env bash
# Copy the node's program to a board by mpremote: flash.sh [PORT] [WIRING.json]
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
port=${1:-}
wiring=${2:-}
modules=(__init__ frame settings wiring commands node board main
  probes/__init__ probes/ultrasonic probes/flow probes/pressure probes/temperature probes/battery)

if [ -z "$port" ]; then
  # MicroPython boards show up with Raspberry Pi's USB vendor number
  port=$("$bin/mpremote" devs | awk '/2e8a:/ { print $1; exit }')
fi
if [ -z "$port" ] || [ ! -e "$port" ]; then
  echo "no board found${port:+ at $port}." >&2
  echo "Plug in a Raspberry Pi Pico with MicroPython 1.23 or later on it, or say where it is: make flash PORT=/dev/ttyACM0" >&2
  echo "A running node lets nobody in: unplug it, plug it in and start this within 3 seconds." >&2
  exit 1
fi

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
mkdir -p "$out/firmware_scripts/probes"
for module in "${modules[@]}"; do
  "$bin/mpy-cross" -march=armv6m -O2 -s "$module.py" "firmware_scripts/$module.py" -o "$out/firmware_scripts/$module.mpy"
done
printf 'from firmware_scripts.main import run\n\nrun()\n' >"$out/main.py"
[ -z "$wiring" ] || cp "$wiring" "$out/wiring.json"

echo "copying to $port ..."
"$bin/mpremote" connect "$port" fs cp -r "$out/firmware_scripts" : + fs cp "$out/main.py" :main.py
[ -z "$wiring" ] || "$bin/mpremote" connect "$port" fs cp "$out/wiring.json" :wiring.json
"$bin/mpremote" connect "$port" reset
echo "done. Type ? in a terminal on the node's line for help."
