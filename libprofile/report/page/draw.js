/* Where boxes are, and the canvas. */

const canvas = $('canvas'), ctx = canvas.getContext('2d');
let roots = {}, zoom = null, drawn = 0;

function root(name) {
  if (!roots[name]) roots[name] = name === 'flame' ? flameRoot() : name === 'leaves' ? leavesRoot() : sideRoot(S.f, name === 'callers');
  return roots[name];
}

/*
 * Rows of boxes: those above (callers, the nearest first) and those from
 * there on. They grow row by row, a slice of time after the other, so that the
 * first ones are there at once however many there are.
 */
const SLICE = 25; /* ms */
let above = [], below = [], growing = [], later = 0;
const nRows = () => above.length + below.length;
const flipped = () => S.flip && S.view !== 'sandwich';
function rowAt(y) {
  if (flipped()) y = nRows() - 1 - y;
  return (y < above.length ? above[above.length - 1 - y] : below[y - above.length]) || [];
}

/* Puts what is wide enough below a box into the next row. */
function expand({ b, x, w }, row) {
  if (b.frame < -1) return;
  const scale = w / b.total, kids = b.kids();
  for (let i = 0; i < kids.length; i++) {
    const k = kids[i], kw = k.total * scale;
    if (kw < MIN_WIDTH) {
      const rest = new Box(-2, b);
      for (let j = i; j < kids.length; j++) { rest.total += kids[j].total; rest.before += kids[j].before; rest.after += kids[j].after; }
      rest.n = kids.length - i;
      if (rest.total * scale >= 1) row.push({ b: rest, x, w: rest.total * scale });
      break;
    }
    row.push({ b: k, x, w: kw });
    x += kw;
  }
}

function grow() {
  const until = performance.now() + SLICE, pane = $('pane'), end = nRows() * ROW - pane.scrollTop;
  while (growing.length) {
    const g = growing[0];
    while (g.i < g.row.length) { expand(g.row[g.i], g.next); if (++g.i % 32 === 0 && performance.now() > until) break; }
    if (g.i < g.row.length) break;
    if (g.next.length) { g.rows.push(g.next); g.row = g.next; g.next = []; g.i = 0; } else growing.shift();
  }
  $('spacer').style.height = nRows() * ROW + 'px';
  if (flipped()) pane.scrollTop = nRows() * ROW - end;
  clearTimeout(later);
  if (growing.length) later = setTimeout(() => { grow(); redraw(); });
}

function relayout() {
  const w = $('pane').clientWidth, begin = (rows, b) => { growing.push({ rows, row: [{ b, x: 0, w }], next: [], i: 0 }); };
  above = []; below = []; growing = [];
  if (T.sum && w && S.view === 'sandwich' && S.f >= 0 && root('callees').list.length) {
    below.push([{ b: root('callees').list[0], x: 0, w, focus: true }]);
    begin(above, root('callers').list[0]);
    begin(below, root('callees').list[0]);
  } else if (T.sum && w && S.view !== 'sandwich') {
    for (let b = zoom; b; b = b.parent) below.unshift([{ b, x: 0, w, dim: b !== zoom }]);
    begin(below, zoom);
  }
  grow();
}

const night = matchMedia('(prefers-color-scheme: dark)');
const isDark = () => S.theme ? S.theme === 'dark' : night.matches;
const paintTheme = () => { document.documentElement.dataset.theme = isDark() ? 'dark' : 'light'; };
paintTheme();

/*
 * A package has a hue: two of three are warm, as flames are, the others cool.
 * Functions of a package differ a little in lightness.
 */
const paints = [];
function paint(f) {
  if (paints[f]) return paints[f];
  const name = T.frames[f].name, cut = Math.max(name.lastIndexOf('/'), 0), pack = /^[^.:(]*/.exec(name.slice(cut))[0] + name.slice(0, cut);
  const hash = (s, h = 41296) => { for (let i = 0; i < s.length; i++) h = (h * 31 + s.charCodeAt(i)) % 99991; return h; };
  const h = hash(pack);
  return paints[f] = { hue: h % 3 ? 4 + h % 49 : 165 + h % 140, cool: h % 3 === 0, shift: hash(name) % 7 - 3 };
}
function colour(b, dark) {
  if (b.frame < -1) return dark ? '#292724' : '#efece8';
  if (b.frame < 0) return dark ? '#3d3934' : '#e2ddd6';
  if (matches && matches[b.frame]) return dark ? '#9a3fd0' : '#d493ff';
  if (P.diff) {
    const c = (b.after - b.before) / (b.after + b.before || 1), w = Math.min(1, Math.abs(c) ** 0.6);
    return dark ? `hsl(${c > 0 ? 8 : 212} ${8 + 52 * w}% ${25 + 15 * w}%)` : `hsl(${c > 0 ? 8 : 212} ${10 + 75 * w}% ${90 - 22 * w}%)`;
  }
  const { hue, cool, shift } = paint(b.frame), faded = matches ? 0.35 : 1;
  return dark ? `hsl(${hue} ${(cool ? 28 : 46) * faded}% ${33 + shift}%)` : `hsl(${hue} ${(cool ? 50 : 86) * faded}% ${76 + shift}%)`;
}

/* Where there is no room for a path, what is behind it tells more. */
function fit(text, room) {
  if (text.length > room) { const cut = text.search(/[^/]*$/); if (cut > 0 && /^[\w.~@/-]*$/.test(text.slice(0, cut))) text = text.slice(cut); }
  return text.length > room ? text.slice(0, room - 1) + '…' : text;
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
  const letter = ctx.measureText('M').width, ink = dark ? '#f4f1ec' : '#241a12';
  for (let row = Math.floor(up / ROW), y = row * ROW - up; y < h && row < nRows(); row++, y += ROW) for (const l of rowAt(row)) {
    ctx.globalAlpha = l.dim ? 0.55 : 1;
    ctx.fillStyle = colour(l.b, dark);
    ctx.fillRect(l.x, y, Math.max(l.w - (l.w > 3 ? 1 : 0), 0.5), ROW - 1);
    const room = Math.floor((l.w - 8) / letter);
    if (room > 2) {
      ctx.fillStyle = ink;
      ctx.fillText(fit(label(l.b), room), l.x + 4, y + ROW / 2);
    }
    if (l.b === selected || l.focus) { ctx.globalAlpha = 1; ctx.strokeStyle = ink; ctx.lineWidth = 2; ctx.strokeRect(l.x + 1, y + 1, Math.max(l.w - 3, 1), ROW - 3); }
  }
  ctx.globalAlpha = 1;
  if (!nRows()) {
    ctx.fillStyle = ink;
    ctx.fillText(T.sum ? 'Choose a function: a click in Top, or s on a box.' : 'No samples of this type.', 12, 24);
  }
}
const redraw = () => { if (!drawn) drawn = requestAnimationFrame(draw); };

const label = b => b.frame === -1 ? 'all ' + value(b.total) : b.frame < 0 ? '(' + b.n + ' too narrow to show)' : T.frames[b.frame].name;
