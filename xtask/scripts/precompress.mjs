// Writes FILE.br and FILE.gz beside every file of a folder that is worth it. The program embeds
// them, so nothing is compressed while it runs.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

// Below this, the headers weigh more than what is saved.
const BYTES_MIN = 512;
const COMPRESSED = /\.(br|gz|map|png|jpe?g|webp|woff2?|ico)$/;

const folder = process.argv[2];
if (!folder) throw new Error('usage: node precompress.mjs FOLDER');

let plain = 0;
let brotli = 0;
for (const name of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  if (!name.isFile()) continue;
  const file = join(name.parentPath ?? name.path, name.name);
  if (/\.(br|gz)$/.test(file)) rmSync(file);
  if (COMPRESSED.test(file)) continue;
  const bytes = readFileSync(file);
  if (bytes.length < BYTES_MIN) continue;
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  const smallest = brotliCompressSync(bytes, { params });
  writeFileSync(`${file}.br`, smallest);
  writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
  plain += bytes.length;
  brotli += smallest.length;
}
console.log(`precompressed: ${(plain / 1024).toFixed(1)} KiB to ${(brotli / 1024).toFixed(1)} KiB`);
