// SPDX-License-Identifier: Apache-2.0
/*
 * What profconv writes for speedscope, opened by speedscope itself (its page
 * from npm, in a browser): the sample types are there, and so are the frames.
 *
 *	node speedscope_test.js PROFCONV
 *
 * Exits with 77 (skipped) where a part is missing.
 */
'use strict';
const { execFileSync } = require('child_process');
const fs = require('fs'), http = require('http'), os = require('os'), path = require('path');
const assert = require('assert');

let chromium, root;
try {
  ({ chromium } = require('playwright-core'));
  root = path.join(path.dirname(require.resolve('speedscope/package.json')), 'dist', 'release');
} catch { process.exit(77); }
const browserPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(f => fs.existsSync(f));
if (!browserPath) process.exit(77);

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'speedscope-test-'));
const input = path.join(dir, 'in.txt'), output = path.join(dir, 'out.speedscope.json');
fs.writeFileSync(input, 'main;parse;"read" 30 3000\nmain;parse;lex 50 1000\nmain;eval 15 0\n');
execFileSync(process.argv[2], ['collapsed-to-speedscope', '--columns=2', '--sample-types=samples/count cpu/nanoseconds', input, output]);
const file = JSON.parse(fs.readFileSync(output, 'utf8'));
assert.deepEqual(file.profiles.map(p => [p.name, p.unit, p.samples.length, p.endValue]), [['samples', 'none', 3, 95], ['cpu', 'nanoseconds', 2, 4000]]);
assert.deepEqual(file.profiles[0].samples[0].map(f => file.shared.frames[f].name), ['main', 'parse', '"read"']);

const server = http.createServer((request, answer) => {
  const name = path.join(root, path.normalize(new URL(request.url, 'http://x').pathname));
  const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };
  answer.setHeader('Content-Type', types[path.extname(name)] || 'application/octet-stream');
  fs.readFile(name, (e, data) => { if (e) { answer.statusCode = 404; answer.end(); } else answer.end(data); });
});
server.listen(0, '127.0.0.1', async () => {
  let code = 1;
  const browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox', '--use-gl=swiftshader', '--enable-unsafe-swiftshader'] });
  try {
    const page = await browser.newPage(), problems = [];
    page.on('dialog', d => { problems.push(d.message()); d.dismiss(); });
    await page.goto(`http://127.0.0.1:${server.address().port}/index.html`);
    await page.setInputFiles('input[type=file]', output);
    await page.waitForFunction(() => /samples/.test(document.body.innerText) && /1\/2/.test(document.body.innerText), null, { timeout: 20000 });
    await page.getByText('Sandwich').first().click();
    await page.waitForFunction(() => /parse/.test(document.body.innerText), null, { timeout: 10000 });
    assert.deepEqual(problems, []);
    console.log('ok   speedscope opens the file and shows its frames');
    code = 0;
  } catch (e) { console.log(e.stack); }
  await browser.close();
  server.close();
  fs.rmSync(dir, { recursive: true });
  process.exit(code);
});
