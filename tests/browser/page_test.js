// SPDX-License-Identifier: Apache-2.0
/*
 * The page of `profreport html` in a real browser.
 *
 *	node page_test.js PROFREPORT
 *
 * Exits with 77 (skipped) where there is no chromium or no playwright-core.
 */
'use strict';
const { execFileSync } = require('child_process');
const fs = require('fs'), os = require('os'), path = require('path');
const assert = require('assert');

let chromium;
try { ({ chromium } = require('playwright-core')); } catch { process.exit(77); }
const browserPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(f => fs.existsSync(f));
if (!browserPath) process.exit(77);

const profreport = process.argv[2];
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'page-test-'));

/* Collapsed stacks to a page. */
function page(name, stacks, ...options) {
  const input = path.join(dir, name + '.txt'), output = path.join(dir, name + '.html');
  fs.writeFileSync(input, stacks);
  execFileSync(profreport, ['html', '--from=collapsed', ...options, '-o', output, input]);
  return output;
}

const SMALL = 'main;parse;read 30\nmain;parse;lex 50\nmain;eval;call;eval;call 15\nidle 5\n';
const HOSTILE = ['</script><script>window.hacked=1</script>', '<img src=x onerror=hacked=1>', '"quote\'s"', 'ctrl\x01\x1b[31m', '\u202ertl\u202c', '--><!--', '__proto__', 'constructor'];

const LABELS = `profile: 1
sample_types: [samples/count]
mappings:
- {file: /bin/a, start: 0x1000, limit: 0x2000}
- {file: /lib/b.so, start: 0x3000, limit: 0x4000}
functions:
- {fn: main}
- {fn: send}
locations:
- {map: 1, addr: 0x1000, lines: [{f: 1}]}
- {map: 2, addr: 0x3000, lines: [{f: 2}]}
samples:
- {v: [7], at: [1], labels: {thread: [io]}}
- {v: [3], at: [1], labels: {thread: [work]}}
`;

/* A tree of a million nodes: 1000 functions, wide and deep. */
function million() {
  const lines = [];
  for (let a = 0; a < 100; a++)
    for (let b = 0; b < 100; b++) {
      const stack = ['main', 'a' + a, 'b' + b];
      for (let k = 0; k < 97; k++) stack.push('f' + (a * 7 + b * 13 + k * k) % 1000);
      lines.push(stack.join(';') + ' ' + (1 + (a * b) % 17));
    }
  return lines.join('\n') + '\n';
}

async function open(browser, file, options = {}) {
  const p = await browser.newPage({ viewport: { width: 1200, height: 700 }, ...options });
  p.problems = [];
  p.on('console', m => { if (m.type() === 'error') p.problems.push(m.text()); });
  p.on('pageerror', e => p.problems.push(e.message));
  p.on('request', r => { if (!/^(file|data):/.test(r.url())) p.problems.push('request ' + r.url()); });
  await p.goto('file://' + file + (options.hash || ''));
  await p.waitForFunction(() => document.documentElement.dataset.ready, null, { timeout: 20000 });
  return p;
}
const status = p => p.textContent('#status');
const hash = p => p.evaluate(() => decodeURIComponent(location.hash));
const settle = p => p.waitForTimeout(150);
async function click(p, x, row) {
  const box = await p.locator('#canvas').boundingBox();
  await p.mouse.click(box.x + x, box.y + row * 18 + 9);
  await settle(p);
}

function calibrate() {
  const a = new Float64Array(1 << 20), t = performance.now();
  for (let k = 0; k < 6; k++) for (let i = 0; i < a.length; i++) a[i] = (i * 7919) % 1048573 + k;
  a.sort();
  return performance.now() - t;
}

/* In the page: how long each of what a user does keeps it busy. */
async function useIt() {
  const times = {}, frame = () => new Promise(f => requestAnimationFrame(() => setTimeout(f)));
  const time = async (name, f) => { const t0 = performance.now(); f(); await frame(); times[name] = Math.round(performance.now() - t0); };
  const hit = (x, y) => { const c = document.getElementById('canvas'), r = c.getBoundingClientRect(); c.dispatchEvent(new MouseEvent('click', { clientX: r.left + x, clientY: r.top + y, bubbles: true })); };
  const view = name => document.querySelector(`[data-view=${name}]`).click();
  await frame();
  await time('zoom', () => hit(300, 45));
  await time('back', () => document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'Backspace', bubbles: true })));
  await time('search', () => { const s = document.getElementById('search'); s.value = 'f1'; s.dispatchEvent(new Event('input')); });
  await new Promise(f => setTimeout(f, 300));
  for (const name of ['top', 'leaves', 'graph', 'flame']) await time(name, () => view(name));
  return times;
}

