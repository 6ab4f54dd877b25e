/* What is shown, and the hash that remembers it. */

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
  if (!['', 'dark', 'light'].includes(S.theme)) S.theme = '';
}
const BUILDS = ['type', 'group', 'width'];
function set(changes, options = {}) {
  const old = { ...S };
  if ('view' in changes && changes.view !== S.view && !('zoom' in changes) && (changes.view === 'leaves' || S.view === 'leaves')) changes.zoom = '';
  if ('group' in changes && changes.group !== S.group) { changes.zoom = ''; changes.f = -1; }
  Object.assign(S, changes);
  if (['view', 'f', 'zoom', ...BUILDS].some(k => old[k] !== S[k])) selected = null;
  if (!options.back && (old.zoom !== S.zoom || old.view !== S.view || old.f !== S.f)) history_.push({ zoom: old.zoom, view: old.view, f: old.f });
  if (BUILDS.some(k => old[k] !== S[k])) { build(); roots = {}; paints.length = 0; }
  if (old.f !== S.f) { delete roots.callers; delete roots.callees; }
  if (old.q !== S.q) match();
  if (old.theme !== S.theme) paintTheme();
  show();
  if (old.flip !== S.flip) $('pane').scrollTop = S.flip ? nRows() * ROW : 0;
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
    redraw();
    status(selected || (S.view !== 'sandwich' ? zoom : below.length ? below[0][0].b : null));
  } else {
    if (S.view === 'top') drawTable(); else drawGraph();
    status(null);
  }
  writeHash();
}
function status(box) {
  $('status').textContent = box ? describe(box).replace(/\n/g, ' — ') : P.types[S.type].type + ': ' + value(T.sum) + (P.diff ? ', before ' + value(T.sumBefore) + ', after ' + value(T.sumAfter) + ': ' + change(T.sumBefore, T.sumAfter) : '');
}
