/* Boxes of a flame graph, made when they are looked at. */

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
