/* The tree for the type and group chosen, and what a search finds in it. */

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