const TESTS = {
  async 'loads and shows the total'(b) {
    const p = await open(b, page('small', SMALL));
    assert.match(await status(p), /all 100/);
    return p;
  },
  async 'zooms by a click, and back'(b) {
    const p = await open(b, page('small', SMALL));
    await click(p, 100, 2);
    assert.match(await status(p), /^parse — .*total 80 \(80\.00%\)/);
    assert.match(await hash(p), /zoom=/);
    await p.keyboard.press('Backspace');
    await settle(p);
    assert.match(await status(p), /all 100/);
    return p;
  },
  async 'is moved in by the keyboard'(b) {
    const p = await open(b, page('small', SMALL));
    await p.focus('#canvas');
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowRight']) await p.keyboard.press(key);
    assert.match(await status(p), /^eval — /);
    await p.keyboard.press('Enter');
    await settle(p);
    assert.match(await hash(p), /zoom=/);
    return p;
  },
  async 'keeps its state in the hash'(b) {
    const file = page('small', SMALL), p = await open(b, file);
    await click(p, 100, 2);
    const state = await p.evaluate(() => location.hash), q = await open(b, file, { hash: state });
    assert.match(await status(q), /^parse/);
    await q.close();
    return p;
  },
  async 'searches, with the share that matched'(b) {
    const p = await open(b, page('small', SMALL));
    await p.fill('#search', '^(lex|call)$');
    await p.waitForTimeout(300);
    assert.equal(await p.textContent('#matched'), '65.00% matched');
    await p.fill('#search', '(');
    await p.waitForTimeout(300);
    assert.ok(await p.evaluate(() => document.getElementById('search').classList.contains('bad')));
    return p;
  },
  async 'counts recursion once in the table, and sorts'(b) {
    const p = await open(b, page('small', SMALL));
    await p.keyboard.press('t');
    await p.click('[data-sort=total]');
    const rows = await p.$$eval('#table tbody tr', trs => trs.map(tr => [...tr.cells].map(td => td.firstChild.textContent).join(' ')));
    assert.equal(rows[0], '0 95 main');
    assert.ok(rows.includes('0 15 eval') && rows.includes('15 15 call'), rows.join('\n'));
    await p.click('[data-sort=name]');
    assert.equal(await p.textContent('#table tbody tr:first-child td:last-child button'), 'call');
    return p;
  },
  async 'shows callers and callees'(b) {
    const p = await open(b, page('small', SMALL));
    await p.keyboard.press('t');
    await p.click('#table td button:text-is("parse")');
    await settle(p);
    assert.match(await hash(p), /view=sandwich/);
    await p.focus('#canvas');
    await p.keyboard.press('ArrowDown');
    assert.match(await status(p), /^main — .*total 80/);
    return p;
  },
  async 'draws the call graph'(b) {
    const p = await open(b, page('small', SMALL));
    await p.keyboard.press('g');
    assert.equal(await p.locator('#graph g').count(), 7);
    assert.ok(await p.locator('#graph path').count() >= 5);
    return p;
  },
  async 'switches the sample type'(b) {
    const p = await open(b, page('types', 'a;b 10 300\na;c 5 100\n', '--columns=2', '--sample-types=n/count size/bytes'));
    assert.match(await status(p), /all 400B/);
    await p.selectOption('#type', '0');
    assert.match(await status(p), /all 15/);
    return p;
  },
  async 'shows a difference, with what is new and what vanished'(b) {
    const file = page('before', 'main;old 40\nmain;same 10\n'), out = path.join(dir, 'diff.html');
    fs.writeFileSync(path.join(dir, 'after.txt'), 'main;new 30\nmain;same 15\n');
    execFileSync(profreport, ['html', '--base', path.join(dir, 'before.txt'), '-o', out, path.join(dir, 'after.txt')]);
    assert.ok(file);
    const p = await open(b, out);
    await p.keyboard.press('t');
    const text = await p.textContent('#table');
    assert.match(text, /new/);
    assert.match(text, /vanished/);
    assert.match(text, /\+5 \(\+50\.0%\)same/);
    assert.match(await status(p), /before 50, after 45/);
    await p.selectOption('#width', 'after');
    assert.doesNotMatch(await p.textContent('#table'), /old/);
    return p;
  },
  async 'takes hostile names as data'(b) {
    const p = await open(b, page('hostile', HOSTILE.map((n, i) => 'main;' + n + ' ' + (i + 1)).join('\n') + '\n', '--demangle=none'));
    for (const key of ['t', 'g', 'l', 'f']) { await p.keyboard.press(key); await settle(p); }
    assert.equal(await p.evaluate(() => window.hacked), undefined);
    await p.keyboard.press('t');
    const names = await p.$$eval('#table td:last-child button', bs => bs.map(x => x.textContent));
    assert.ok(names.includes(HOSTILE[0]) && names.includes(HOSTILE[2]), names.join('\n'));
    assert.ok(names.every(n => !/[\x00-\x1f\u202e]/.test(n)));
    return p;
  },
  async 'can be read on a phone'(b) {
    const p = await open(b, page('small', SMALL), { viewport: { width: 360, height: 640 } });
    assert.ok(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    assert.ok((await p.locator('#canvas').boundingBox()).height > 200);
    return p;
  },
  async 'groups by label and by mapping'(b) {
    const file = path.join(dir, 'labels.yaml'), out = path.join(dir, 'labels.html');
    fs.writeFileSync(file, LABELS);
    execFileSync(profreport, ['html', '--symbolize=none', '-o', out, file]);
    const p = await open(b, out), options = await p.$$eval('#group option', os => os.map(o => o.textContent));
    assert.deepEqual(options, ['none', 'mapping', 'thread']);
    await p.selectOption('#group', 'k:thread');
    await click(p, 100, 1);
    assert.match(await status(p), /^io — total 7 \(70\.00%\)/);
    await p.selectOption('#group', 'mapping');
    await click(p, 100, 1);
    assert.match(await status(p), /^\/bin\/a — total 10/);
    return p;
  },
  async 'is dark or light as the system wishes, or as its switch says'(b) {
    const file = page('small', SMALL), p = await open(b, file, { colorScheme: 'dark' });
    const back = () => p.evaluate(() => [document.documentElement.dataset.theme, getComputedStyle(document.body).backgroundColor]);
    assert.deepEqual(await back(), ['dark', 'rgb(22, 21, 19)']);
    await p.emulateMedia({ colorScheme: 'light' });
    await settle(p);
    assert.deepEqual(await back(), ['light', 'rgb(253, 252, 251)']);
    await p.keyboard.press('d');
    assert.equal((await back())[0], 'dark');
    assert.match(await hash(p), /theme=dark/);
    await p.keyboard.press('d');
    assert.equal((await back())[0], 'light');
    return p;
  },
  async 'has the root above or below'(b) {
    const p = await open(b, page('small', SMALL)), top = () => p.evaluate(() => document.getElementById('canvas').getContext('2d').getImageData(5, 9, 1, 1).data.join());
    const before = await top();
    await p.keyboard.press('i');
    await settle(p);
    assert.notEqual(await top(), before);
    assert.match(await hash(p), /flip=1/);
    return p;
  },
  async 'has roles, and each view is reached by keys'(b) {
    const p = await open(b, page('small', SMALL));
    for (const [role, n] of [['tab', 5], ['tablist', 1], ['tabpanel', 1], ['application', 1], ['status', 1], ['toolbar', 1]])
      assert.equal(await p.locator(`[role=${role}]`).count(), n, role);
    await p.focus('[data-view=flame]');
    for (const view of ['leaves', 'sandwich', 'top', 'graph']) {
      await p.keyboard.press('ArrowRight');
      assert.equal(await p.getAttribute(`[data-view=${view}]`, 'aria-selected'), 'true');
      assert.equal(await p.evaluate(() => document.activeElement.dataset.view), view);
    }
    const names = await p.$$eval('button, select, input', es => es.filter(e => !(e.getAttribute('aria-label') || e.textContent || e.labels && e.labels.length)).map(e => e.id));
    assert.deepEqual(names, []);
    await p.keyboard.press('?');
    assert.ok(await p.evaluate(() => document.getElementById('about').open));
    return p;
  },
  async 'tells all of a box under the mouse'(b) {
    const p = await open(b, page('small', SMALL)), box = await p.locator('#canvas').boundingBox();
    await p.mouse.move(box.x + 100, box.y + 18 * 3 + 9);
    assert.equal(await p.textContent('#tip'), 'lex\ntotal 50 (50.00%), self 50 (50.00%)');
    return p;
  },
  async 'is usable with a million nodes'(b) {
    const file = page('million', million()), best = {};
    let p = await b.newPage(), slow = 1;
    /* Other work on the machine takes its time too: the best of some counts,
       beside what a piece of work takes that has 300 ms where all is quiet. */
    const limit = k => slow * (k === 'ready' ? 2000 : 200);
    for (let i = 0; i < 4; i++) {
      slow = Math.max(1, await p.evaluate(calibrate) / 300);
      await p.close();
      const t = Date.now();
      p = await open(b, file);
      const times = { ready: Date.now() - t, ...await p.evaluate(useIt) };
      for (const k in times) best[k] = Math.min(best[k] ?? Infinity, times[k]);
      if (Object.keys(best).every(k => best[k] < limit(k))) break;
    }
    console.log(`  million nodes, ms: ${JSON.stringify(best)}; the machine is slower by ${slow.toFixed(2)}`);
    for (const k in best) assert.ok(best[k] < limit(k), k + ' took ' + best[k] + ' ms');
    return p;
  },
};

(async () => {
  const browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox'] });
  let failed = 0;
  for (const name in TESTS) {
    let p;
    try {
      p = await TESTS[name](browser);
      assert.deepEqual(p.problems, []);
      console.log('ok   ' + name);
    } catch (e) { failed++; console.log('FAIL ' + name + '\n' + e.stack); }
    if (p) await p.close();
  }
  await browser.close();
  fs.rmSync(dir, { recursive: true });
  process.exit(failed ? 1 : 0);
})();
