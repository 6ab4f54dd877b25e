/* The top table. */

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
      else if (key === 'change') { td.textContent = change(r.before, r.after); td.className = r.after > r.before ? 'up' : 'down'; }
      else {
        td.textContent = value(r[key]);
        if (!r[key]) td.className = 'nil';
        if (key === 'self' || key === 'total') {
          const share = T.sum ? 100 * r[key] / T.sum : 0;
          td.append(element('small', percent(r[key])));
          if (share >= 0.1) td.style.background = `linear-gradient(to left, var(--heat) ${share}%, transparent ${share}%)`;
        }
      }
    }
  }
  if (rows.length > shown.length) body.insertRow().append(element('td', 'of ' + rows.length + ' functions', { colSpan: columns.length }));
  $('table').replaceChildren(table);
}
