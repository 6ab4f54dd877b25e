/* Mouse, touch and keyboard. */

function hit(e) {
  const r = canvas.getBoundingClientRect(), x = e.clientX - r.left, row = rowAt(Math.floor((e.clientY - r.top + $('pane').scrollTop) / ROW));
  let low = 0, high = row.length;
  while (low < high) { const m = (low + high) >> 1; if (row[m].x <= x) low = m + 1; else high = m; }
  const l = row[low - 1];
  return l && x < l.x + l.w ? l.b : null;
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
  const [name, ...rest] = describe(box).split('\n');
  tip.replaceChildren(element('b', name), rest.length ? '\n' + rest.join('\n') : ''); tip.hidden = false; canvas.style.cursor = 'pointer';
  const r = tip.getBoundingClientRect();
  tip.style.left = Math.max(0, Math.min(e.clientX + 12, innerWidth - r.width - 4)) + 'px';
  tip.style.top = (e.clientY + 16 + r.height > innerHeight ? Math.max(0, e.clientY - r.height - 8) : e.clientY + 16) + 'px';
};
canvas.onmouseleave = hideTip;
canvas.onclick = e => { hideTip(); zoomTo(hit(e)); };
canvas.oncontextmenu = e => { const b = hit(e); if (b && b.frame >= 0) { e.preventDefault(); hideTip(); set({ view: 'sandwich', f: b.frame }); } };
$('pane').onscroll = () => { hideTip(); redraw(); };
new ResizeObserver(() => { if (T && !$('pane').hidden) { relayout(); redraw(); } }).observe($('pane'));

/* The box that is selected, and its row; at first the zoomed one. */
function here() {
  let first = null;
  for (let y = 0; y < nRows(); y++) for (const l of rowAt(y)) {
    if (l.b === selected) return [l, y];
    if (!first && !l.dim) first = [l, y];
  }
  selected = null;
  return first;
}
function move(key) {
  const at = here();
  if (!at) return;
  let [next, y] = at;
  if (selected && /Left|Right/.test(key)) {
    const row = rowAt(y);
    next = row[row.indexOf(next) + (key === 'ArrowRight' ? 1 : -1)];
  } else if (selected) {
    const now = next, row = rowAt(y += key === 'ArrowDown' ? 1 : -1);
    next = row.find(l => l.b.parent === now.b) || row.find(l => now.b.parent === l.b) || row.find(l => l.x <= now.x && l.x + l.w > now.x);
  }
  if (!next) return;
  selected = next.b;
  const pane = $('pane'), top = y * ROW;
  if (top < pane.scrollTop) pane.scrollTop = top; else if (top + ROW > pane.scrollTop + pane.clientHeight) pane.scrollTop = top + ROW - pane.clientHeight;
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
/* What the system does not wish, and back. */
$('theme').onclick = () => set({ theme: S.theme ? '' : isDark() ? 'light' : 'dark' });
night.addEventListener('change', () => { paintTheme(); if (T) show(); });
addEventListener('hashchange', () => { const old = { ...S }; readHash(); const now = { ...S }; Object.assign(S, old); set(now); });
