/* Values and names as text. */

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
