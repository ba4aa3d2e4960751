// Writes FILE.br and FILE.gz beside the files of a built site that a host sends often.

import { readFile, readdir, writeFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

const KINDS = new Set([".css", ".html", ".js", ".json", ".svg", ".wasm"]);
const [site] = process.argv.slice(2);

async function compress(path) {
  const data = await readFile(path);
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: data.length,
  };
  // Node has threads for both.
  await Promise.all([
    promisify(brotliCompress)(data, { params }).then((bytes) => writeFile(`${path}.br`, bytes)),
    promisify(gzip)(data, { level: 9 }).then((bytes) => writeFile(`${path}.gz`, bytes)),
  ]);
}

const entries = await readdir(site, { recursive: true, withFileTypes: true });
const files = entries.filter((entry) => entry.isFile() && KINDS.has(extname(entry.name)));
await Promise.all(files.map((entry) => compress(join(entry.parentPath, entry.name))));
