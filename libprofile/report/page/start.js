/* Beginning, once the data is there. */

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
