/* The call graph. */

/* The heaviest functions, and edges between those that are next to kept ones. */
function callGraph() {
  const N = GRAPH_NODES, nodes = top().slice().sort((a, b) => b.total - a.total || a.f - b.f).filter(r => r.total >= T.sum * GRAPH_LEAST).slice(0, N);
  const kept = new Int16Array(T.frames.length).fill(-1), weights = new Float64Array(N * N), until = new Int32Array(N * N), path = [-1], edges = [];
  nodes.forEach((r, i) => { kept[r.f] = i; });
  for (let i = 0; i < T.n; i++) {
    const d = T.depth[i], to = kept[T.frame[i]], above = path[d];
    path[d + 1] = to < 0 ? above : to;
    if (to < 0 || above < 0 || above === to) continue;
    const e = above * N + to;
    if (i >= until[e]) { weights[e] += T.total[i]; until[e] = T.end[i]; }
  }
  weights.forEach((w, e) => { if (w > T.sum / 500) edges.push({ from: Math.floor(e / N), to: e % N, w }); });
  return { nodes, edges: edges.sort((a, b) => b.w - a.w) };
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
/* Nodes glow with their share. */
function heat(r) {
  const t = Math.sqrt(r.total / T.sum), dark = isDark();
  if (matches && matches[r.f]) return dark ? '#7d35a8' : '#e2b8ff';
  if (P.diff) return colour(Object.assign({ frame: r.f }, r), dark);
  return dark ? `hsl(${34 - 22 * t} ${18 + 40 * t}% ${17 + 17 * t}%)` : `hsl(${42 - 30 * t} ${60 + 32 * t}% ${95 - 23 * t}%)`;
}
function drawGraph() {
  const g = callGraph(), rows = layers(g), W = 222, H = 104, R = 102, widest = Math.max(1, ...rows.map(r => r.length)), at = [];
  const out = svg('svg', { width: widest * W + 8, height: rows.length * H + 20, role: 'group', 'aria-label': 'Call graph' }), arrow = svg('marker', { id: 'arrow', viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 9, markerHeight: 9, markerUnits: 'userSpaceOnUse', orient: 'auto' }), words = [];
  arrow.append(svg('path', { d: 'M0 0.6L8 4L0 7.4z', fill: 'var(--dim)' }));
  out.append(arrow);
  rows.forEach((row, y) => row.forEach((i, k) => { at[i] = { x: (widest - row.length) * W / 2 + k * W + W / 2 + 4, y: y * H + 36 }; }));
  for (const e of g.edges) {
    const a = at[e.from], b = at[e.to], back = b.y <= a.y, y1 = a.y + 23, y2 = b.y - 24, bend = back ? 130 : 0, far = Math.max(30, Math.min(90, (y2 - y1) / 2));
    const line = svg('path', { d: `M${a.x} ${y1}C${a.x + bend} ${y1 + far} ${b.x + bend} ${y2 - far} ${b.x} ${y2}`, fill: 'none', stroke: 'var(--dim)', 'stroke-width': 0.8 + 5 * e.w / T.sum, opacity: 0.35 + 0.5 * Math.sqrt(e.w / T.sum), 'marker-end': 'url(#arrow)' });
    line.append(svg('title', {}, T.frames[g.nodes[e.from].f].name + ' → ' + T.frames[g.nodes[e.to].f].name + ': ' + value(e.w)));
    out.append(line);
    if (e.w > T.sum / 50) words.push(svg('text', { x: (a.x + b.x) / 2 + bend * 0.75, y: (y1 + y2) / 2 + 3, class: 'w' }, value(e.w)));
  }
  out.append(...words);
  g.nodes.forEach((r, i) => {
    const f = T.frames[r.f], text = describe(Object.assign({ frame: r.f }, r)), group = svg('g', { tabindex: 0, role: 'button', 'aria-label': text }), { x, y } = at[i];
    group.append(svg('title', {}, text), svg('rect', { x: x - R, y: y - 23, width: 2 * R, height: 46, rx: 8, fill: heat(r), stroke: 'var(--line)' }),
      svg('text', { x, y: y - 4, class: 'n' }, fit(f.name, 28)), svg('text', { x, y: y + 13 }, (r.self ? value(r.self) + ' of ' : '') + value(r.total) + '  ·  ' + percent(r.total)));
    group.onclick = () => set({ view: 'sandwich', f: r.f });
    group.onkeydown = e => { if (e.key === 'Enter' || e.key === ' ') { e.preventDefault(); e.stopPropagation(); group.onclick(); } };
    out.append(group);
  });
  $('graph').replaceChildren(out);
}
