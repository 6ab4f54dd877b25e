/*
 * The page of a profile. The data is a tree of frames in preorder and a list
 * of samples at its nodes, gzip-compressed and in base64 (see html.c).
 *
 * Why it is as it is: a profile may have a million nodes, so everything about
 * nodes is in typed arrays and done in linear passes; objects (boxes) are
 * made only for what is wide enough to be seen, when it is looked at.
 */
(() => {
'use strict';
const $ = id => document.getElementById(id);
const ROW = 18, MIN_WIDTH = 0.6, TABLE_ROWS = 1000, GRAPH_NODES = 40, GRAPH_LEAST = 0.005;
let P;     /* the profile as read */
let T;     /* the tree for the type and group chosen */
let layout = [], selected = null, history_ = [];
const S = { view: 'flame', type: 0, group: '', width: 'both', q: '', zoom: '', f: -1, sort: 'self', flip: 0 };

/* ---- Reading ---- */

async function inflate(text) {
  const bin = atob(text), bytes = new Uint8Array(bin.length);
  for (let i = 0; i < bin.length; i++) bytes[i] = bin.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/* What could change how the text around it is shown becomes a sign. */
const visible = s => s.replace(/[\x00-\x1f\x7f]/g, c => c === '\x7f' ? '\u2421' : String.fromCharCode(0x2400 + c.charCodeAt(0)))
  .replace(/[\u0080-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, '\ufffd');

function parse(bytes) {
  let at = 0;
  const u = () => {
    let n = 0, scale = 1, b;
    do { b = bytes[at++]; n += (b & 127) * scale; scale *= 128; } while (b > 127);
    return n;
  };
  const z = () => { const n = u(); return n % 2 ? -(n + 1) / 2 : n / 2; };
  const list = f => { const a = new Array(u()); for (let i = 0; i < a.length; i++) a[i] = f(); return a; };
  const utf8 = new TextDecoder();
  const str = list(() => { const n = u(); at += n; return visible(utf8.decode(bytes.subarray(at - n, at))); });
  const s = () => str[u()];
  const p = { title: s(), lines: list(s), types: list(() => ({ type: s(), unit: s() })), type: u(), diff: u() };
  p.frames = list(() => ({ name: s(), file: s(), line: u(), object: s() }));
  const n = p.n = u();
  p.parent = new Int32Array(n); p.frame = new Int32Array(n); p.depth = new Int32Array(n);
  const path = [];
  let depth = -1;
  for (let i = 0; i < n; i++) {
    depth += 1 - u();
    p.parent[i] = depth ? path[depth - 1] : -1;
    p.frame[i] = u(); p.depth[i] = depth; path[depth] = i;
  }
  p.sets = list(() => list(() => [s(), s()]));
  const m = u(), k = p.types.length;
  p.node = new Int32Array(m); p.set = new Int32Array(m); p.values = new Float64Array(m * k);
  for (let i = 0, node = 0; i < m; i++) {
    p.node[i] = node += u(); p.set[i] = u();
    for (let c = 0; c < k; c++) p.values[i * k + c] = z();
  }
  return p;
}

/* ---- The tree that is shown ---- */

/* The label set's value for a key; many are joined. */
const valueOf = (set, key) => set.filter(l => l[0] === key).map(l => l[1]).join(', ') || '(none)';

function groupOf(i) {
  if (S.group === 'mapping') return P.frames[P.frame[P.node[i]]].object || '(none)';
  return valueOf(P.sets[P.set[i]], S.group.slice(2));
}

/* Copies the paths of samples under a root for each group, in preorder. */
function regroup() {
  const ids = new Map(), frames = P.frames.slice(), kids = [[]], frame = [-1], at = new Map(), target = new Int32Array(P.node.length);
  const add = (parent, f) => { kids.push([]); frame.push(f); kids[parent].push(frame.length - 1); return frame.length - 1; };
  const place = (node, root) => {
    const missing = [];
    let to = root, key;
    for (; node >= 0; node = P.parent[node]) {
      key = root * 2 ** 32 + node;
      if (at.has(key)) { to = at.get(key); break; }
      missing.push([key, node]);
    }
    while (missing.length) { [key, node] = missing.pop(); at.set(key, to = add(to, P.frame[node])); }
    return to;
  };
  for (let i = 0; i < P.node.length; i++) {
    const name = groupOf(i);
    if (!ids.has(name)) { frames.push({ name, file: '', line: 0, object: '' }); ids.set(name, add(0, frames.length - 1)); }
    target[i] = place(P.node[i], ids.get(name));
  }
  const n = frame.length - 1, t = { n, frames, parent: new Int32Array(n), frame: new Int32Array(n), depth: new Int32Array(n) };
  const order = new Int32Array(n + 1), stack = kids[0].slice().reverse().map(k => [k, -1, 0]);
  for (let i = 0; stack.length; i++) {
    const [id, parent, depth] = stack.pop();
    order[id] = i; t.parent[i] = parent; t.frame[i] = frame[id]; t.depth[i] = depth;
    for (let k = kids[id].length; k--;) stack.push([kids[id][k], i, depth + 1]);
  }
  t.node = target.map(id => order[id]);
  return t;
}

/*
 * before and after are what was negative and positive: without a difference
 * all is after. total is what a box is wide by.
 */
function build() {
  const t = S.group ? regroup() : { n: P.n, frames: P.frames, parent: P.parent, frame: P.frame, depth: P.depth, node: P.node };
  const { n } = t, k = P.types.length;
  t.before = new Float64Array(n); t.after = new Float64Array(n);
  for (let i = 0; i < t.node.length; i++) {
    const v = P.values[i * k + S.type];
    if (v < 0) t.before[t.node[i]] -= v; else t.after[t.node[i]] += v;
  }
  const mix = (b, a) => !P.diff || S.width === 'after' ? a : S.width === 'before' ? b : a + b;
  t.self = new Float64Array(n); t.total = new Float64Array(n);
  for (let i = 0; i < n; i++) t.total[i] = t.self[i] = mix(t.before[i], t.after[i]);
  t.selfBefore = t.before.slice(); t.selfAfter = t.after.slice();
  t.sum = 0; t.sumBefore = 0; t.sumAfter = 0;
  for (let i = n - 1; i >= 0; i--) {
    const p = t.parent[i];
    if (p >= 0) { t.total[p] += t.total[i]; t.before[p] += t.before[i]; t.after[p] += t.after[i]; }
    else { t.sum += t.total[i]; t.sumBefore += t.before[i]; t.sumAfter += t.after[i]; }
  }
  /* Where the subtree of a node ends: preorder makes it a range. */
  t.end = new Int32Array(n);
  for (let i = n - 1; i >= 0; i--) {
    if (!t.end[i]) t.end[i] = i + 1;
    const p = t.parent[i];
    if (p >= 0 && t.end[p] < t.end[i]) t.end[p] = t.end[i];
  }
  T = t; T.top = null;
  match();
}

/* Flat and cum of each frame; under recursion the outermost counts. */
function top() {
  if (T.top) return T.top;
  const m = T.frames.length, rows = new Array(m), on = new Int32Array(m), path = [];
  for (let f = 0; f < m; f++) rows[f] = { f, self: 0, total: 0, before: 0, after: 0 };
  for (let i = 0; i < T.n; i++) {
    while (path.length > T.depth[i]) on[path.pop()]--;
    const f = T.frame[i], r = rows[f];
    r.self += T.self[i];
    if (!on[f]++) { r.total += T.total[i]; r.before += T.before[i]; r.after += T.after[i]; }
    path.push(f);
  }
  return T.top = rows.filter(r => r.total > 0);
}

/* ---- Search ---- */

let matches = null;
function match() {
  matches = null; $('search').classList.remove('bad'); $('matched').textContent = '';
  if (!S.q) return;
  let re;
  try { re = new RegExp(S.q, /[A-Z]/.test(S.q) ? '' : 'i'); } catch { $('search').classList.add('bad'); return; }
  matches = new Uint8Array(T.frames.length);
  T.frames.forEach((f, i) => { matches[i] = re.test(f.name) || re.test(f.file); });
  let sum = 0;
  for (let i = 0; i < T.n;) if (matches[T.frame[i]]) { sum += T.total[i]; i = T.end[i]; } else i++;
  $('matched').textContent = percent(sum) + ' matched';
}

/* ---- Words ---- */

const UNITS = [[['B', 1], ['kB', 2 ** 10], ['MB', 2 ** 20], ['GB', 2 ** 30], ['TB', 2 ** 40], ['PB', 2 ** 50]], [['ns', 1], ['us', 1e3], ['ms', 1e6], ['s', 1e9], ['hrs', 3.6e12]]];
const NAMES = { b: [0, 1], byte: [0, 1], kb: [0, 1024], kilobyte: [0, 1024], mb: [0, 2 ** 20], megabyte: [0, 2 ** 20], ns: [1, 1], nanosecond: [1, 1], us: [1, 1e3], microsecond: [1, 1e3], ms: [1, 1e6], millisecond: [1, 1e6], s: [1, 1e9], sec: [1, 1e9], second: [1, 1e9] };
function value(v) {
  const unit = P.types[S.type].unit.toLowerCase(), known = NAMES[unit.length > 2 ? unit.replace(/s$/, '') : unit];
  if (!known) return v.toLocaleString('en') + (unit && unit !== 'count' ? ' ' + unit : '');
  const base = v * known[1];
  if (!v) return '0';
  let best = UNITS[known[0]][0];
  for (const u of UNITS[known[0]]) if (Math.abs(base) >= u[1]) best = u;
  return (base / best[1]).toFixed(2).replace(/\.00$/, '') + best[0];
}
const percent = v => T.sum ? (100 * v / T.sum).toFixed(2) + '%' : '0%';
const place = f => f.file ? f.file + (f.line ? ':' + f.line : '') : f.object;
const signed = v => (v > 0 ? '+' : '') + value(v);

function change(b, a) {
  if (!b && !a) return '';
  if (!b) return 'new';
  if (!a) return 'vanished';
  return signed(a - b) + ' (' + (a >= b ? '+' : '') + (100 * (a - b) / b).toFixed(1) + '%)';
}

function describe(box) {
  if (box.frame < 0) return label(box) + (box.frame < -1 ? ', ' + value(box.total) + ' (' + percent(box.total) + ')' : '');
  const f = T.frames[box.frame], lines = [f.name, place(f), 'total ' + value(box.total) + ' (' + percent(box.total) + ')' + (box.self === undefined ? '' : ', self ' + value(box.self) + ' (' + percent(box.self) + ')')];
  if (P.diff) lines.push('before ' + value(box.before) + ', after ' + value(box.after) + ': ' + change(box.before, box.after));
  return lines.filter(Boolean).join('\n');
}

/* ---- Boxes ---- */

/*
 * A box stands for the nodes that share a path. Downwards its children are
 * the children of those; upwards (callers) a box keeps, beside each node it
 * has come up to, the node that it came from, whose weight counts.
 */
class Box {
  constructor(frame, parent, up) {
    this.frame = frame; this.parent = parent; this.up = up;
    this.nodes = []; this.from = up ? [] : null; this.total = this.before = this.after = this.self = 0;
  }
  add(node, from, selfOnly) {
    this.nodes.push(node);
    if (this.up) {
      this.from.push(from);
      this.total += selfOnly ? T.self[from] : T.total[from];
      this.before += selfOnly ? T.selfBefore[from] : T.before[from];
      this.after += selfOnly ? T.selfAfter[from] : T.after[from];
      if (node === from) this.self += T.self[from];
    } else {
      this.total += T.total[node]; this.before += T.before[node]; this.after += T.after[node]; this.self += T.self[node];
    }
  }
  kids() {
    if (this.list) return this.list;
    const found = new Map(), get = f => { let b = found.get(f); if (!b) { found.set(f, b = new Box(f, this, this.up)); b.selfOnly = this.selfOnly; } return b; };
    for (let i = 0; i < this.nodes.length; i++) {
      const node = this.nodes[i];
      if (this.up) {
        const p = T.parent[node];
        if (p >= 0) get(T.frame[p]).add(p, this.from[i], this.selfOnly);
      } else {
        for (let c = node + 1; c < T.end[node]; c = T.end[c]) if (T.total[c] > 0) get(T.frame[c]).add(c);
      }
    }
    return this.list = sorted(found);
  }
  path() { const names = []; for (let b = this; b.parent; b = b.parent) names.unshift(b.frame); return names; }
}
const sorted = found => [...found.values()].filter(b => b.total > 0).sort((a, b) => b.total - a.total || a.frame - b.frame);

function rootBox(fill) {
  const root = new Box(-1, null, false), found = new Map();
  fill((frame, up) => { let b = found.get(frame); if (!b) { found.set(frame, b = new Box(frame, root, up)); } return b; });
  root.list = sorted(found);
  for (const b of root.list) { root.total += b.total; root.before += b.before; root.after += b.after; }
  return root;
}

const flameRoot = () => rootBox(get => { for (let i = 0; i < T.n; i = T.end[i]) if (T.total[i] > 0) get(T.frame[i], false).add(i); });
const leavesRoot = () => rootBox(get => { for (let i = 0; i < T.n; i++) if (T.self[i] > 0) { const b = get(T.frame[i], true); b.selfOnly = true; b.add(i, i, true); } });

/* The outermost nodes of a function. */
function nodesOf(f) {
  const nodes = [];
  for (let i = 0; i < T.n;) if (T.frame[i] === f) { nodes.push(i); i = T.end[i]; } else i++;
  return nodes;
}
const sideRoot = (f, up) => rootBox(get => { for (const i of nodesOf(f)) if (T.total[i] > 0) get(f, up).add(i, i); });

/* ---- Drawing ---- */

const canvas = $('canvas'), ctx = canvas.getContext('2d');
let roots = {}, zoom = null, drawn = 0;

function root(name) {
  if (!roots[name]) roots[name] = name === 'flame' ? flameRoot() : name === 'leaves' ? leavesRoot() : sideRoot(S.f, name === 'callers');
  return roots[name];
}

/* Boxes that are wide enough below box, from row on; down is -1 or 1. */
function place_(box, width, row, down, out) {
  const stack = [[box, 0, width, row]];
  while (stack.length) {
    const [b, x, w, y] = stack.pop();
    out.push({ b, x, w, y });
    let cx = x;
    const scale = w / b.total, kids = b.kids();
    for (let i = 0; i < kids.length; i++) {
      const k = kids[i], kw = k.total * scale;
      if (kw < MIN_WIDTH) {
        const rest = new Box(-2, b);
        for (let j = i; j < kids.length; j++) { rest.total += kids[j].total; rest.before += kids[j].before; rest.after += kids[j].after; }
        rest.n = kids.length - i;
        if (rest.total * scale >= 1) out.push({ b: rest, x: cx, w: rest.total * scale, y: y + down });
        break;
      }
      stack.push([k, cx, kw, y + down]);
      cx += kw;
    }
  }
}

function relayout() {
  const width = $('pane').clientWidth;
  layout = [];
  if (!T.sum || !width) return;
  if (S.view === 'sandwich' && S.f >= 0) {
    const callers = [], callees = [];
    if (root('callers').list.length) {
      place_(root('callers').list[0], width, 0, -1, callers);
      place_(root('callees').list[0], width, 0, 1, callees);
    }
    layout = callers.slice(1).concat(callees);
    const least = layout.reduce((m, l) => Math.min(m, l.y), 0);
    for (const l of layout) l.y -= least;
  } else if (S.view !== 'sandwich') {
    const above = [];
    for (let b = zoom.parent; b; b = b.parent) above.unshift(b);
    above.forEach((b, y) => layout.push({ b, x: 0, w: width, y, dim: true }));
    place_(zoom, width, above.length, 1, layout);
  }
  layout.rows = layout.reduce((m, l) => Math.max(m, l.y), 0) + 1;
  if (S.flip && S.view !== 'sandwich') for (const l of layout) l.y = layout.rows - 1 - l.y;
  $('spacer').style.height = layout.rows * ROW + 'px';
  layout.sort((a, b) => a.y - b.y || a.x - b.x);
}

const isDark = () => getComputedStyle(document.documentElement).colorScheme === 'dark';
const hues = [];
function hue(f) {
  if (hues[f] === undefined) {
    const name = T.frames[f].name, cut = Math.max(name.lastIndexOf('/'), 0), pack = /^[^.:(]*/.exec(name.slice(cut))[0] + name.slice(0, cut);
    let h = 7;
    for (let i = 0; i < pack.length; i++) h = (h * 31 + pack.charCodeAt(i)) % 9973;
    hues[f] = h % 360;
  }
  return hues[f];
}
function colour(b, dark) {
  if (b.frame < -1) return dark ? '#2b2d31' : '#ececef';
  if (b.frame < 0) return dark ? '#44474d' : '#d9dbe0';
  if (matches && matches[b.frame]) return dark ? '#a23fd6' : '#d58bff';
  if (P.diff) {
    const c = (b.after - b.before) / (b.after + b.before || 1), w = Math.min(1, Math.abs(c) ** 0.6);
    return `hsl(${c > 0 ? 4 : 214} ${80 * w}% ${dark ? 28 + 12 * w : 86 - 24 * w}%)`;
  }
  return dark ? `hsl(${hue(b.frame)} 35% 32%)` : `hsl(${hue(b.frame)} 65% 78%)`;
}

function draw() {
  drawn = 0;
  const pane = $('pane'), w = pane.clientWidth, h = pane.clientHeight, r = devicePixelRatio || 1, dark = isDark(), up = pane.scrollTop;
  if (canvas.width !== Math.round(w * r) || canvas.height !== Math.round(h * r)) {
    canvas.width = Math.round(w * r); canvas.height = Math.round(h * r);
    canvas.style.width = w + 'px'; canvas.style.height = h + 'px';
  }
  ctx.setTransform(r, 0, 0, r, 0, 0);
  ctx.clearRect(0, 0, w, h);
  ctx.font = '12px ui-monospace, Menlo, Consolas, monospace'; ctx.textBaseline = 'middle';
  const letter = ctx.measureText('M').width, ink = dark ? '#f2f2f2' : '#111';
  for (const l of layout) {
    const y = l.y * ROW - up;
    if (y < -ROW || y > h) continue;
    ctx.globalAlpha = l.dim ? 0.55 : 1;
    ctx.fillStyle = colour(l.b, dark);
    ctx.fillRect(l.x, y, Math.max(l.w - (l.w > 3 ? 1 : 0), 0.5), ROW - 1);
    const room = Math.floor((l.w - 6) / letter);
    if (room > 2) {
      const text = label(l.b);
      ctx.fillStyle = ink;
      ctx.fillText(text.length > room ? text.slice(0, room - 1) + '…' : text, l.x + 3, y + ROW / 2);
    }
    if (l.b === selected) { ctx.globalAlpha = 1; ctx.strokeStyle = ink; ctx.lineWidth = 2; ctx.strokeRect(l.x + 1, y + 1, Math.max(l.w - 3, 1), ROW - 3); }
  }
  ctx.globalAlpha = 1;
  if (!layout.length) {
    ctx.fillStyle = ink;
    ctx.fillText(T.sum ? 'Choose a function: a click in Top, or s on a box.' : 'No samples of this type.', 12, 24);
  }
}
const redraw = () => { if (!drawn) drawn = requestAnimationFrame(draw); };

const label = b => b.frame === -1 ? 'all ' + value(b.total) : b.frame < 0 ? '(' + b.n + ' too narrow to show)' : T.frames[b.frame].name;

/* ---- Table ---- */

const COLUMNS = [['self', 'Self'], ['total', 'Total'], ['before', 'Before'], ['after', 'After'], ['change', 'Change'], ['name', 'Function']];
const element = (tag, text, props) => Object.assign(document.createElement(tag), text === undefined ? {} : { textContent: text }, props);

function rank(r) {
  if (S.sort === 'change') return -Math.abs(r.after - r.before);
  return -r[S.sort];
}
function drawTable() {
  const rows = top().slice(), columns = COLUMNS.filter(c => P.diff || !/before|after|change/.test(c[0]));
  if (S.sort === 'name') rows.sort((a, b) => T.frames[a.f].name < T.frames[b.f].name ? -1 : 1);
  else rows.sort((a, b) => rank(a) - rank(b) || a.f - b.f);
  const shown = (matches ? rows.filter(r => matches[r.f]) : rows).slice(0, TABLE_ROWS);
  const table = element('table'), head = table.createTHead().insertRow(), body = table.createTBody();
  for (const [key, text] of columns) {
    const th = element('th'), b = element('button', text + (S.sort === key ? ' ▾' : ''), { onclick: () => set({ sort: key }) });
    th.setAttribute('aria-sort', S.sort === key ? (key === 'name' ? 'ascending' : 'descending') : 'none');
    b.dataset.sort = key; th.append(b); head.append(th);
  }
  for (const r of shown) {
    const tr = body.insertRow(), f = T.frames[r.f];
    for (const [key] of columns) {
      const td = tr.insertCell();
      if (key === 'name') td.append(element('button', f.name, { onclick: () => set({ view: 'sandwich', f: r.f }) }), element('small', place(f)));
      else if (key === 'change') td.textContent = change(r.before, r.after);
      else { td.textContent = value(r[key]); if (key === 'self' || key === 'total') td.append(element('small', percent(r[key]))); }
    }
  }
  if (rows.length > shown.length) body.insertRow().append(element('td', 'of ' + rows.length + ' functions', { colSpan: columns.length }));
  $('table').replaceChildren(table);
}

/* ---- Call graph ---- */

/* The heaviest functions, and edges between those that are next to kept ones. */
function callGraph() {
  const nodes = top().slice().sort((a, b) => b.total - a.total || a.f - b.f).filter(r => r.total >= T.sum * GRAPH_LEAST).slice(0, GRAPH_NODES), kept = new Map(nodes.map((r, i) => [r.f, i]));
  const edges = new Map(), path = [], seen = new Map();
  for (let i = 0; i < T.n; i++) {
    path.length = T.depth[i];
    const to = kept.get(T.frame[i]), above = path.length ? path[path.length - 1] : -1;
    if (to !== undefined && above >= 0 && above !== to) {
      const key = above * GRAPH_NODES + to, until = seen.get(key) || 0;
      if (i >= until) { edges.set(key, (edges.get(key) || 0) + T.total[i]); seen.set(key, T.end[i]); }
    }
    path.push(to === undefined ? above : to);
  }
  return { nodes, edges: [...edges].map(([k, w]) => ({ from: Math.floor(k / GRAPH_NODES), to: k % GRAPH_NODES, w })).filter(e => e.w > T.sum / 500).sort((a, b) => b.w - a.w) };
}

/* Layers by longest path over the edges that close no circle. */
function layers({ nodes, edges }) {
  const out = nodes.map(() => []), reach = (a, b, s = new Set()) => a === b || !s.has(a) && (s.add(a), out[a].some(c => reach(c, b, s)));
  for (const e of edges) if (!reach(e.to, e.from)) out[e.from].push(e.to);
  const layer = nodes.map(() => 0);
  for (let pass = 0, moved = true; moved && pass <= nodes.length; pass++) {
    moved = false;
    out.forEach((list, a) => { for (const b of list) if (layer[b] <= layer[a]) { layer[b] = layer[a] + 1; moved = true; } });
  }
  const rows = [];
  layer.forEach((l, i) => (rows[l] = rows[l] || []).push(i));
  const x = nodes.map(() => 0);
  rows.forEach(row => row.forEach((i, k) => { x[i] = k; }));
  for (let pass = 0; pass < 8; pass++) for (const row of rows) {
    const want = new Map(row.map(i => { let s = 0, w = 0; for (const e of edges) { const o = e.from === i ? e.to : e.to === i ? e.from : -1; if (o >= 0) { s += x[o] * e.w; w += e.w; } } return [i, w ? s / w : x[i]]; }));
    row.sort((a, b) => want.get(a) - want.get(b) || a - b).forEach((i, k) => { x[i] = k - row.length / 2; });
  }
  return rows;
}

function svg(tag, attributes, text) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const k in attributes) e.setAttribute(k, attributes[k]);
  if (text !== undefined) e.textContent = text;
  return e;
}
function drawGraph() {
  const g = callGraph(), rows = layers(g), W = 190, H = 96, widest = Math.max(1, ...rows.map(r => r.length)), at = [];
  const out = svg('svg', { width: widest * W, height: rows.length * H + 20, role: 'img', 'aria-label': 'Call graph' });
  rows.forEach((row, y) => row.forEach((i, k) => { at[i] = { x: (widest - row.length) * W / 2 + k * W + W / 2, y: y * H + 34 }; }));
  for (const e of g.edges) {
    const a = at[e.from], b = at[e.to], back = b.y <= a.y, y1 = a.y + 22, y2 = b.y - 22, bend = back ? 120 : 0;
    const line = svg('path', { d: `M${a.x} ${y1}C${a.x + bend} ${y1 + 30} ${b.x + bend} ${y2 - 30} ${b.x} ${y2}`, fill: 'none', stroke: 'var(--dim)', 'stroke-width': 0.7 + 5 * e.w / T.sum, opacity: 0.75 });
    line.append(svg('title', {}, T.frames[g.nodes[e.from].f].name + ' → ' + T.frames[g.nodes[e.to].f].name + ': ' + value(e.w)));
    out.append(line);
    if (e.w > T.sum / 50) out.append(svg('text', { x: (a.x + b.x) / 2 + bend * 0.75, y: (y1 + y2) / 2, class: 'w' }, value(e.w)));
  }
  g.nodes.forEach((r, i) => {
    const f = T.frames[r.f], name = f.name.replace(/^.*\//, ''), group = svg('g', { tabindex: 0, role: 'button' }), { x, y } = at[i], c = P.diff ? colour(Object.assign({ frame: r.f }, r), false) : `hsl(${50 - 50 * r.total / T.sum} 85% ${88 - 26 * r.total / T.sum}%)`;
    group.append(svg('title', {}, describe(Object.assign({ frame: r.f }, r))), svg('rect', { x: x - 84, y: y - 21, width: 168, height: 42, rx: 4, fill: matches && matches[r.f] ? '#d58bff' : c, stroke: '#888' }),
      svg('text', { x, y: y - 5 }, name.length > 26 ? name.slice(0, 25) + '…' : name), svg('text', { x, y: y + 11 }, value(r.self) + ' of ' + value(r.total) + ' (' + percent(r.total) + ')'));
    group.onclick = () => set({ view: 'sandwich', f: r.f });
    group.onkeydown = e => { if (e.key === 'Enter') { e.stopPropagation(); group.onclick(); } };
    out.append(group);
  });
  $('graph').replaceChildren(out);
}

/* ---- State ---- */

/* A zoom is the path of frames from the root, in the hash as "3.17.4". */
function findZoom() {
  const name = S.view === 'leaves' ? 'leaves' : 'flame';
  let box = root(name);
  for (const f of S.zoom ? S.zoom.split('.') : []) {
    const kid = box.kids().find(k => k.frame === +f);
    if (!kid) break;
    box = kid;
  }
  return box;
}
function writeHash() {
  const h = new URLSearchParams();
  for (const k in S) if (S[k] !== '' && S[k] !== START[k]) h.set(k, S[k]);
  const text = '#' + h;
  if (text !== (location.hash || '#')) history.replaceState(null, '', text);
}
let START;
function readHash() {
  Object.assign(S, START);
  for (const [k, v] of new URLSearchParams(location.hash.slice(1))) if (k in S) S[k] = typeof START[k] === 'number' ? +v || 0 : v;
  if (!P.types[S.type]) S.type = START.type;
  if (!['flame', 'leaves', 'sandwich', 'top', 'graph'].includes(S.view)) S.view = START.view;
  if (![...$('group').options].some(o => o.value === S.group)) S.group = '';
  if (!COLUMNS.some(c => c[0] === S.sort)) S.sort = 'self';
}
const BUILDS = ['type', 'group', 'width'];
function set(changes, options = {}) {
  const old = { ...S };
  if ('view' in changes && changes.view !== S.view && !('zoom' in changes) && (changes.view === 'leaves' || S.view === 'leaves')) changes.zoom = '';
  if ('group' in changes && changes.group !== S.group) { changes.zoom = ''; changes.f = -1; }
  Object.assign(S, changes);
  if (!options.back && (old.zoom !== S.zoom || old.view !== S.view || old.f !== S.f)) history_.push({ zoom: old.zoom, view: old.view, f: old.f });
  if (BUILDS.some(k => old[k] !== S[k])) { build(); roots = {}; hues.length = 0; }
  if (old.f !== S.f) { delete roots.callers; delete roots.callees; }
  if (old.q !== S.q) match();
  show();
  if (old.flip !== S.flip) $('pane').scrollTop = S.flip ? layout.rows * ROW : 0;
}
function show() {
  if (S.f >= T.frames.length) S.f = -1;
  const isCanvas = S.view === 'flame' || S.view === 'leaves' || S.view === 'sandwich';
  $('pane').hidden = !isCanvas; $('table').hidden = S.view !== 'top'; $('graph').hidden = S.view !== 'graph';
  for (const tab of $('tabs').children) { const on = tab.dataset.view === S.view; tab.setAttribute('aria-selected', on); tab.tabIndex = on ? 0 : -1; }
  $('type').value = S.type; $('group').value = S.group; $('width').value = S.width;
  if ($('search').value !== S.q) $('search').value = S.q;
  if (isCanvas) {
    if (S.view !== 'sandwich') zoom = findZoom();
    relayout();
    if (selected && !layout.some(l => l.b === selected)) selected = null;
    redraw();
    status(selected || (S.view === 'sandwich' ? null : zoom));
  } else {
    if (S.view === 'top') drawTable(); else drawGraph();
    status(null);
  }
  writeHash();
}
function status(box) {
  $('status').textContent = box ? describe(box).replace(/\n/g, ' — ') : P.types[S.type].type + ': ' + value(T.sum) + (P.diff ? ', before ' + value(T.sumBefore) + ', after ' + value(T.sumAfter) + ': ' + change(T.sumBefore, T.sumAfter) : '');
}

/* ---- Hands ---- */

function hit(e) {
  const r = canvas.getBoundingClientRect(), x = e.clientX - r.left, row = Math.floor((e.clientY - r.top + $('pane').scrollTop) / ROW);
  let low = 0, high = layout.length;
  while (low < high) { const m = (low + high) >> 1, l = layout[m]; if (l.y < row || l.y === row && l.x <= x) low = m + 1; else high = m; }
  const l = layout[low - 1];
  return l && l.y === row && x < l.x + l.w ? l.b : null;
}
function zoomTo(box) {
  if (!box || box.frame < -1) return;
  selected = null;
  if (S.view === 'sandwich') { if (box.frame >= 0) set({ f: box.frame }); }
  else set({ zoom: box.path().join('.') });
}
function back() { const last = history_.pop(); if (last) set(last, { back: true }); }
function hideTip() { $('tip').hidden = true; }
canvas.onmousemove = e => {
  const box = hit(e), tip = $('tip');
  if (!box) return hideTip();
  tip.textContent = describe(box); tip.hidden = false; canvas.style.cursor = 'pointer';
  const r = tip.getBoundingClientRect();
  tip.style.left = Math.max(0, Math.min(e.clientX + 12, innerWidth - r.width - 4)) + 'px';
  tip.style.top = (e.clientY + 16 + r.height > innerHeight ? Math.max(0, e.clientY - r.height - 8) : e.clientY + 16) + 'px';
};
canvas.onmouseleave = hideTip;
canvas.onclick = e => { hideTip(); zoomTo(hit(e)); };
canvas.oncontextmenu = e => { const b = hit(e); if (b && b.frame >= 0) { e.preventDefault(); hideTip(); set({ view: 'sandwich', f: b.frame }); } };
$('pane').onscroll = () => { hideTip(); redraw(); };
new ResizeObserver(() => { if (T && !$('pane').hidden) { relayout(); redraw(); } }).observe($('pane'));

function move(key) {
  const now = layout.find(l => l.b === selected) || layout.find(l => !l.dim);
  if (!now) return;
  let next = selected ? null : now;
  if (!next && (key === 'ArrowLeft' || key === 'ArrowRight')) {
    const row = layout.filter(l => l.y === now.y), i = row.indexOf(now) + (key === 'ArrowRight' ? 1 : -1);
    next = row[i];
  } else if (!next) {
    const y = now.y + (key === 'ArrowDown' ? 1 : -1), row = layout.filter(l => l.y === y);
    next = row.find(l => l.b.parent === now.b) || row.find(l => now.b.parent === l.b) || row.find(l => l.x <= now.x && l.x + l.w > now.x);
  }
  if (!next) return;
  selected = next.b;
  const pane = $('pane'), y = next.y * ROW;
  if (y < pane.scrollTop) pane.scrollTop = y; else if (y + ROW > pane.scrollTop + pane.clientHeight) pane.scrollTop = y + ROW - pane.clientHeight;
  status(selected); redraw();
}
const KEYS = { f: 'flame', l: 'leaves', t: 'top', g: 'graph' };
addEventListener('keydown', e => {
  if (!T || e.ctrlKey || e.metaKey || e.altKey || $('about').open) return;
  if (e.target.matches('input, select')) { if (e.key === 'Escape') { set({ q: '' }); canvas.focus(); } return; }
  if (e.target.getAttribute('role') === 'tab' && /^Arrow(Left|Right)$/.test(e.key)) {
    const tab = e.key === 'ArrowRight' ? e.target.nextElementSibling : e.target.previousElementSibling;
    if (tab) { tab.click(); tab.focus(); }
    return;
  }
  const isButton = e.target.matches('button');
  if (KEYS[e.key]) set({ view: KEYS[e.key] });
  else if (e.key === 's') set(selected && selected.frame >= 0 ? { view: 'sandwich', f: selected.frame } : { view: 'sandwich' });
  else if (e.key === '/') $('search').focus();
  else if (e.key === 'i') set({ flip: S.flip ? 0 : 1 });
  else if (e.key === 'd') $('theme').click();
  else if (e.key === '?') $('info').click();
  else if (e.key === 'Backspace' || e.key === 'Escape') back();
  else if (e.key === 'Home') set({ zoom: '' });
  else if (e.key === 'Enter' && !isButton) zoomTo(selected);
  else if (/^Arrow/.test(e.key) && !$('pane').hidden) move(e.key);
  else return;
  e.preventDefault();
});
$('tabs').onclick = e => { if (e.target.dataset.view) set({ view: e.target.dataset.view }); };
$('type').onchange = e => set({ type: +e.target.value });
$('group').onchange = e => set({ group: e.target.value });
$('width').onchange = e => set({ width: e.target.value });
let typing;
$('search').oninput = e => { clearTimeout(typing); typing = setTimeout(() => set({ q: e.target.value }), 80); };
$('flip').onclick = () => set({ flip: S.flip ? 0 : 1 });
$('reset').onclick = () => { selected = null; set({ zoom: '', q: '', view: S.view === 'sandwich' ? 'flame' : S.view }); };
$('info').onclick = () => $('about').showModal();
$('theme').onclick = () => {
  const e = document.documentElement, dark = isDark();
  e.dataset.theme = dark ? 'light' : 'dark';
  show();
};
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => T && show());
addEventListener('hashchange', () => { const old = { ...S }; readHash(); const now = { ...S }; Object.assign(S, old); set(now); });

/* ---- Start ---- */

inflate($('data').textContent).then(bytes => {
  P = parse(bytes);
  $('data').textContent = '';
  START = { ...S, type: P.type };
  document.title = P.title;
  $('title').textContent = P.title; $('title').title = P.title;
  $('lines').textContent = P.lines.join('\n');
  P.types.forEach((t, i) => $('type').append(element('option', t.type + (t.unit ? ' (' + t.unit + ')' : ''), { value: i })));
  const keys = new Set();
  for (const s of P.sets) for (const l of s) keys.add(l[0]);
  $('group').append(element('option', 'none', { value: '' }));
  if (new Set(P.frames.map(f => f.object)).size > 1) $('group').append(element('option', 'mapping', { value: 'mapping' }));
  for (const k of [...keys].sort()) $('group').append(element('option', k, { value: 'k:' + k }));
  $('group-label').hidden = $('group').options.length < 2;
  $('width-label').hidden = !P.diff;
  readHash();
  $('wait').remove();
  build();
  show();
  document.documentElement.dataset.ready = '1';
}).catch(e => { $('wait').textContent = 'This page could not be shown: ' + e.message; throw e; });
})();
