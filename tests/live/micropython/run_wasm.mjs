// Run scripts on the 32-bit WebAssembly build: node run_wasm.mjs MICROPYTHON.mjs ROOT SCRIPT...
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [engine, root, ...scripts] = process.argv.slice(2);
const { loadMicroPython } = await import(pathToFileURL(engine).href);

function copy(mp, from, to) {
  if (statSync(from).isDirectory()) {
    mp.FS.mkdirTree(to);
    for (const name of readdirSync(from)) {
      if (name !== "__pycache__") copy(mp, join(from, name), `${to}/${name}`);
    }
  } else if (/\.(py|json)$/.test(from)) {
    mp.FS.writeFile(to, readFileSync(from));
  }
}

for (const script of scripts) {
  const mp = await loadMicroPython({ heapsize: 2 * 1024 * 1024, linebuffer: true, stdout: (line) => console.log(line) });
  copy(mp, join(root, "firmware_scripts"), "/firmware_scripts");
  mp.FS.mkdirTree("/tests/vectors");
  copy(mp, join(root, "tests/vectors/frame.json"), "/tests/vectors/frame.json");
  try {
    mp.runPython(readFileSync(script, "utf8"));
  } catch (error) {
    console.log(`${script}: ${error.type}: ${error.message}`); // never let node print the engine's one-line source
    process.exit(1);
  }
}
