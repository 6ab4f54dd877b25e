/* The data: bytes to a profile. */

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
