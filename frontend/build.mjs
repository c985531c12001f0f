// Owns the bundle: src/ in, ../static/build/ out under fixed names (Django hashes them). It must not fetch anything.
import { copyFile, cp, mkdir, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const out = here("../static/build/");

const options = {
  entryPoints: {
    app: here("src/styles/app.css"),
    console: here("src/styles/console.css"),
    page: here("src/page.js"),
    receive: here("src/receive.js"),
    send: here("src/send.js"),
    mine: here("src/mine.js"),
    keys: here("src/keys.js"),
    operators: here("src/operators.js"),
  },
  outdir: out,
  bundle: true,
  minify: true,
  legalComments: "none",
  format: "iife",
  target: ["es2022", "chrome109", "firefox115", "safari16"],
  loader: { ".svg": "dataurl" },
  logLevel: "warning",
};

// Files that are served as they are. htmx must stay a plain script: it makes itself known as window.htmx.
async function copyStill() {
  await copyFile(here("node_modules/htmx.org/dist/htmx.min.js"), `${out}/htmx.js`);
  await cp(here("src/icons"), out, { recursive: true });
  await copyFile(here("back_in_a_moment.html"), `${out}/back_in_a_moment.html`);
}

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
await copyStill();
if (process.argv.includes("--watch")) {
  const context = await esbuild.context({ ...options, minify: false, sourcemap: "inline" });
  await context.watch();
} else {
  await esbuild.build(options);
}
